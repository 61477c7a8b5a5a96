"""Check every JSON object that a test sees a command print; a key without a schema is a fault."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from vitprof.cli.command_list import COMMANDS
from vitprof.verbs.schema import schema

# Commands that --json is one of several formats of, or whose object is not an answer of vitprof's.
WITHOUT_SCHEMA = {("models", "--model")}
REFUSED = 2
NOT_BEGUN = 75


def check_printed(arguments: Sequence[str], code: int, out: str) -> None:
    """Validate what a command line printed, where that is JSON; AssertionError says what is wrong.

    Nothing is printed where vitprof refuses, or is interrupted before there is an answer.
    """
    if "--json" not in arguments or code in (REFUSED, NOT_BEGUN) or not out.strip():
        return
    words = list(arguments)
    while words and words[0] not in COMMANDS:
        words.pop(0)
    if not words or any((words[0], word) in WITHOUT_SCHEMA for word in words):
        return
    name = f"table-{words[1]}" if words[0] == "table" else words[0]
    check(name, json.loads(out))


def check(name: str, value: Any) -> None:
    """Validate a value against a shipped schema that allows no further keys."""
    error = best_match(_validator(name).iter_errors(value))
    if error is not None:
        place = "/".join(map(str, error.absolute_path)) or "the object"
        raise AssertionError(f"{name}: {place}: {error.message[:500]}")


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(closed(schema(name)))


def closed(value: Any) -> Any:
    """Return a schema whose objects have no properties but those listed, unless it says so."""
    if isinstance(value, list):
        return [closed(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {key: closed(one) for key, one in value.items()}
    if isinstance(value.get("properties"), dict) and value.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made
