"""Results that are lines and a picture: as CSV, and as a folder with all of one."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

from ..atomic_write import made_folder, write_atomically
from ..results import Result, plain
from ..shown import csv_cell


class LinesResult(Result):
    """Base of results with lines: a subclass gives `to_csv`, and the `file_name` of its files."""

    file_name: ClassVar[str]

    @abstractmethod
    def to_csv(self) -> str:
        """Return the lines as CSV."""

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the lines (.csv), the picture (.png) and report.json into a folder.

        Raises UserError where it cannot be written.
        """
        place = made_folder(folder)
        write_atomically(place / f"{self.file_name}.csv", self.to_csv())
        self.plot(place / f"{self.file_name}.png")
        report = json.dumps(plain(self.report()), indent=2, ensure_ascii=False)
        write_atomically(place / "report.json", report + "\n")


def csv_text(columns: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Return CSV: numbers with six digits, a NaN as an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in line] for line in lines)
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return csv_cell(value) if isinstance(value, str) else value
