"""Read one JSON object from text or a file nobody vouches for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..untrusted.structured import json_object
from .checks import shown

# A spec of 1024 layers takes about 100 kB.
LARGEST_FILE_BYTES = 10_000_000


def read_json_object(text_or_path: str | os.PathLike[str]) -> tuple[dict[str, Any], str]:
    """Return the object and what to call its source in a message.

    A string that starts with `{` or `[` is JSON text, anything else is the path of a file.
    Raises UserError for a file that cannot be read and for text that is not one JSON object;
    a repeated key, NaN and Infinity are refused too.
    """
    if isinstance(text_or_path, str) and text_or_path.lstrip().startswith(("{", "[")):
        source, text = "the JSON text", text_or_path
    else:
        source = f"'{os.fspath(text_or_path)}'"
        text = _read_text(Path(text_or_path), source)
    return _parse_object(text, source), source


def _read_text(path: Path, source: str) -> str:
    try:
        if not path.exists():
            raise UserError(f"there is no file {source}; check the path.")
        if not path.is_file():
            raise UserError(f"{source} is not a file; give the path of a JSON file.")
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"cannot read {shown(str(path))}: {reason}; check the path.") from None
    if len(data) > LARGEST_FILE_BYTES:
        raise UserError(
            f"{source} is larger than {LARGEST_FILE_BYTES // 1_000_000} MB, so it is not a "
            "description of a model; give the path of a JSON file."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{source} is binary, not text; give the path of a JSON file.") from None


def _parse_object(text: str, source: str) -> dict[str, Any]:
    if not text.strip():
        raise UserError(
            f"{source}: it is empty, but one JSON object is needed; write the file again."
        )
    return json_object(text, source)
