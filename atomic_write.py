"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .errors import UserError


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Give a file to write and read, which takes the place of `path` in one step at the end.

    Where the block is left by an error or an interruption, what stood at `path` stays and nothing
    is left beside it. Raises UserError when the place cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror}; nothing was changed there."
        ) from None
    finally:
        with contextlib.suppress(OSError):  # where it could not be made, it cannot be removed
            part.unlink()


def write_atomically(path: str | Path, data: str | bytes) -> None:
    """Put `data` at `path` in one step: a reader, a crash or a full disk never sees half of it.

    Raises UserError when the place cannot be written; what stood there before stays.
    """
    with replacing(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


def check_writable(path: Path) -> None:
    """Raise UserError now, not after minutes of measuring, for a place that cannot be written."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the path of a file.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise UserError(
            f"{path} cannot be written: the folder {path.parent} is missing or not writable."
        )
