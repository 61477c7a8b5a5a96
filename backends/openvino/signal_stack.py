"""The stack on which this thread handles signals, which OpenVINO replaces and takes away."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _Stack(ctypes.Structure):
    """Linux's stack_t."""

    _fields_ = (
        ("pointer", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("size", ctypes.c_size_t),
    )


@contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Give this thread the stack back on which it handled signals before the block.

    The plug-in of a device, loaded for each core, gives the thread another one (OpenVINO 2026.4 on
    Linux), and unloaded it gives back what there was: of two sessions, the second one gives back
    the first one's, which may be gone. Python handles signals there, so that the next Ctrl-C, or
    the end of a child process where torch's DataLoader listens for it, ended this process by a
    segmentation fault. Elsewhere than on Linux this does nothing.
    """
    if sys.platform != "linux":
        yield
        return
    library = ctypes.CDLL(None)
    before = _Stack()
    known = library.sigaltstack(None, ctypes.byref(before)) == 0
    try:
        yield
    finally:
        if known:
            library.sigaltstack(ctypes.byref(before), None)
