"""The one place that makes text from outside fit to be shown.

A name, a path or a value of somebody's file may hold what moves a terminal's cursor, turns the
direction of writing, begins a line of its own, or is a formula to a spreadsheet. Here it becomes
what it is: signs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection"), and the sign that
# makes it a text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?%?")
_AS_TEXT = "'"


_LONGEST_SHOWN = 60


def shown(value: object) -> str:
    """Return `value` as a message shows it: its repr, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to print an int of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"


def one_line(text: str) -> str:
    r"""Return a text on one line, each sign that is not printed as Python escapes it (`\x1b`).

    Those are control characters, line ends, signs that turn the direction or have no width, and
    lone halves of a UTF-16 pair.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def lines(text: str) -> str:
    """Do the same, but for line ends and tabs: of what vitprof itself lays out in lines."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def csv_cell(text: str) -> str:
    """Return a cell that no spreadsheet computes: before what may be a formula stands a `'`."""
    begins = text.startswith(_FORMULA) and len(text) > 1 and not _NUMBER.fullmatch(text)
    return _AS_TEXT + text if begins else text


def csv_line(values: Iterable[object]) -> list[object]:
    """Return a line for a CSV file, its texts as `csv_cell` has them."""
    return [csv_cell(value) if isinstance(value, str) else value for value in values]


def csv_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table for a CSV file, its texts as `csv_cell` has them."""
    return frame.map(lambda value: csv_cell(value) if isinstance(value, str) else value)


def _escaped(character: str) -> str:
    if character == "\N{NO-BREAK SPACE}":
        return " "
    return character.encode("unicode_escape").decode("ascii")
