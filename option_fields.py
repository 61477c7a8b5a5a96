"""Options defined once: fields of a frozen dataclass, which Python and the command line both take.

    @dataclass(frozen=True)
    class Options:
        every: int = option(10, "steps between two removals", at_least=1)
        score: Literal["taylor", "random"] = option("taylor", "what importance is")

A field's type says what is taken: int, float, bool, str, Path, a Literal of choices, one of these
or None, or `float | Literal["auto"]`: a number or a word. A number may be given as text.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from .errors import UserError, did_you_mean

T = TypeVar("T")
_KINDS = (int, float, bool, str, Path)


def option(
    default: Any,
    help: str,  # noqa: A002
    *,
    at_least: float | None = None,
    above: float | None = None,
    spelling: str | None = None,
    old: tuple[str, ...] = (),
    shown: str | None = None,
) -> Any:
    """Return a dataclass field that is an option.

    help: what it is, without a full stop; other options in backticks. at_least, above: bounds of a
    number. spelling, old: what the command line calls it where that is not the field's name, and
    names that it had before. shown: the default in words.
    """
    about = {
        "help": help,
        "at_least": at_least,
        "above": above,
        "spelling": spelling,
        "old": old,
        "shown": shown,
    }
    return dataclasses.field(default=default, metadata=about)


@dataclass(frozen=True)
class OptionField:
    """One option: its type, default and bounds.

    choices: what it is one of, () where it is free; of a number, the words that may stand for it.
    """

    name: str
    kind: type
    may_be_none: bool
    choices: tuple[str, ...]
    default: Any
    help: str
    at_least: float | None
    above: float | None
    spelling: str | None
    old: tuple[str, ...]
    shown: str | None

    def taken(self, value: Any) -> Any:
        """Return the value in the field's type; raises UserError, naming it, for another one."""
        if value is None and self.may_be_none:
            return None
        if value in self.choices:
            return value
        if self.kind is str and self.choices:
            known = did_you_mean(str(value), self.choices)
            raise UserError(f"`{self.name}` {value} is none of its choices{known}.")
        if self.kind in (int, float) and isinstance(value, str):
            with contextlib.suppress(ValueError):
                value = self.kind(value)
        if not self._is_of_kind(value):
            either = f"neither {' nor '.join(self.choices)} nor" if self.choices else "not"
            raise UserError(f"`{self.name}` {value} is {either} {self._in_words()}.")
        return self.kind(value)

    def _is_of_kind(self, value: Any) -> bool:
        if isinstance(value, bool) or self.kind is bool:
            return isinstance(value, bool) and self.kind is bool
        if self.kind in (str, Path):
            return isinstance(value, (str, self.kind))
        return (
            isinstance(value, int if self.kind is int else (int, float))
            and math.isfinite(value)
            and (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
        )

    def _in_words(self) -> str:
        words = {
            int: "a whole number",
            float: "a number",
            bool: "True or False",
            str: "a text",
            Path: "a path",
        }[self.kind]
        if self.at_least is not None:
            return f"{words} from {self.at_least:g} on"
        return words if self.above is None else f"{words} above {self.above:g}"


def option_fields(options: type) -> list[OptionField]:
    """Return the options that a dataclass has; raises TypeError for a type that none can have."""
    types_of = typing.get_type_hints(options)
    found = []
    for field in dataclasses.fields(options):
        kind, may_be_none, choices = _read(types_of[field.name])
        if "help" not in field.metadata or kind not in _KINDS:
            raise TypeError(f"{options.__name__}.{field.name} is not an option() of a known type")
        found.append(
            OptionField(field.name, kind, may_be_none, choices, field.default, **field.metadata)
        )
    return found


def _read(hint: Any) -> tuple[Any, bool, tuple[str, ...]]:
    """Return a type hint's type, whether None is allowed, and the words of a Literal."""
    parts = [hint]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        parts = list(typing.get_args(hint))
    words: tuple[str, ...] = ()
    for part in parts:
        if typing.get_origin(part) is Literal:
            words += typing.get_args(part)
    kinds = [p for p in parts if p is not type(None) and typing.get_origin(p) is not Literal]
    return (kinds[0] if kinds else str), type(None) in parts, words


def taken_options(options: type[T], given: Mapping[str, Any]) -> T:
    """Return the dataclass with what is given, checked; raises UserError naming what is wrong."""
    fields = {field.name: field for field in option_fields(options)}
    return options(**{name: fields[name].taken(value) for name, value in given.items()})


def changed_options(options: Any) -> dict[str, Any]:
    """Return those that are not their default."""
    return {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(options)
        if getattr(options, field.name) != field.default
    }
