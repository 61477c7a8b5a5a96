"""What every verb returns: an object that shows itself on a terminal and in a notebook."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Rows that a notebook shows before it cuts.
MOST_ROWS = 60


class Result:
    """Base of results. A subclass gives `to_frame`, and where it makes sense `figure` and `save`.

    `title` is one line that says what the result is of; `report` is what `--json` prints.
    """

    if TYPE_CHECKING:

        @property
        def title(self) -> str: ...

    def report(self) -> dict[str, Any]:
        """Return the result as JSON values, with the keys that the command's --json prints."""
        raise NotImplementedError

    def to_frame(self) -> pd.DataFrame:
        """Return the result as a table; units are in the column names."""
        raise NotImplementedError

    def figure(self) -> Figure:
        """Return the picture as a matplotlib figure."""
        raise NotImplementedError(f"{type(self).__name__} has no picture")

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw the picture; with a path (.png, .svg, .pdf) write it there too."""
        made = self.figure()
        if path is not None:
            made.savefig(Path(path))
        return made

    def __repr__(self) -> str:
        return f"{self.title}\n{self.to_frame().to_string(max_rows=MOST_ROWS)}"

    def _repr_html_(self) -> str:
        from html import escape

        table = self.to_frame().to_html(max_rows=MOST_ROWS, border=0, escape=True)
        return f"<p><b>{escape(self.title)}</b></p>{table}"
