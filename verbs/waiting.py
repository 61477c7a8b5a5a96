"""`vitprof.waiting` and `without_lock`: devices that other processes may be measuring."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import UserError
from ..quantities import Quantity, seconds


@contextmanager
def waiting(time: Quantity, *, progress: bool = False) -> Iterator[None]:
    """Wait inside the block where another process measures on the device that a verb wants.

        with vitprof.waiting("10m"):
            vitprof.measure(vitprof.plan("vit"))

    Args:
        time: how long at most: seconds, or text ("90s", "10m", "1h").
        progress: show a bar on stderr meanwhile.

    Without it a verb raises `vitprof.DeviceBusyError` at once, and so it does after that time.
    Raises UserError where `time` is not a time.
    """
    from ..profiler.place.waiting import waiting as within

    try:
        limit_s = seconds(time)
    except UserError as error:
        raise UserError(f"`time`: {error}") from None
    with within(limit_s, shown=progress):
        yield


@contextmanager
def without_lock() -> Iterator[None]:
    """Measure inside the block even where the device cannot be kept from other measurements.

        with vitprof.without_lock():
            vitprof.bench("deit-tiny")

    A lock that cannot be made is an error otherwise: two measurements at once spoil each other. A
    table that is measured so says it.
    """
    from ..profiler.place.locking import without_lock as unlocked

    with unlocked():
        yield
