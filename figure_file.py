"""Write a matplotlib figure whole or not at all, its words as they are."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from .atomic_write import write_atomically
from .errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_figure(figure: Figure, path: str | Path, dpi: float) -> None:
    """Write the figure in the format of the path's suffix (.png, .svg, .pdf; none: png).

    Raises UserError for another format, and where the place cannot be written.
    """
    as_words(figure)
    drawn = io.BytesIO()
    try:
        figure.savefig(drawn, dpi=dpi, format=Path(path).suffix.lstrip(".").lower() or "png")
    except ValueError as error:
        raise UserError(f"the picture {path} cannot be written: {error}.") from None
    write_atomically(path, drawn.getvalue())


def as_words(figure: Figure) -> Figure:
    """Return the figure with its texts drawn as they are: a name from outside is not a formula.

    matplotlib reads what stands between two `$` as mathematics.
    """
    from matplotlib.text import Text
    from matplotlib.ticker import LogFormatter

    powers: set[Text] = set()  # 10^2 at a logarithmic axis is a formula of matplotlib's own
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_formatter(), LogFormatter):
                powers.update(axis.get_ticklabels())
            if isinstance(axis.get_minor_formatter(), LogFormatter):
                powers.update(axis.get_ticklabels(minor=True))
    for text in figure.findobj(Text):
        if text not in powers:
            text.set_parse_math(False)
    return figure
