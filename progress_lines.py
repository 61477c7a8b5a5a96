"""Progress in a log: a line now and then, and one a stage at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# So many seconds lie between two lines while work goes on.
SECONDS_BETWEEN_LINES = 30.0


class _Stage:
    def __init__(self, name: str, began: float) -> None:
        self.name, self.began, self.last = name, began, began
        self.done, self.total, self.detail = 0, 0, ""

    def line(self) -> str:
        """Return "measuring: 51/102 points, 12 s, 11 s left"."""
        spent = self.last - self.began
        parts = [f"{self.done}/{self.total}" if self.total else str(self.done)]
        if self.detail:
            parts = [f"{parts[0]} {self.detail}"]
        parts.append(_in_words(spent))
        if 0 < self.done < self.total:
            left = spent / self.done * (self.total - self.done)
            parts.append(f"{_in_words(left)} left")
        return f"{self.name}: {', '.join(parts)}"


@contextmanager
def progress_lines(
    clock: Callable[[], float] = time.monotonic, write: Callable[[str], None] | None = None
) -> Iterator[Callable[[str, int, int, str], None]]:
    """Yield what prints a line on stderr after some time, and one for each stage with the end."""
    print_line = write or (lambda line: print(line, file=sys.stderr, flush=True))
    stages: dict[str, _Stage] = {}
    last_line_s = clock()

    def update(stage: str, done: int, total: int, detail: str = "") -> None:
        nonlocal last_line_s
        now = clock()
        current = stages.setdefault(stage, _Stage(stage, now))
        current.done, current.total, current.detail, current.last = done, total, detail, now
        if now - last_line_s >= SECONDS_BETWEEN_LINES:
            last_line_s = now
            print_line(current.line())

    try:
        yield update
    finally:
        for stage in stages.values():
            print_line(stage.line())


def _in_words(seconds: float) -> str:
    """Return "34 s", "2:05 min" or "1:02 h"."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 100:
        return f"{minutes}:{rest:02} min"
    return f"{minutes // 60}:{minutes % 60:02} h"
