"""Images of a folder, one by one."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from vitprof.errors import UserError
from vitprof.training.data.sources.folder_source import FolderSource


def test_classes_labels_names_and_bytes(make_folder) -> None:
    folder = make_folder()
    source = FolderSource(folder)
    assert source.classes == ("cat", "dog")
    assert source.labels.tolist() == [0] * 5 + [1] * 5
    assert source.name_of(7) == "dog/2.png"
    assert source.read(7) == (folder / "dog/2.png").read_bytes()
    copied = pickle.loads(pickle.dumps(source))
    assert copied.read(7) == source.read(7)


def test_class_folders_may_be_links(make_folder, tmp_path) -> None:
    make_folder()
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "cat").symlink_to(tmp_path / "photos" / "cat")
    assert len(FolderSource(linked)) == 5


def test_a_loop_of_links_ends(make_folder) -> None:
    folder = make_folder()
    (folder / "cat" / "again").symlink_to(folder)
    with pytest.raises(UserError, match="lies in 3 folders"):
        FolderSource(folder)


def test_a_file_that_went_is_named(make_folder) -> None:
    folder = make_folder()
    source = FolderSource(folder)
    (folder / "cat" / "0.png").unlink()
    with pytest.raises(UserError, match=r"'cat/0.png' cannot be read \(No such file"):
        source.read(0)


def test_other_names_are_another_fingerprint(make_folder) -> None:
    folder = make_folder()
    before = FolderSource(folder).fingerprint()
    assert FolderSource(folder).fingerprint() == before
    Path(folder / "cat/0.png").rename(folder / "cat/00.png")
    assert FolderSource(folder).fingerprint() != before
