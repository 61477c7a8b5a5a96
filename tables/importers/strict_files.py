"""Reading other people's JSON, YAML and CSV: bounded, without duplicates, executing nothing."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models.checks import shown

LARGEST_FILE = 64 * 1024 * 1024


def read_text(path: Path) -> str:
    """Return the file's text; raises UserError for what cannot be a table of latencies."""
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder; give the path of a file.")
        if path.stat().st_size > LARGEST_FILE:
            raise UserError(f"{path} is larger than {LARGEST_FILE >> 20} MiB: no latency table.")
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; give the file to import.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a text file, so no latency table.") from None
    if not text.strip():
        raise UserError(f"{path} is empty; nothing to import.")
    return text


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; a key that stands twice is a UserError."""

    def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise UserError(f"{path}: the key {shown(twice)} stands twice; take one of them out.")
        return found

    try:
        values = json.loads(read_text(path), object_pairs_hook=without_duplicates)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON ({error}).") from None
    if not isinstance(values, dict) or not values:
        raise UserError(f"{path} holds no JSON object of latencies.")
    return values


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; a key that stands twice is a UserError with its line."""
    import yaml

    class Strict(yaml.SafeLoader):
        """Builds plain values only, and no mapping with a key twice."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key, _ in node.value:
                if key.value in seen:
                    raise UserError(
                        f"{path}, line {key.start_mark.line + 1}: the key {shown(key.value)} "
                        "stands twice; take one of them out."
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep)

        def compose_node(self, parent: Any, index: Any) -> Any:
            # An alias can make a small file a huge one.
            if self.check_event(yaml.AliasEvent):
                raise UserError(f"{path} uses YAML aliases, which no latency table needs.")
            return super().compose_node(parent, index)

    try:
        values = yaml.load(read_text(path), Loader=Strict)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        words = " ".join(str(error).split())[:200]
        raise UserError(f"{path} is not valid YAML ({words}).") from None
    if not isinstance(values, dict) or not values:
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


def latency(value: object, where: str) -> float:
    """Return a latency in the file's unit; UserError unless it is a number above 0.

    Other tools answer 0 for what they do not know, so a 0 in their file is no latency either.
    """
    number = math.nan
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value) if abs(value) < 1e300 else math.inf
    elif isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
    if not math.isfinite(number) or number <= 0:
        raise UserError(f"{where} is {shown(value)}; a latency is a number above 0.")
    return number
