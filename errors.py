"""The one exception a user may cause, and the 'did you mean' that goes into its sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user gave is wrong.

    The message is one sentence: what is wrong (with file, line, value), why, and what to do next.
    The command line prints it on stderr without a traceback and exits with code 2.
    """


LONGEST_LIST = 350


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" for the nearest known word, or the list of known ones.

    A list that is too long for a sentence is left out.
    """
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return f" (did you mean '{near[0]}'?)"
    listed = ", ".join(known)
    return f" (known: {listed})" if 0 < len(listed) <= LONGEST_LIST else ""
