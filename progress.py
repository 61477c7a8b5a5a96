"""How far a long piece of work is: one signature for all of it, and a bar on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import TaskID

# Called with the stage ("finetuning"), the steps done, all steps, and further figures ("loss 1.2").
OnProgress = Callable[[str, int, int, str], None]
# What a verb takes: False shows nothing, True a bar on stderr, a function is called instead.
ProgressOption = bool | OnProgress


def no_progress(stage: str, done: int, total: int, detail: str = "") -> None:
    """Show nothing."""


@contextmanager
def shown_progress(progress: ProgressOption) -> Iterator[OnProgress]:
    """Yield what to call while work goes on: the given function, a bar's, or one that does nothing.

    The bar has a line a stage; it appears with the first call, as the input may yet be refused.
    """
    if progress is False:
        yield no_progress
    elif progress is True:
        with _bar() as update:
            yield update
    else:
        yield progress


@contextmanager
def _bar() -> Iterator[OnProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeLeft(),
    )
    bar = Progress(*columns, console=Console(stderr=True, highlight=False))
    stages: dict[str, TaskID] = {}

    def update(stage: str, done: int, total: int, detail: str = "") -> None:
        if stage not in stages:
            bar.start()
            stages[stage] = bar.add_task(stage, total=total, detail=detail)
        bar.update(stages[stage], completed=done, total=total, detail=detail)

    try:
        yield update
    finally:
        if stages:
            bar.stop()
