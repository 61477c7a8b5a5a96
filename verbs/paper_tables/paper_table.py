"""A table as a paper prints it, and its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import UserError, did_you_mean
from ...tables.export import in_digits
from ...tables.markup import UNKNOWN, as_csv, as_latex, as_markdown
from ..report_page.from_json import number_in

WRITERS = {"csv": as_csv, "markdown": as_markdown, "latex": as_latex}
# By the ending of a file's name.
SUFFIXES = {".csv": "csv", ".md": "markdown", ".tex": "latex"}


@dataclass(frozen=True)
class PaperTable:
    """Headings, and rows of texts under them; "-" where nothing is known."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def written(self, file_format: str) -> str:
        """Return it as "csv", "markdown" or "latex"; UserError for another format."""
        if file_format not in WRITERS:
            raise UserError(
                f"a result cannot be written as '{file_format}'"
                f"{did_you_mean(file_format, WRITERS)}; `format` is {', '.join(WRITERS)}."
            )
        return WRITERS[file_format](self.columns, self.rows)

    def without_unknown(self) -> PaperTable:
        """Return it without the columns in which nothing is known."""
        kept = [
            place
            for place in range(len(self.columns))
            if place == 0 or any(row[place] != UNKNOWN for row in self.rows)
        ]
        return PaperTable(
            [self.columns[place] for place in kept],
            [[row[place] for place in kept] for row in self.rows],
        )


def millions(values: Mapping[str, Any], name: str) -> str:
    return _scaled(values, name, 1e-6, ".3g")


def billions(values: Mapping[str, Any], name: str) -> str:
    return _scaled(values, name, 1e-9, ".3g")


def mebibytes(values: Mapping[str, Any], name: str) -> str:
    return _scaled(values, name, 1 / 2**20, ".1f")


def percent(values: Mapping[str, Any], name: str) -> str:
    """Return a share from 0 to 1 in per cent."""
    return _scaled(values, name, 100, ".2f")


def in_ms(values: Mapping[str, Any], *names: str) -> str:
    """Return the first of these latencies that is known."""
    value = number_in(values, *names)
    return UNKNOWN if value is None else in_digits(value)


def times(one: float | None, other: float | None) -> str:
    """Return how many times as large one is as the other, with two places."""
    return UNKNOWN if not one or not other else f"{one / other:.2f}"


def _scaled(values: Mapping[str, Any], name: str, factor: float, digits: str) -> str:
    value = number_in(values, name)
    return UNKNOWN if value is None else f"{factor * value:{digits}}"
