"""How far a long piece of work is: one signature for all of it, and a bar on stderr."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

# Called with the stage ("finetuning"), the steps done, all steps (0: nobody knows how many), and
# further figures ("loss 1.2").
OnProgress = Callable[[str, int, int, str], None]
# What a verb takes: False shows nothing, True a bar on stderr, a function is called instead.
ProgressOption = bool | OnProgress


def no_progress(stage: str, done: int, total: int, detail: str = "") -> None:
    """Show nothing."""


@contextmanager
def shown_progress(progress: ProgressOption) -> Iterator[OnProgress]:
    """Yield what to call while work goes on: the given function, a bar's, or one that does nothing.

    The bar has a line a stage; it appears with the first call, as the input may yet be refused.
    Where stderr is not a terminal there are plain lines instead (`progress_lines`).
    """
    if progress is False:
        yield no_progress
    elif progress is True:
        from rich.console import Console

        console = Console(stderr=True, highlight=False)
        if console.is_terminal:
            with _bar(console) as update:
                yield update
        else:
            from .progress_lines import progress_lines

            with progress_lines() as update:
                yield update
    else:
        yield progress


# Whether waits that no bar covers show a spinner: the command line says so, a notebook does not.
waits_are_shown: ContextVar[bool] = ContextVar("waits_are_shown", default=False)
# Whether a spinner is there already: a wait inside another one needs none of its own.
_waiting: ContextVar[bool] = ContextVar("_waiting", default=False)
# A wait that ends within this many seconds shows nothing, so that short answers do not flicker.
SECONDS_BEFORE_SPINNER = 1.0


@contextmanager
def shown_wait(text: str, after_s: float = SECONDS_BEFORE_SPINNER) -> Iterator[None]:
    """Show a spinner with the time while the block runs, on a terminal and where it is wanted.

    It is for work that cannot say how far it is: a library's call, the reading of a large file. It
    appears `after_s` seconds after the beginning and leaves no line behind. Lines on stdout belong
    outside the block.
    """
    if not waits_are_shown.get() or _waiting.get():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    spinner = Progress(*columns, console=console, transient=True)
    spinner.add_task("".join(c for c in text if c.isprintable()), total=None)
    begin = threading.Timer(after_s, spinner.start)
    begin.daemon = True
    before = _waiting.set(True)
    if after_s > 0:
        begin.start()
    else:
        spinner.start()
    try:
        yield
    finally:
        _waiting.reset(before)
        begin.cancel()
        if after_s > 0:
            begin.join()
        if spinner.live.is_started:
            spinner.stop()


@contextmanager
def _bar(console: Console) -> Iterator[OnProgress]:
    """Yield what draws bars; in a narrow terminal the bar shrinks and texts fold."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeft
    from rich.table import Column

    columns = (
        TextColumn("{task.description}", markup=False, table_column=Column(overflow="fold")),
        BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[detail]}", markup=False, table_column=Column(overflow="fold")),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TextColumn("left", table_column=Column(no_wrap=True)),
        TimeLeft(table_column=Column(no_wrap=True)),
    )
    bar = Progress(*columns, console=console, expand=True)
    stages: dict[str, TaskID] = {}

    def update(stage: str, done: int, total: int, detail: str = "") -> None:
        if stage not in stages:
            bar.start()
            stages[stage] = bar.add_task(stage, total=total or None, detail=detail)
        bar.update(stages[stage], completed=done, total=total or None, detail=detail)

    try:
        yield update
    finally:
        if stages:
            bar.stop()
