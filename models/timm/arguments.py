"""Arguments of timm's `create_model`, taken one by one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ...errors import UserError
from ..checks import shown


class Arguments:
    """Arguments by name; each is taken once, and none may be left. Errors name the model."""

    def __init__(self, model: str, given: Mapping[str, Any]) -> None:
        self._model = model
        self._left = dict(given)

    def get(self, name: str, default: Any = None) -> Any:
        """Take an argument; None counts as not given."""
        value = self._left.pop(name, None)
        return default if value is None else value

    def ignore(self, *names: str) -> None:
        """Take what changes nothing."""
        for name in names:
            self._left.pop(name, None)

    def number(self, name: str, default: int) -> int:
        """Take a whole number."""
        value = self.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(name, value, "a whole number")
        return value

    def ratio(self, name: str, default: float) -> float:
        """Take a number above 0."""
        value = self.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1e6:
            raise self._wrong(name, value, "a number above 0")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Take true or false."""
        value = self.get(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, value, "true or false")
        return value

    def side(self, name: str, default: int) -> int:
        """Take the side of a square, given as a number or as two equal ones."""
        value = self.get(name, default)
        if isinstance(value, list | tuple) and len(value) == 2 and value[0] == value[1]:
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(name, value, "one whole number, the side of a square")
        return value

    def numbers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Take a list of whole numbers."""
        value = self.get(name, default)
        if not isinstance(value, list | tuple) or not all(type(one) is int for one in value):
            raise self._wrong(name, value, "a list of whole numbers")
        return tuple(value)

    def one_of(self, name: str, default: str, known: Collection[str]) -> str:
        """Take a word."""
        value = self.get(name, default)
        if not isinstance(value, str) or value not in known:
            raise self._wrong(name, value, f"one of {', '.join(known)} for vitprof")
        return value

    def refuse_others(self) -> None:
        """Raise UserError for an argument that nobody took and that is not None."""
        left = [name for name, value in self._left.items() if value is not None]
        if left:
            raise UserError(
                f"{self._model}: vitprof cannot follow timm's argument '{left[0]}'="
                f"{shown(self._left[left[0]])}; omit it."
            )

    def _wrong(self, name: str, value: object, wanted: str) -> UserError:
        return UserError(
            f"{self._model}: timm's argument '{name}'={shown(value)} must be {wanted}."
        )
