"""Text from outside, as it is shown."""

from __future__ import annotations

import pytest
from vitprof.shown import csv_cell, lines, one_line, shown


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("deit-tiny é 漢 😀", "deit-tiny é 漢 😀"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nFAKE\r", "a\\nFAKE\\r"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("\u2028\x85\x9b", "\\u2028\\x85\\x9b"),
        ("half \ud800", "half \\ud800"),
        ("5\N{NO-BREAK SPACE}ms", "5 ms"),
    ],
)
def test_one_line_shows_what_is_not_printed(text: str, seen: str) -> None:
    assert one_line(text) == seen
    assert one_line(text).isprintable()


def test_lines_keep_ends_and_tabs_alone() -> None:
    assert lines("a\n\tb\x1b[0m\r") == "a\n\tb\\x1b[0m\\r"


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\tx", "\r=1"])
def test_what_may_be_a_formula_is_marked_as_text(text: str) -> None:
    assert csv_cell(text) == "'" + text


@pytest.mark.parametrize("text", ["", "-", "-1.5", "+3e-4", "-12%", "deit-tiny", "a=b", "1,5"])
def test_what_is_none_stays(text: str) -> None:
    assert csv_cell(text) == text


def test_a_value_is_shown_as_python_writes_it() -> None:
    assert shown("a\n\u202e") == "'a\\n\\u202e'"
    assert shown("x" * 100).endswith("…")
    assert shown(10**5000) == "a number of thousands of digits"
