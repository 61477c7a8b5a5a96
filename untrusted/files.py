"""The bytes and the text of a file, never more than a limit of them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO

from ..errors import UserError
from ..shown import shown
from .limits import FILE_BYTES, in_bytes

_CHUNK = 1 << 20


def read_bytes(
    path: str | os.PathLike[str], what: str, most: int | None = None, missing: str = ""
) -> bytes:
    """Return the file's content; at most `most` bytes of it, or what VITPROF_LARGEST_FILE says.

    what: what the file should be, for messages: "a latency table"; `missing` says what to do where
    there is none. Pipes are read too, devices are
    not. Raises UserError where it cannot be read or is larger.
    """
    name = f"'{os.fspath(path)}'"
    limit = FILE_BYTES.most(most)
    try:
        with Path(path).open("rb") as file:
            status = os.fstat(file.fileno())
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
                raise UserError(f"{name} is a device or a socket; give the path of a file.")
            data = _at_most(file, limit, status.st_size)
    except FileNotFoundError:
        remedy = missing or f"give the path of {what}"
        raise UserError(f"{name} does not exist; {remedy}.") from None
    except IsADirectoryError:
        raise UserError(f"{name} is a folder; give the path of {what}.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"{shown(str(path))} cannot be read: {reason}; check the path.") from None
    if len(data) > limit:
        raise UserError(
            f"{name} is larger than {in_bytes(limit)}, so it is not {what}; "
            f"{FILE_BYTES.variable}=SIZE lifts the limit."
        )
    return data


def _at_most(file: IO[bytes], limit: int, size: int) -> bytes:
    """Return at most `limit` + 1 bytes of an open file, without room made for more than it has.

    size: of a regular file; 0 of a pipe.
    """
    if size:
        return file.read(min(limit, size) + 1)
    chunks, left = [], limit + 1
    while left and (chunk := file.read(min(left, _CHUNK))):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def read_text(path: str | os.PathLike[str], what: str, most: int | None = None) -> str:
    """Return the file's text, UTF-8 with or without a mark at its beginning; see `read_bytes`."""
    data = read_bytes(path, what, most)
    name = f"'{os.fspath(path)}'"
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{name}, line {line}: it is binary or not UTF-8, so it is not {what}."
        ) from None
    if "\0" in text:
        raise UserError(f"{name} is binary, so it is not {what}.")
    return text
