"""Where images come from, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from vitprof.errors import UserError
from vitprof.training.data.datasets import load_dataset
from vitprof.training.data.images import Dataset, Images, Normalisation


def arrays(tmp_path, **changed):
    """Write an .npz of 20 images of two classes, with some arrays changed or, if None, left out."""
    rng = np.random.default_rng(0)
    held = {
        "images": rng.integers(0, 256, (20, 3, 8, 8), dtype=np.uint8),
        "labels": np.arange(20) % 2,
        **changed,
    }
    path = tmp_path / "arrays.npz"
    np.savez(path, **{name: array for name, array in held.items() if array is not None})
    return str(path)


@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_may_have_their_channels_last(tmp_path, channels: int) -> None:
    images = np.random.default_rng(1).integers(0, 256, (20, channels, 8, 8), dtype=np.uint8)
    first = load_dataset(arrays(tmp_path, images=images))
    last = load_dataset(arrays(tmp_path, images=images.transpose(0, 2, 3, 1)))
    assert last.train.pixels.shape[1:] == (channels, 8, 8)
    assert np.array_equal(first.train.pixels, last.train.pixels)


def test_digits_are_split_by_class_and_always_alike(digits) -> None:
    assert len(digits.train) + len(digits.test) == 1797
    assert abs(len(digits.test) - 0.2 * 1797) < 10
    assert digits.train.pixels.dtype == np.uint8
    assert digits.train.pixels.max() == 255
    again = load_dataset("digits")
    assert np.array_equal(again.test.pixels, digits.test.pixels)
    for label in range(10):
        share = (digits.test.labels == label).sum() / (
            (digits.test.labels == label).sum() + (digits.train.labels == label).sum()
        )
        assert 0.18 < share < 0.22


def test_train_and_test_folders_or_zips(make_folder, tmp_path) -> None:
    make_folder("both/train", count=6)
    make_folder("both/val", count=2)
    data = load_dataset(str(tmp_path / "both"))
    assert (len(data.train), len(data.test)) == (12, 4)


def test_one_folder_is_split(make_folder) -> None:
    data = load_dataset(str(make_folder(count=10)))
    assert (len(data.train), len(data.test)) == (16, 4)


def test_digits_of_a_multiple_repeat_each_pixel() -> None:
    small, large = load_dataset("digits").test, load_dataset("digits", 24).test
    assert large.pixels.shape[-2:] == (24, 24)
    for row, column in ((0, 0), (1, 2), (2, 1)):
        assert np.array_equal(large.pixels[:, :, row::3, column::3], small.pixels)
    with pytest.raises(UserError, match="20 x 20 is another size, and no multiple"):
        load_dataset("digits", 20)


def test_arrays_with_and_without_a_test_part(tmp_path) -> None:
    assert len(load_dataset(arrays(tmp_path)).test) == 4
    test = np.zeros((3, 3, 8, 8), dtype=np.uint8)
    data = load_dataset(
        arrays(
            tmp_path,
            test_images=test,
            test_labels=np.array([0, 1, 1]),
            classes=np.array(["no", "yes"]),
        )
    )
    assert (len(data.test), data.test.classes) == (3, ("no", "yes"))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"labels": None}, "has no array 'labels'"),
        ({"labels": np.arange(20) - 1}, "label of image 0 is -1"),
        ({"labels": np.arange(20) % 3, "classes": np.array(["a", "b"])}, "label of image 2 is 2"),
        ({"labels": np.arange(19) % 2}, "20 whole numbers"),
        ({"labels": np.linspace(0, 1, 20)}, "whole numbers"),
        ({"images": np.zeros((20, 3, 8, 8))}, "uint8"),
        ({"images": np.zeros((20, 8, 8), dtype=np.uint8)}, "images x channels x height x width"),
        ({"labels": np.where(np.arange(20) % 3, 0, 2)}, "class '1' has no image"),
        ({"labels": np.array([object()] * 20)}, "plain array"),
    ],
)
def test_bad_arrays_are_refused(tmp_path, changed, words) -> None:
    with pytest.raises(UserError, match=words):
        load_dataset(arrays(tmp_path, **changed))


def test_a_file_that_is_no_npz(tmp_path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"nonsense")
    with pytest.raises(UserError, match="no zip that is read"):
        load_dataset(str(path))


def test_arrays_are_not_scaled(tmp_path) -> None:
    path = arrays(tmp_path)
    assert load_dataset(path, 8).train.resolution == 8
    with pytest.raises(UserError, match="8 x 8, and arrays are not scaled; 16"):
        load_dataset(path, 16)


def test_parts_of_other_classes_or_sizes_are_refused() -> None:
    def images(classes, side):
        count = len(classes)
        return Images(np.zeros((count, 3, side, side), np.uint8), np.arange(count), classes)

    with pytest.raises(UserError, match="differ in classes"):
        Dataset(images(("a", "b"), 8), images(("a", "c"), 8))
    with pytest.raises(UserError, match="shape"):
        Dataset(images(("a", "b"), 8), images(("a", "b"), 9))


def test_normalisation_is_mean_and_deviation(digits) -> None:
    norm = digits.normalisation
    pixels = digits.train.pixels / 255
    assert norm.mean[0] == pytest.approx(pixels.mean(), abs=1e-4)
    assert norm.std[0] == pytest.approx(pixels.std(), abs=1e-4)
    flat = Images(np.full((2, 1, 4, 4), 9, np.uint8), np.array([0, 1]), ("a", "b"))
    assert Normalisation.of(flat).std == (1.0,)
