"""Read one JSON object from text or a file nobody vouches for."""

from __future__ import annotations

import os
from typing import Any

from ..errors import UserError
from ..untrusted.files import read_text
from ..untrusted.structured import json_object

# A spec of 1024 layers takes about 100 kB.
LARGEST_FILE_BYTES = 10 * 2**20


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
        text = read_text(text_or_path, "a JSON file", LARGEST_FILE_BYTES)
    return _parse_object(text, source), source


def _parse_object(text: str, source: str) -> dict[str, Any]:
    if not text.strip():
        raise UserError(
            f"{source}: it is empty, but one JSON object is needed; write the file again."
        )
    return json_object(text, source)
