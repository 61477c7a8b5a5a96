"""How a training went: loss, learning rate and accuracy over its steps, as a file and a picture."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from .loop import Progress

HISTORY = "history.csv"
COLUMNS = ("stage", "step", "epoch", "learning_rate", "loss", "top1")
# So many rows of a stage at most, besides those with an accuracy: the file of a run of 300 epochs
# of ImageNet has 100 KB.
ROWS = 1000


@dataclass(frozen=True)
class HistoryRow:
    """A stage ("training", "pruning", "finetuning 0.5x") after `step` steps.

    loss: the running mean; top1: share of the test images that the model is right on, None where it
    was not tested.
    """

    stage: str
    step: int
    epoch: float
    learning_rate: float
    loss: float
    top1: float | None = None


class History:
    """The rows of a run, in the order of its steps."""

    def __init__(self, rows: Iterable[HistoryRow] = ()) -> None:
        self.rows = list(rows)

    def add(
        self,
        stage: str,
        progress: Progress,
        steps: int,
        steps_an_epoch: int,
        top1: float | None = None,
    ) -> None:
        """Take in a step of `steps`; it gets a row if it is tested, the last, or one of `ROWS`."""
        every = max(math.ceil(steps / ROWS), 1)
        if progress.step % every and progress.step != steps and top1 is None:
            return
        epoch = progress.step / steps_an_epoch
        self.rows.append(
            HistoryRow(stage, progress.step, epoch, progress.learning_rate, progress.loss, top1)
        )

    def tested(self, stage: str, top1: float) -> None:
        """Note the accuracy after the last step of a stage."""
        for place in reversed(range(len(self.rows))):
            if self.rows[place].stage == stage:
                self.rows[place] = replace(self.rows[place], top1=top1)
                return

    def state(self) -> list[list[Any]]:
        """Return the rows as plain values."""
        return [list(vars(row).values()) for row in self.rows]

    @classmethod
    def from_state(cls, state: Sequence[Sequence[Any]]) -> History:
        """Return the history of what `state` returned.

        Raises TypeError or ValueError for anything else.
        """
        return cls(_row(*values) for values in state)

    def to_csv(self) -> str:
        """Return the text of history.csv: a header and a row each, an unknown top1 empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in self.rows:
            top1 = "" if row.top1 is None else f"{row.top1:.6g}"
            numbers = (f"{row.epoch:.6g}", f"{row.learning_rate:.6g}", f"{row.loss:.6g}")
            writer.writerow((row.stage, row.step, *numbers, top1))
        return text.getvalue()


def _row(stage: Any, step: Any, epoch: Any, learning_rate: Any, loss: Any, top1: Any) -> HistoryRow:
    """Return a row of values out of a file."""
    numbers = (float(epoch), float(learning_rate), float(loss))
    return HistoryRow(str(stage), int(step), *numbers, None if top1 is None else float(top1))


def history_curves(rows: Iterable[HistoryRow]) -> list[tuple[int, dict[str, float]]]:
    """Return the rows for `Result.curves`: "training/loss", "training/learning_rate", ..."""
    curves = []
    for row in rows:
        values = {"epoch": row.epoch, "learning_rate": row.learning_rate, "loss": row.loss}
        if row.top1 is not None:
            values["top1"] = row.top1
        curves.append((row.step, {f"{row.stage}/{name}": v for name, v in values.items()}))
    return curves


def history_frame(rows: Sequence[HistoryRow]) -> pd.DataFrame:
    """Return the rows as a table with `COLUMNS`; an unknown top1 is NaN."""
    import pandas as pd

    frame = pd.DataFrame([vars(row) for row in rows], columns=list(COLUMNS))
    return frame.astype({"top1": float})


def history_figure(rows: Sequence[HistoryRow], title: str) -> Figure:
    """Draw the loss over the epochs, and below it the accuracies if the model was tested."""
    from matplotlib.figure import Figure

    frame = history_frame(rows)
    tests = frame.dropna(subset="top1")
    figure = Figure(figsize=(6.4, 4 if len(tests) < 2 else 5.6), layout="constrained")
    loss_axes, *top1_axes = figure.subplots(1 if len(tests) < 2 else 2, squeeze=False, sharex=True)
    axes = loss_axes[0]
    axes.plot(frame["epoch"], frame["loss"])
    axes.set(ylabel="loss, running mean", title=title)
    for (below,) in top1_axes:
        below.plot(tests["epoch"], 100 * tests["top1"], "o-", markersize=3)
        below.set(ylabel="top-1 of the test images, %")
        axes = below
    axes.set(xlabel="epoch")
    for each in figure.axes:
        each.grid(True, alpha=0.3)
    return figure
