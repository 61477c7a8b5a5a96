"""`vitprof.schema`: the JSON Schemas of what commands print with --json, and of a table's file."""

from __future__ import annotations

import difflib
import json
from functools import cache
from importlib.resources import files
from typing import Any

from ..errors import UserError

_FOLDER = "json-schemas"
_COMMON = "common"
_REFERENCE = "$ref"


def schema_names() -> list[str]:
    """Return the names that `schema` takes, sorted."""
    names = (entry.name.removesuffix(".json") for entry in _folder().iterdir())
    return sorted(name for name in names if name != _COMMON)


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a command's `--json`, or of a table's file.

    A schema allows further keys: a newer vitprof may print more, but no fewer.

    Args:
        name: A command, with its words joined by hyphens ("predict", "table-info"); "table-header",
            the JSON object in a table's second line; "table-row", a row of it as fields of text.

    Returns:
        The schema as JSON values. It refers to no other file.

    Raises:
        UserError: There is no schema of that name.

    Example:
        >>> import vitprof
        >>> vitprof.schema("predict")["properties"]["latency_ms"]
    """
    if name not in schema_names():
        near = difflib.get_close_matches(name, schema_names(), n=1)
        hint = f"did you mean {near[0]}?" if near else "vitprof schema lists those there are."
        raise UserError(f"there is no JSON Schema of '{name}'; {hint}")
    parts: dict[str, Any] = {}
    made = _bundled(_read(name), name, parts)
    return {**made, "$defs": dict(sorted(parts.items()))} if parts else made


def _bundled(value: Any, file: str, parts: dict[str, Any]) -> Any:
    """Return a schema whose references are to `parts`, into which what they name is put."""
    if isinstance(value, list):
        return [_bundled(one, file, parts) for one in value]
    if not isinstance(value, dict):
        return value
    made = {key: _bundled(one, file, parts) for key, one in value.items() if key != _REFERENCE}
    if _REFERENCE in value:
        target, _, place = value[_REFERENCE].partition("#/$defs/")
        target = target.removesuffix(".json") or file
        key = place or target
        if key not in parts:
            parts[key] = {}  # named before it is read, as it may refer to itself
            found = _read(target)["$defs"][place] if place else _read(target)
            parts[key] |= _bundled(
                {k: v for k, v in found.items() if k != "$schema"}, target, parts
            )
        made[_REFERENCE] = f"#/$defs/{key}"
    return made


@cache
def _read(name: str) -> dict[str, Any]:
    return json.loads(_folder().joinpath(f"{name}.json").read_text(encoding="utf-8"))


def _folder() -> Any:
    return files(__package__).joinpath(_FOLDER)
