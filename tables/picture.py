"""What every picture shares: readable logarithmic axes, a title with the setting, saving."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..figure_file import write_figure
from .setting import Setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def save_picture(figure: Figure, title: Setting | str, path: str | Path) -> None:
    """Title the figure, write it (png, svg, pdf by the suffix) and close it.

    Raises UserError when it cannot be written.
    """
    import matplotlib.pyplot as plt

    titled(figure, title)
    try:
        write_figure(figure, path, dpi=130)
    finally:
        plt.close(figure)


def titled(figure: Figure, title: Setting | str) -> Figure:
    """Return the figure with a title: a text, or the setting that all of it was measured under."""
    figure.suptitle(title if isinstance(title, str) else setting_in_words(title))
    return figure


def setting_in_words(setting: Setting) -> str:
    """Return "cpu: onnxruntime, fp32, batch 1, 1 thread"."""
    return (
        f"{setting.device}: {setting.backend}, {setting.dtype}, batch {setting.batch}, "
        f"{threads_in_words(setting.threads)}"
    )


def threads_in_words(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def logarithmic(axes: Axes, x: Sequence[float], y: Sequence[float]) -> None:
    """Make both axes logarithmic, with plain numbers at 1, 2 and 5 where there is room."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis, values, scale in (
        (axes.xaxis, x, axes.set_xscale),
        (axes.yaxis, y, axes.set_yscale),
    ):
        scale("log")
        narrow = len(values) and max(values) / min(values) < 30
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(True, which="major", alpha=0.3)
