"""What other wheels add to vitprof, by entry points: families, backends, devices, methods.

An entry point names an object with a `name`, which is the entry point's, and an `api`, the version
of this agreement that it was made for. One that cannot be used is left out with a warning of one
sentence. Nothing is looked up at `import vitprof`: a plug-in is imported when its name is asked for
or when all are listed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar

from .errors import UserError
from .notes import warn

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

API_VERSION = 1

T = TypeVar("T")


def _fine(_: object) -> None:
    pass


@dataclass(frozen=True)
class PluginGroup(Generic[T]):
    """The plug-ins of one entry point group, e.g. "vitprof.families".

    kind: the class that each is an instance of; noun: what one is called in a message; built_in:
    the names that vitprof has itself, which none may take; check: raises UserError, saying why, for
    one that cannot be used for another reason.
    """

    group: str
    kind: type[T]
    noun: str
    built_in: tuple[str, ...]
    check: Callable[[T], None] = _fine

    def names(self) -> list[str]:
        """Return the names of all plug-ins, without importing any."""
        return list(_found(self, _path()))

    def find(self, name: str) -> T | None:
        """Return the plug-in of this name; None, with a warning once, for one that is unfit."""
        return None if name in self.built_in else _usable(self, name, _path())

    def all(self) -> dict[str, T]:
        """Return every plug-in that can be used, by name; with a warning for each of the others."""
        usable = {name: self.find(name) for name in self.names()}
        return {name: plugin for name, plugin in usable.items() if plugin is not None}

    def load(self, name: str) -> T:
        """Return the plug-in of this name; raises UserError where it is none or cannot be used."""
        entry = _found(self, _path()).get(name)
        if entry is None:
            raise UserError(f"no installed wheel has a {self.noun} '{name}'.")
        try:
            return self._checked(entry)
        except UserError as error:
            raise UserError(_left_out(self.noun, entry, str(error))) from error

    def _checked(self, entry: EntryPoint) -> T:
        try:
            plugin = entry.load()
        except (Exception, SystemExit) as error:  # it is another's code, and may do anything
            raise UserError(f"'{entry.value}' cannot be imported ({in_short(error)})") from error
        if not isinstance(plugin, self.kind):
            raise UserError(f"'{entry.value}' is not a {self.kind.__name__}")
        name, api = getattr(plugin, "name", None), getattr(plugin, "api", None)
        if api != API_VERSION:
            raise UserError(
                f"it was made for version {api} of vitprof's plug-ins, and this is {API_VERSION}"
            )
        if name != entry.name:
            raise UserError(f"it calls itself '{name}'")
        try:
            self.check(plugin)
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"looking into it fails ({in_short(error)})") from error
        return plugin


def in_short(error: BaseException) -> str:
    """Return an error of another's code as it stands in a sentence."""
    return f"{type(error).__name__}: {error}".splitlines()[0].rstrip(". ")


def _path() -> tuple[str, ...]:
    """Where wheels are looked for; what was found holds as long as this stays the same."""
    return tuple(sys.path)


@lru_cache(maxsize=64)
def _found(group: PluginGroup[T], path: tuple[str, ...]) -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group.group):
        if entry.name in group.built_in:
            warn(_left_out(group.noun, entry, f"vitprof has a {group.noun} of this name itself"))
        elif entry.name not in found:
            found[entry.name] = entry
        elif entry.value != found[entry.name].value:
            other = _wheel(found[entry.name])
            warn(_left_out(group.noun, entry, f"{other} has one of this name too"))
    return found


@lru_cache(maxsize=256)
def _usable(group: PluginGroup[T], name: str, path: tuple[str, ...]) -> T | None:
    if name not in _found(group, path):
        return None
    try:
        return group.load(name)
    except UserError as error:
        warn(str(error))
        return None


def _left_out(noun: str, entry: EntryPoint, reason: str) -> str:
    return f"the {noun} '{entry.name}' of {_wheel(entry)} is left out: {reason.rstrip('.')}."


def _wheel(entry: EntryPoint) -> str:
    return f"the wheel '{entry.dist.name}'" if entry.dist else "a wheel"
