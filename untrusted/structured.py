"""JSON, TOML and YAML whose size, depth and number of values are looked at before they are built.

Nothing is executed; a key that appears twice, NaN and Infinity are refused; all text can be written
as UTF-8.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from typing import Any, NoReturn

from ..errors import UserError
from ..shown import shown
from .limits import DEPTH, ITEMS

# tomllib takes time with the square of a key's parts, and of the tables that a header opens.
LONGEST_TOML_KEY = 16
_TOML_SIGNS = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[\w-]+|[ \t]+|#[^\n]*|.', re.DOTALL)


def json_value(text: str, source: str) -> Any:
    """Return the value of a JSON text; `source` names it in messages.

    Raises UserError naming line and column of what is not JSON, and the limit that it exceeds.
    """
    _check_brackets(text, source)
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite
        )
    except json.JSONDecodeError as error:
        raise UserError(
            f"{source}: not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}; "
            "correct it."
        ) from None
    except RecursionError:
        raise UserError(f"{source}: the JSON is nested too deeply.") from None
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    except ValueError:  # Python refuses to read an int of thousands of digits
        raise UserError(f"{source}: it holds a number of thousands of digits.") from None
    _check_encodable(text, source)
    return value


def json_object(text: str, source: str) -> dict[str, Any]:
    """Return the object of a JSON text; anything else is a UserError as well."""
    value = json_value(text, source)
    if not isinstance(value, dict):
        raise UserError(f"{source}: {shown(value)} is not a JSON object; begin it with '{{'.")
    return value


def toml_table(text: str, source: str) -> dict[str, Any]:
    """Return the tables of a TOML text; raises UserError as `json_value` does."""
    ITEMS.check(text.count("=") + text.count(","), f"{source}: the number of its values is")
    _check_brackets(text, source)
    _check_keys(text, source)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of thousands of digits too
        raise UserError(f"{source} is not valid TOML ({error}); correct it.") from None


def yaml_mapping(text: str, source: str) -> dict[Any, Any]:
    """Return the mapping of a YAML text: plain values, no tags and no aliases.

    Raises UserError naming the line of what is refused.
    """
    import yaml

    class Strict(yaml.SafeLoader):
        """Builds plain values only, and no mapping with a key twice."""

        values = 0
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            event = self.peek_event()
            line = event.start_mark.line + 1
            # An alias can make a small file a huge one; a tag builds something else than is shown.
            if isinstance(event, yaml.AliasEvent):
                raise UserError(f"{source}, line {line}: YAML aliases are not read; write it out.")
            if getattr(event, "tag", None) is not None:
                raise UserError(f"{source}, line {line}: YAML tags ('!') are not read.")
            self.values += 1
            self.depth += 1
            ITEMS.check(self.values, f"{source}: the number of its values is")
            DEPTH.check(self.depth, f"{source}, line {line}: nested too deeply: the depth is")
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key, _ in node.value:
                line = key.start_mark.line + 1
                if not isinstance(key, yaml.ScalarNode):
                    raise UserError(f"{source}, line {line}: a list or a mapping is not a key.")
                if key.value in seen:
                    raise UserError(
                        f"{source}, line {line}: the key {shown(key.value)} appears twice; "
                        "remove one."
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    try:
        values = yaml.load(text, Loader=Strict)  # noqa: S506 - a SafeLoader
    except UserError:
        raise
    except RecursionError:
        raise UserError(f"{source}: the YAML is nested too deeply.") from None
    # What else PyYAML's own constructors raise for what they cannot build: a date of month 13, a
    # sign beyond Unicode.
    except Exception as error:
        words = " ".join(str(error).split())[:200]
        raise UserError(f"{source} is not valid YAML ({words}).") from None
    if not isinstance(values, dict):
        raise UserError(f"{source}: {shown(values)} is not a mapping of keys to values.")
    return values


def _check_keys(text: str, source: str) -> None:
    """Refuse a dotted key (a.b.c) of many parts."""
    if text.count(".") < LONGEST_TOML_KEY:
        return
    dots, after_dot = 0, True
    for found in _TOML_SIGNS.finditer(text):
        sign = found[0]
        if sign == "." and not after_dot:
            dots, after_dot = dots + 1, True
            if dots >= LONGEST_TOML_KEY:
                line = text.count("\n", 0, found.start()) + 1
                raise UserError(f"{source}, line {line}: a key has over {LONGEST_TOML_KEY} parts.")
        elif sign[0] not in " \t":
            if not after_dot or not (sign[0].isalnum() or sign[0] in "\"'_-"):
                dots = 0
            after_dot = False


def _check_brackets(text: str, source: str) -> None:
    """Refuse what holds more values, or nests deeper, than the limits; strings are passed over."""
    commas = text.count(",")
    ITEMS.check(commas + text.count(":"), f"{source}: the number of its values is")
    if text.count("[") + text.count("{") <= DEPTH.most():
        return
    depth = 0
    for found in _BRACKETS.finditer(text):
        sign = found[0]
        if sign in "[{":
            depth += 1
            DEPTH.check(depth, f"{source}: nested too deeply: the depth is")
        elif sign in "]}":
            depth -= 1


_BRACKETS = re.compile(r'"(?:[^"\\\n]|\\.)*"|[\[\]{}]')


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise UserError(f"the field {shown(key)} is given twice; remove one.")
            seen.add(key)
    return found


def _refuse_constant(constant: str) -> NoReturn:
    raise UserError(f"{constant} is not a number that JSON has; replace it.")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise UserError(f"{shown(text)} is larger than any number of 64 bits; correct it.")
    return value


_LONE_HALF = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def _check_encodable(text: str, source: str) -> None:
    r"""Refuse an escape like `\ud800`, half of a sign: no file could be written with it."""
    if not _LONE_HALF.search(text):
        return
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{source}: it holds half of a sign (an escape of \\ud800 to \\udfff alone)."
        ) from None
