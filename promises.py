"""Promises that a plug-in makes, each checked by itself: kept, broken and why, or not checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from .plugins import in_short

Case = TypeVar("Case")
Answer = Literal["ok", "broken", "not checked"]


class BrokenPromiseError(Exception):
    """A promise is not kept; the text says how."""


class UncheckedError(Exception):
    """A promise cannot be checked here; the text says why."""


@dataclass(frozen=True)
class Checked:
    """What came of one promise; `why` is empty where it is kept."""

    promise: str
    answer: Answer
    why: str = ""


class Promises(Generic[Case]):
    """The promises of one kind of plug-in, in the order they are checked.

    A case is what the checks share: `@promises("what is promised")` above a function of one.
    """

    def __init__(self) -> None:
        self._checks: dict[str, Callable[[Case], None]] = {}

    def __call__(self, promise: str) -> Callable[[Callable[[Case], None]], Callable[[Case], None]]:
        def add(check: Callable[[Case], None]) -> Callable[[Case], None]:
            self._checks[promise] = check
            return check

        return add

    def checked(self, case: Case) -> Iterator[Checked]:
        """Check one promise after the other; any exception of a check says why it is broken."""
        for promise, check in self._checks.items():
            yield _answer(promise, check, case)


def _answer(promise: str, check: Callable[[Case], None], case: Case) -> Checked:
    try:
        check(case)
    except UncheckedError as error:
        return Checked(promise, "not checked", str(error))
    except BrokenPromiseError as error:
        return Checked(promise, "broken", str(error))
    except Exception as error:  # it is another's code, and may do anything
        return Checked(promise, "broken", in_short(error))
    return Checked(promise, "ok")


def demand(kept: object, otherwise: str) -> None:
    """Raise BrokenPromiseError with these words unless what is promised is kept."""
    if not kept:
        raise BrokenPromiseError(otherwise)


def demand_sentence(value: object, of_what: str) -> None:
    """Raise BrokenPromiseError unless the value is None or one sentence."""
    fine = value is None or (isinstance(value, str) and value.strip() and "\n" not in value)
    demand(fine, f"{of_what} is {value!r:.80}, neither None nor one sentence")


def demand_error(kind: type[Exception], call: Callable[[], object], of_what: str) -> None:
    """Raise BrokenPromiseError unless calling raises an error of this kind."""
    try:
        call()
    except kind:
        return
    except Exception as error:
        raise BrokenPromiseError(
            f"{of_what} raises {in_short(error)}, not a {kind.__name__}"
        ) from error
    raise BrokenPromiseError(f"{of_what} raises nothing, not a {kind.__name__}")
