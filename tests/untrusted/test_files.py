"""Files are read up to a limit, whatever they are."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from vitprof.untrusted.files import read_bytes, read_text

Refused = Callable[..., Any]


def test_more_than_the_limit_is_refused_and_lifted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 2049)
    with refused("a.txt", "larger than 2 KiB", "not a note", "VITPROF_LARGEST_FILE"):
        read_bytes(path, "a note", 2048)
    monkeypatch.setenv("VITPROF_LARGEST_FILE", "3kB")
    assert len(read_bytes(path, "a note", 2048)) == 2049
    monkeypatch.setenv("VITPROF_LARGEST_FILE", "much")
    with refused("VITPROF_LARGEST_FILE", "'much'"):
        read_bytes(path, "a note", 2048)


def test_what_is_no_file_is_refused(tmp_path: Path, refused: Refused) -> None:
    with refused("is a folder", "a note"):
        read_bytes(tmp_path, "a note")
    with refused("does not exist", "a note"):
        read_bytes(tmp_path / "none", "a note")
    with refused("does not exist; write one"):
        read_bytes(tmp_path / "none", "a note", missing="write one")
    with refused("/dev/zero' is a device"):
        read_bytes("/dev/zero", "a note")
    with refused("cannot be read"):
        read_bytes("a\0b", "a note")


def test_a_pipe_is_read() -> None:
    reading, writing = os.pipe()
    os.write(writing, "\ufeffé".encode())
    os.close(writing)
    assert read_text(f"/dev/fd/{reading}", "a note") == "é"
    os.close(reading)


def test_text_that_is_none(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\n\xff")
    with refused("a.txt", "line 2", "not UTF-8"):
        read_text(path, "a note")
    path.write_bytes(b"a\0")
    with refused("binary"):
        read_text(path, "a note")


def test_a_file_takes_no_more_memory_than_it_has(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 100)
    tracemalloc.start()
    assert read_bytes(path, "a note", 2**31) == b"x" * 100
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**22
