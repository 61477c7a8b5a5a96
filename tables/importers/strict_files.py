"""Reading other people's JSON, YAML and CSV: bounded, without duplicates, executing nothing."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...shown import shown
from ...untrusted.files import read_text as untrusted_text
from ...untrusted.structured import json_object, yaml_mapping

LARGEST_FILE = 64 * 1024 * 1024
# Below this no unit makes a latency of it.
SMALLEST = 1e-12
_DECIMAL = re.compile(r"\+?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)


def read_text(path: Path) -> str:
    """Return the file's text; raises UserError for what cannot be a table of latencies."""
    text = untrusted_text(path, "a latency table", LARGEST_FILE)
    if not text.strip():
        raise UserError(f"{path} is empty; nothing to import.")
    return text


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; a key that appears twice is a UserError."""
    values = json_object(read_text(path), str(path))
    if not values:
        raise UserError(f"{path} holds no JSON object of latencies.")
    return values


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; a key that appears twice is a UserError with its line."""
    values = yaml_mapping(read_text(path), str(path))
    if not values:
        raise UserError(f"{path} holds no YAML mapping of latencies.")
    return values


def read_csv_rows(path: Path, required: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and values of every row; UserError unless it has the required columns."""
    csv.field_size_limit(1 << 20)
    reader = csv.DictReader(io.StringIO(read_text(path)))
    missing = [name for name in required if name not in (reader.fieldnames or ())]
    if missing:
        raise UserError(f"{path}, line 1: column '{missing[0]}' is missing.")
    try:
        for row in reader:
            if None in row or None in row.values():
                raise UserError(
                    f"{path}, line {reader.line_num}: not as many fields as columns; the line is "
                    "cut or damaged."
                )
            yield reader.line_num, row
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: not a line of CSV ({error}).") from None


def latency(value: object, where: str, written: bool = False) -> float:
    """Return a latency in the file's unit; UserError unless it is a number above 0.

    `written`: the format has no numbers but texts (CSV). Other tools answer 0 for what they do not
    know, so a 0 in their file is not a latency either.
    """
    number = math.nan
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value) if abs(value) < 1e300 else math.inf
    elif written and isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        number = float(value)
    if not SMALLEST < number < math.inf:
        raise UserError(f"{where} is {shown(value)}; a latency is a number above 0.")
    return number
