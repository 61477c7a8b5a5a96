"""How long a command waits for a device that another process is measuring, and who sees it wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Waiting:
    """`limit_s`: seconds to wait at most before work begins. `shown`: with a bar on stderr."""

    limit_s: float = 0.0
    shown: bool = False


_NOT_AT_ALL = Waiting()
_waiting: ContextVar[Waiting] = ContextVar("vitprof_waiting", default=_NOT_AT_ALL)


def waiting_now() -> Waiting:
    """Return what holds for the code that is running: nothing is waited for unless set."""
    return _waiting.get()


@contextmanager
def waiting(limit_s: float = 0.0, shown: bool = False) -> Iterator[None]:
    """Wait for busy devices inside the block, up to `limit_s` seconds each."""
    token = _waiting.set(Waiting(limit_s, shown))
    try:
        yield
    finally:
        _waiting.reset(token)
