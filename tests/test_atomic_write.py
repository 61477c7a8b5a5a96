"""A file is written whole or not at all, and the reason is one sentence."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from vitprof.atomic_write import write_atomically

Refused = Callable[..., object]


def test_text_and_bytes_are_written_and_nothing_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_atomically(path, "é\n")
    assert path.read_bytes() == "é\n".encode()
    write_atomically(str(path), b"\x00new")
    assert path.read_bytes() == b"\x00new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder with a file in it that every user can see and only its owner can write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "table.csv").write_text("old")
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def test_a_folder_without_write_permission_is_refused_and_unchanged(
    public_folder: Path, ordinary_user: None, refused: Refused
) -> None:
    for name in ("table.csv", "new.csv"):
        with refused(name, "Permission denied", "nothing was changed"):
            write_atomically(public_folder / name, "new")
    assert [p.read_text() for p in public_folder.iterdir()] == ["old"]


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder that only its owner may look into."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o000)
        yield folder
        folder.chmod(0o755)


def test_a_folder_that_may_not_be_entered_is_refused(
    closed_folder: Path, ordinary_user: None, refused: Refused
) -> None:
    with refused("table.csv", "Permission denied"):
        write_atomically(closed_folder / "table.csv", "new")


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("missing/table.csv", "No such file"),
        ("file/table.csv", "Not a directory"),
        ("folder", "directory"),
        ("n" * 250, "too long"),
    ],
)
def test_a_place_that_cannot_hold_a_file_is_refused(
    place: str, reason: str, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "file").write_text("a file")
    (tmp_path / "folder").mkdir()
    with refused(place, reason):
        write_atomically(tmp_path / place, "new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
    assert list((tmp_path / "folder").iterdir()) == []


@pytest.mark.parametrize("broken", ["fsync", "write"])
def test_what_stood_there_survives_an_error_half_way(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if broken == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    with refused("table.csv", "No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interruption_leaves_the_old_file_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
