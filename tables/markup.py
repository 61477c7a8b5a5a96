"""Rows as CSV, Markdown or LaTeX, in which no text can be a formula, a tag or a command."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ..shown import csv_cell

# What a cell says where nothing is known; CSV leaves it empty.
UNKNOWN = "-"
_MARKDOWN = "\\`*_[]<>|~"
# What TeX would read as more than a character. "*" and "[" are so after the "\\" of a row before.
_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    **{sign: f"\\{sign}" for sign in "&%$#_"},
}
# The letters of Latin-1 that need a font encoding beyond the standard one.
_NOT_IN_OT1 = "ÐÞðþ"


def as_csv(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the rows as CSV; a text that a spreadsheet would run gets an apostrophe before it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_csv_cell(cell) for cell in row] for row in (columns, *rows))
    return text.getvalue()


def as_markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table: the first column is text, the others are numbers."""
    lines = [columns, ("---", *["---:"] * (len(columns) - 1))]
    escaped = [[_markdown(cell) for cell in row] for row in rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in (*lines, *escaped))


def as_latex(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a tabular of the package booktabs: the first column is text, the others numbers."""
    lines = [
        rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
        r"\toprule",
        " & ".join(map(_tex, columns)) + r" \\",
        r"\midrule",
        *(" & ".join(map(_tex, row)) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _csv_cell(text: str) -> str:
    return "" if text == UNKNOWN else csv_cell(text)


def _markdown(text: str) -> str:
    printable = "".join(sign for sign in text if sign.isprintable())
    return "".join(f"\\{sign}" if sign in _MARKDOWN else sign for sign in printable)


def _tex(text: str) -> str:
    """Return a text that TeX prints as it is; a letter that pdflatex lacks becomes "?"."""
    return "".join(_TEX.get(sign, _typeset(sign)) for sign in text if sign.isprintable())


def _typeset(sign: str) -> str:
    known = sign.isascii() or ("À" <= sign <= "ÿ" and sign not in _NOT_IN_OT1)
    return {"×": "x", "÷": "/"}.get(sign, sign if known else "?")
