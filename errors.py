"""What a user may cause, and the 'did you mean' that goes into its sentence."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable

from .shown import one_line

_PARAMETER = re.compile(r"`([a-z_][a-z0-9_]*)`")


class _Shown(Exception):  # noqa: N818 - what errors have in common, raised by nobody
    """An error whose text is printable.

    Names and values from outside may be in it, and a notebook or a log prints it as it is: what is
    not printable is escaped (`shown.one_line`).
    """

    def __str__(self) -> str:
        return one_line(super().__str__())


class UserError(_Shown):
    """Something the user gave is wrong.

    The message is one sentence: what is wrong (with file, line, value), why, and what to do next.
    The command line prints it on stderr without a traceback and exits with code 2.

    A parameter of a verb is named in backticks, as Python spells it: "`max_latency` is 0". That
    reads as it is in a notebook; the command line puts its own option in its place.
    """

    def worded(self, spelling: Callable[[str], str]) -> str:
        """Return the sentence with each `parameter` as `spelling(parameter)` writes it."""
        return _PARAMETER.sub(lambda match: spelling(match[1]), str(self))


class MissingExtraError(UserError):
    """A library is not installed that one of vitprof's extras brings.

    why: what cannot be done, up to a colon: "NSGA-II needs pymoo, which is not installed:".
    """

    def __init__(self, extra: str, why: str) -> None:
        self.extra = extra
        super().__init__(
            f"{why} pip install 'vitprof[{extra}]' (from a checkout: pip install '.[{extra}]')."
        )


class NotOnThisMachineError(UserError):
    """The machine lacks what was asked for (a precision of its processor); another may have it."""


class DeviceBusyError(UserError):
    """Another process measures on the device that is wanted; nothing was begun."""


class UnfinishedError(_Shown):
    """Long work cannot go on now; what is done is kept, and the same call continues from there.

    `done` and `missing` are numbers of its parts.
    """

    def __init__(self, message: str, *, done: int, missing: int) -> None:
        super().__init__(message)
        self.done = done
        self.missing = missing


LONGEST_LIST = 350


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" for the nearest known word, or the list of known ones.

    A word that is like none of them gets the list: a wrong guess misleads. A list that is too long
    for a sentence is left out.
    """
    known = sorted(known)
    # Of three letters or fewer one may differ: t5 and t4.
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6 if len(word) > 3 else 0.5)
    if near:
        return f" (did you mean '{near[0]}'?)"
    listed = ", ".join(known)
    return f" (known: {listed})" if 0 < len(listed) <= LONGEST_LIST else ""
