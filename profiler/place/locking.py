"""Whether work may go on where a device cannot be locked, and whether it does just now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

VARIABLE = "VITPROF_NO_LOCK"

_allowed: ContextVar[bool] = ContextVar("vitprof_no_lock", default=False)
_unlocked: ContextVar[bool] = ContextVar("vitprof_unlocked", default=False)


def may_go_unlocked() -> bool:
    """Whether `without_lock` holds for the code that is running, or VITPROF_NO_LOCK=1."""
    return _allowed.get() or os.environ.get(VARIABLE) == "1"


def runs_unlocked() -> bool:
    """Whether the code that is running measures on a device that others may use too."""
    return _unlocked.get()


@contextmanager
def without_lock(allowed: bool = True) -> Iterator[None]:
    """Let work inside the block go on where a device cannot be locked."""
    token = _allowed.set(allowed)
    try:
        yield
    finally:
        _allowed.reset(token)


@contextmanager
def unlocked() -> Iterator[None]:
    """Say that the block measures without a lock."""
    token = _unlocked.set(True)
    try:
        yield
    finally:
        _unlocked.reset(token)
