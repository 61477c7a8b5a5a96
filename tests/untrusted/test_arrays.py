"""Arrays and zips that announce more than they hold, or more than a machine has."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vitprof.errors import UserError
from vitprof.untrusted import memory
from vitprof.untrusted.archives import opened_zip, read_entry
from vitprof.untrusted.arrays import read_arrays

Refused = Callable[..., Any]


def npy(header: bytes, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def zipped(path: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(f"{name}.npy", data)
    return path


def test_arrays_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, images=np.arange(6, dtype="u1").reshape(2, 3), labels=np.array(3))
    found = read_arrays(path)
    assert {name: array.shape for name, array in found.items()} == {"images": (2, 3), "labels": ()}
    assert found["images"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (npy(b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999,), }\n"), "short"),
        (npy(b"{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }\n"), "not a plain array"),
        (npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", b"\x80"), "Python"),
        (npy(b"{'descr': [], 'fortran_order': 0, 'shape': (((("), "not a plain array"),
        (npy(b"{'descr': '|u1', 'shape': (1,), }\n"), "not a plain array"),
        (b"\x93NUMPY\x09\x00", "not a plain array"),
        (b"", "not a plain array"),
    ],
)
def test_a_header_that_is_wrong_is_one_sentence(
    entry: bytes, words: str, tmp_path: Path, refused: Refused
) -> None:
    with refused("images.npy", "a.npz", words):
        read_arrays(zipped(tmp_path / "a.npz", images=entry))


def test_a_small_file_that_unpacks_to_more_than_the_memory_is_refused(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, images=np.zeros(30_000_000, dtype="u1"))
    assert path.stat().st_size < 100_000
    monkeypatch.setenv("VITPROF_MEMORY_LIMIT", "20MB")
    with refused("bomb.npz", "of memory, more than", "VITPROF_MEMORY_LIMIT"):
        read_arrays(path)
    monkeypatch.setattr(memory, "free_memory", lambda: 2**30)
    monkeypatch.delenv("VITPROF_MEMORY_LIMIT")
    assert read_arrays(path)["images"].size == 30_000_000


def test_a_damaged_zip_is_one_sentence(tmp_path: Path) -> None:
    """Some bytes decide nothing (the size of LZMA's window): then all is read."""
    content, found = bytes(range(256)) * 40, []
    for kind in (zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        path = tmp_path / f"{kind}.zip"
        with zipfile.ZipFile(path, "w", kind) as archive:
            archive.writestr("a/1.png", content)
        whole = path.read_bytes()
        start = 30 + len("a/1.png")
        for place in range(start, start + 24, 3):
            path.write_bytes(whole[:place] + b"\xff\xff\xff" + whole[place + 3 :])
            try:
                with opened_zip(path) as archive:
                    assert read_entry(path, archive, "a/1.png", 1 << 20) == content
            except UserError as error:
                found.append(str(error))
    assert len(found) > 15
    assert all(text.startswith("'a/1.png' in ") and "damaged" in text for text in found)


def test_another_version_a_bad_name_and_a_name_twice(tmp_path: Path, refused: Refused) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a/1.png", b"x")
    whole = data.getvalue()
    path = tmp_path / "a.zip"
    central = whole.index(b"PK\x01\x02")
    for place, value in ((central + 6, 255), (central + 9, 8)):  # version needed; UTF-8 flag
        wrong = bytearray(whole)
        wrong[place] = value
        wrong[central + 46] = 0xFF
        path.write_bytes(wrong)
        with refused("a.zip", "cannot be read"):
            archive = opened_zip(path)
            read_entry(path, archive, archive.namelist()[0], 10)
    with pytest.warns(UserWarning), zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/1.png", b"x")
        archive.writestr("a/1.png", b"y")
    with refused("'a/1.png' twice"):
        opened_zip(path)


def test_more_is_never_unpacked_than_was_asked_for(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", big=b"0" * 5000)
    with opened_zip(path) as archive:
        assert len(read_entry(path, archive, "big.npy", 100)) == 101
