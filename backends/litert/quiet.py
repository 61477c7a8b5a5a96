"""Keeping LiteRT silent: converter, quantizer and runtime each write to a stream of their own."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Iterator

from ..no_logging import no_logging

_STDERR = 2


@contextlib.contextmanager
def quiet_litert() -> Iterator[None]:
    """Let nothing reach stdout or stderr inside the block, what C++ writes to the latter included.

    Streams, loggers and filters are restored. Errors are raised as ever.
    """
    with (
        warnings.catch_warnings(),
        no_logging(),
        _no_native_stderr(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _no_native_stderr() -> Iterator[None]:
    """Point the file descriptor itself elsewhere: the runtime's C++ knows nothing of sys.stderr."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    try:
        kept = os.dup(_STDERR)
    except OSError:  # closed, as in a daemon
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no file of ours
            os.dup2(nowhere.fileno(), _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
