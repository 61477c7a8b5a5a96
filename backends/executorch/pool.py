"""ExecuTorch's pool of threads, of which a process has one."""

from __future__ import annotations

import weakref
from typing import Any

from ..protocol import BackendError

# Sessions keep the pool that they were loaded with: it must not be made again below them.
_living: weakref.WeakSet[Any] = weakref.WeakSet()


def runtime() -> Any:
    """Return the module of ExecuTorch's runtime; raises ImportError where it is not installed."""
    # Its libraries are linked against torch's, which have to be loaded first.
    import torch  # noqa: F401

    # What `portable_lib` offers; that one imports the exporter too, which takes seconds.
    from executorch.extension.pybindings import _C

    return _C


def set_threads(threads: int) -> None:
    """Let sessions that are loaded from now on run so many threads.

    Raises BackendError while sessions with another number of threads are open.
    """
    pool = runtime()
    now = pool._threadpool_get_thread_count()
    if now == threads:
        return
    if len(_living):
        raise BackendError(
            f"ExecuTorch has one pool of threads a process, and sessions with {now} are open; "
            f"close them before one with {threads} is loaded."
        )
    pool._unsafe_reset_threadpool(threads)
    if pool._threadpool_get_thread_count() != threads:
        raise BackendError(
            f"ExecuTorch's pool has {pool._threadpool_get_thread_count()} threads where {threads} "
            "were asked for."
        )


def keep(session: object) -> None:
    """Keep the pool as it is until `let_go` of the session, or until nothing has it any more."""
    _living.add(session)


def let_go(session: object) -> None:
    """Let the pool be changed as far as this session is concerned."""
    _living.discard(session)
