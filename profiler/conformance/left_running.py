"""Which threads and child processes there are, to find those that a closed session left behind."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# A thread that was asked to end needs a moment; one that stays is there after any.
_PATIENCE_S = 5.0
_PROC = Path("/proc")


@dataclass(frozen=True)
class Running:
    """The threads and child processes of this process, by their numbers."""

    threads: frozenset[int]
    children: frozenset[int]

    @classmethod
    def now(cls, proc: Path = _PROC) -> Running:
        """Return what runs now: on Linux threads of every library, elsewhere those of Python."""
        own = frozenset(_numbers(proc / str(os.getpid()) / "task"))
        if own:
            return cls(own, frozenset(_children(proc)))
        names = (thread.ident for thread in threading.enumerate())
        return cls(frozenset(name for name in names if name is not None), frozenset())

    def left_behind(self, patience_s: float = _PATIENCE_S, proc: Path = _PROC) -> str | None:
        """Return what runs since then and does not end, in words; None for nothing."""
        ends = time.monotonic() + patience_s
        while True:
            now = Running.now(proc)
            threads = len(now.threads - self.threads)
            children = len(now.children - self.children)
            if not threads and not children:
                return None
            if time.monotonic() >= ends:
                return (
                    f"{threads} threads and {children} processes that were not there before "
                    "still run"
                )
            time.sleep(0.05)


def _numbers(folder: Path) -> Iterator[int]:
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return
    yield from (int(name) for name in names if name.isdecimal())


def _children(proc: Path) -> Iterator[int]:
    """Yield the processes whose parent is this one."""
    for number in _numbers(proc):
        try:
            stat = (proc / str(number) / "stat").read_text(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        # The command's name is in brackets and may hold anything; the parent is the second behind.
        fields = stat.rpartition(")")[2].split()
        if len(fields) > 1 and fields[1] == str(os.getpid()):
            yield number
