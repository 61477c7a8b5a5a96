"""Modules of programs that were read before: `torch.export.load` is slow beside a session."""

from __future__ import annotations

import copy
import hashlib
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# Bytes of exported programs whose modules are kept.
_LIMIT = 512 * 2**20


class LoadedPrograms:
    """The modules of the programs read last, at most `limit` bytes of them; safe among threads.

    Each call returns a copy with newly allocated weights, which is faster than reading the program
    again.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._kept: OrderedDict[bytes, tuple[torch.nn.Module, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def copy_of(self, exported: bytes, read: Callable[[], torch.nn.Module]) -> torch.nn.Module:
        """Return a fresh copy of the module of `exported`, which `read` makes the first time."""
        if len(exported) > self._limit:
            return read()
        key = hashlib.sha256(exported).digest()
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            else:
                self._kept[key] = (read(), len(exported))
                self._bytes += len(exported)
                while self._bytes > self._limit:
                    self._bytes -= self._kept.popitem(last=False)[1][1]
            with warnings.catch_warnings():
                # Copying a program's tree of inputs warns of a class of torch's own.
                warnings.simplefilter("ignore")
                return copy.deepcopy(self._kept[key][0])
