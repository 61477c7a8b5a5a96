"""Folders and zips of images, good and bad."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from vitprof.errors import UserError
from vitprof.training.data import image_file, stored_pixels
from vitprof.training.data.image_folder import read_image_folder


def zipped(folder: Path, inside: str = "") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, Path(inside) / file.relative_to(folder))
    return path


def test_a_folder_and_its_zip_give_the_same(make_folder) -> None:
    folder = make_folder(classes=("dog", "cat", "ant"))
    images = read_image_folder(folder)
    assert images.classes == ("ant", "cat", "dog")
    assert images.pixels.shape == (15, 3, 8, 8)
    # One colour a class: the second class made, "cat", begins at 40.
    assert images.pixels[images.labels == 1].min() == 40
    again = read_image_folder(zipped(folder))
    assert np.array_equal(images.pixels, again.pixels)
    assert np.array_equal(images.labels, again.labels)


def test_a_folder_around_the_classes_is_passed_over(make_folder) -> None:
    assert read_image_folder(zipped(make_folder(), "photos/")).classes == ("cat", "dog")


def test_hidden_files_and_other_files_are_no_images(make_folder) -> None:
    folder = make_folder()
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "cat" / ".hidden.png").write_bytes(b"x")
    (folder / "cat" / "notes.txt").write_text("not an image")
    assert len(read_image_folder(folder)) == 10


def test_resolution_scales_and_cuts_the_middle(make_folder) -> None:
    folder = make_folder(size=(24, 12))
    left = np.zeros((12, 24, 3), dtype=np.uint8)
    left[:, :6] = 255  # outside the middle square
    Image.fromarray(left).save(folder / "cat" / "0.png")
    images = read_image_folder(folder, resolution=6)
    assert images.pixels.shape[1:] == (3, 6, 6)
    assert images.pixels[0].max() < 128


def test_grey_images_become_rgb(make_folder) -> None:
    folder = make_folder()
    Image.fromarray(np.full((8, 8), 7, dtype=np.uint8)).save(folder / "cat" / "0.png")
    assert (read_image_folder(folder).pixels[0] == 7).all()


@pytest.mark.parametrize("as_zip", [False, True])
def test_an_image_that_is_cut_off_is_named(make_folder, as_zip) -> None:
    folder = make_folder(size=(64, 64))
    bad = folder / "dog" / "3.png"
    bad.write_bytes(bad.read_bytes()[:60])
    with pytest.raises(UserError, match=r"dog/3\.png.*is not an image"):
        read_image_folder(zipped(folder) if as_zip else folder)


def test_a_text_that_calls_itself_an_image_is_named(make_folder) -> None:
    folder = make_folder()
    (folder / "cat" / "1.png").write_text("hello")
    with pytest.raises(UserError, match=r"cat/1\.png"):
        read_image_folder(folder)


def test_sizes_that_differ_ask_for_a_resolution(make_folder) -> None:
    folder = make_folder()
    Image.new("RGB", (9, 8)).save(folder / "dog" / "0.png")
    with pytest.raises(UserError, match=r"9 x 8.*8 x 8.*`resolution`"):
        read_image_folder(folder)


@pytest.mark.parametrize("bad", ["missing", "no zip", "empty", "flat", "too deep"])
def test_what_is_no_image_folder_is_refused(make_folder, tmp_path, bad) -> None:
    folder = tmp_path / bad
    if bad == "no zip":
        folder.write_text("plain text")
    elif bad == "empty":
        folder.mkdir()
    elif bad == "flat":
        shutil.copytree(make_folder() / "cat", folder)
    elif bad == "too deep":
        shutil.copytree(make_folder(), folder / "a")
        shutil.copytree(make_folder("more"), folder / "b" / "c")
    with pytest.raises(UserError, match=str(folder)):
        read_image_folder(folder)


def test_a_zip_with_a_damaged_member_is_named(make_folder) -> None:
    path = zipped(make_folder(size=(32, 32)))
    data = bytearray(path.read_bytes())
    data[60:80] = b"\0" * 20
    path.write_bytes(bytes(data))
    with pytest.raises(UserError, match=r"cat/0\.png"):
        read_image_folder(path)


def test_a_picture_of_too_many_pixels_is_refused_unread(make_folder, monkeypatch) -> None:
    monkeypatch.setattr(image_file, "MOST_PIXELS", 50)
    with pytest.raises(UserError, match="VITPROF_MOST_PIXELS"):
        read_image_folder(make_folder())


def test_more_than_fits_the_memory_is_refused(make_folder, monkeypatch) -> None:
    monkeypatch.setattr(stored_pixels, "MOST_BYTES", 1000)
    with pytest.raises(UserError, match="`resolution`"):
        read_image_folder(make_folder())
