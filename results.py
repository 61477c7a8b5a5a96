"""What every verb returns: an object that shows itself on a terminal and in a notebook."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Numbers by their names after a step.
Curve = tuple[int, Mapping[str, float]]
# Rows that a notebook shows before it cuts.
MOST_ROWS = 60
PICTURE_DPI = 130


class Result(ABC):
    """Base of results. A subclass gives `to_frame`, and where it makes sense `figure` and `save`.

    `title` is one line that says what the result is of; `report` is what `--json` prints.
    """

    if TYPE_CHECKING:

        @property
        def title(self) -> str: ...

    def __init_subclass__(cls, **others: Any) -> None:
        """Keep this class's repr where @dataclass would write one of its own."""
        super().__init_subclass__(**others)
        cls.__repr__ = cls.__repr__  # type: ignore[method-assign]

    @property
    def is_doubtful(self) -> bool:
        """Whether something is wrong with what was measured; the command's exit code is 1 then."""
        return False

    @abstractmethod
    def report(self) -> dict[str, Any]:
        """Return the result as JSON values, with the keys that the command's --json prints."""

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """Return the result as a table; units are in the column names."""

    def curves(self) -> Sequence[Curve]:
        """Return numbers that changed over the steps of the work; none where there were no steps.

        Experiment trackers draw them.
        """
        return ()

    def figure(self) -> Figure:
        """Return the picture as a matplotlib figure; raises UserError where there is none."""
        raise UserError(f"a {type(self).__name__} has no picture; take to_frame().")

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw the picture; with a path (.png, .svg, .pdf) write it there too.

        Raises UserError when it cannot be written.
        """
        from .figure_file import as_words, write_figure

        made = as_words(self.figure())
        if path is not None:
            write_figure(made, Path(path), PICTURE_DPI)
        return made

    def __repr__(self) -> str:
        return f"{self.title}\n{self.to_frame().to_string(max_rows=MOST_ROWS)}"

    def _repr_html_(self) -> str:
        from html import escape

        table = self.to_frame().to_html(max_rows=MOST_ROWS, border=0, escape=True)
        return f"<p><b>{escape(self.title)}</b></p>{table}"


def plain(value: Any) -> Any:
    """Return a value as JSON has it: numbers rounded to six places, a NaN as None."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
