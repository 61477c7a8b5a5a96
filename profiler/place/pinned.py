"""Keep the calling thread on one core for a while."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def pinned(threads: int) -> Iterator[None]:
    """Keep the calling thread on the first of its cores while a runtime computes on several.

    A runtime of several threads pins its own workers to the cores behind the first
    (`backends/onnxruntime`); a calling thread that moves onto one of theirs would halve the speed
    of both. With one thread, or fewer cores than threads, nothing is pinned; nor where the system
    does not let a thread choose (macOS).
    """
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    if threads < 2 or len(cores) < threads:
        yield
        return
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
