"""Images with masks, and how far maps of classes agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from vitprof.training.data.segmentation_images import (
    find_segmentation_images,
    split_segmentation_images,
)
from vitprof.training.segmentation_scores import Confusion, semantic_map


def save(path: Path, pixels: np.ndarray, mode: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, mode).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images of 12 x 8 in which the red channel is the class of the mask."""
    rng = np.random.default_rng(0)
    for nth in range(5):
        mask = rng.integers(0, 3, (8, 12), dtype=np.uint8)
        image = np.stack([mask, mask, mask], axis=-1)
        save(tmp_path / f"images/city/{nth}_leftImg8bit.png", image)
        save(tmp_path / f"masks/city/{nth}_gtFine_labelTrainIds.png", mask)
    return tmp_path


def test_a_mask_is_cut_as_its_image(folder) -> None:
    found = find_segmentation_images(folder)
    assert len(found) == 5
    pixels = found.pixels(8)
    assert pixels.shape == (5, 3, 8, 8)
    for nth in range(5):
        assert np.array_equal(found.classes_of(nth, 8, 3), pixels[nth, 0])
    # Nothing between two classes is made up when it is scaled.
    assert set(np.unique(found.classes_of(0, 31, 3))) == {0, 1, 2}


def test_zero_may_be_no_class(folder) -> None:
    found = find_segmentation_images(folder)
    whole, reduced = found.classes_of(1, 8, 3), found.classes_of(1, 8, 2, zero_is_none=True)
    assert np.array_equal(reduced == 255, whole == 0)
    assert np.array_equal(reduced[whole > 0], whole[whole > 0] - 1)


def test_images_alone_need_no_masks(tmp_path) -> None:
    for nth in range(10):
        save(tmp_path / "deep" / f"{nth}.jpg", np.zeros((4, 4, 3), np.uint8))
    train, test = split_segmentation_images(find_segmentation_images(tmp_path))
    assert (len(train), len(test), train.masks) == (8, 2, ())
    assert not set(train.images) & set(test.images)


def test_bad_folders_are_refused(tmp_path, folder, refused) -> None:
    with refused("is not a folder"):
        find_segmentation_images(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with refused("has no images"):
        find_segmentation_images(tmp_path / "empty")
    with refused("the class 2", "from 0 to 1"):
        images = find_segmentation_images(folder)
        for nth in range(5):
            images.classes_of(nth, 8, 2)
    save(folder / "masks/city/0_gtFine_labelTrainIds.png", np.zeros((8, 8), np.uint8))
    with refused("0_gtFine_labelTrainIds", "8 x 8", "12 x 8"):
        find_segmentation_images(folder).classes_of(0, 8, 3)
    save(folder / "masks/city/1_gtFine_labelTrainIds.png", np.zeros((8, 12, 3), np.uint8))
    with refused("mode RGB"):
        find_segmentation_images(folder).classes_of(1, 8, 3)
    (folder / "masks/city/3_gtFine_labelTrainIds.png").unlink()
    with refused("3_leftImg8bit", "no mask"):
        find_segmentation_images(folder)
    (folder / "images/city/2_leftImg8bit.png").write_bytes(b"no image")
    with refused("2_leftImg8bit", "not an image"):
        images.pixels(8)


def test_accuracy_and_miou_by_hand() -> None:
    confusion = Confusion(4)
    confusion.add(torch.tensor([[0, 0, 1], [1, 1, 255]]), torch.tensor([[0, 1, 1], [1, 2, 3]]))
    assert confusion.accuracy == pytest.approx(3 / 5)
    # Class 0: 1 of 2; class 1: 2 of 4; class 2: 0 of 1; class 3 is nowhere.
    assert confusion.miou == pytest.approx((1 / 2 + 2 / 4 + 0) / 3)
    assert Confusion(2).miou is None
    assert Confusion(2).accuracy is None


def test_the_semantic_map_is_that_of_transformers() -> None:
    """transformers' own, at the size at which it scales nothing twice (384)."""
    generator = torch.Generator().manual_seed(0)
    classes = torch.randn(2, 7, 5, generator=generator)
    masks = torch.randn(2, 7, 48, 48, generator=generator)
    from types import SimpleNamespace

    from transformers.models.mask2former.image_processing_pil_mask2former import (
        Mask2FormerImageProcessorPil,
    )

    expected = Mask2FormerImageProcessorPil().post_process_semantic_segmentation(
        SimpleNamespace(class_queries_logits=classes, masks_queries_logits=masks)
    )
    found = semantic_map(classes, masks, (384, 384))
    assert torch.equal(found, torch.stack(expected))
