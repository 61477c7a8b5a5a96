"""Failing calls: the preloaded library of faults.c, made by the machine's C compiler."""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from .c_library import compiled

SOURCE = Path(__file__).with_name("faults.c")
VARIABLE = "LD_PRELOAD"
COUNT, FAIL_ONCE, SIGNAL, FAIL_ON = range(4)


@dataclass(frozen=True)
class Fault:
    """The `nth` call that changes a file fails with the errno `number`, or sends that signal.

    mode: COUNT, FAIL_ONCE, FAIL_ON (all later calls fail too, as on a full disk) or SIGNAL.
    """

    nth: int = 0
    mode: int = COUNT
    number: int = 0


class Preloaded:
    """The library in this process; `arm` it in a child that was forked for a command."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(None)
            self._arm = self._library.faults_arm
        except AttributeError:
            raise SystemExit("hardening.py: the library of faults.c is not preloaded.") from None
        self._arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int]
        self._library.faults_count.restype = ctypes.c_long
        self._library.faults_struck.restype = ctypes.c_char_p

    def arm(self, folder: Path, fault: Fault, record: int | None = None) -> None:
        """Begin to count; record: a descriptor to which every call is written."""
        if record is not None:
            self._library.faults_record(record)
        # With its slash: the log beside it has a name that begins so too.
        self._arm(os.fsencode(f"{folder}/"), fault.nth, fault.mode, fault.number)

    def disarm(self) -> tuple[int, str]:
        """Return how many calls there were, and which one was struck."""
        self._library.faults_disarm()
        return self._library.faults_count(), os.fsdecode(self._library.faults_struck())


def preload(folder: Path) -> None:
    """Start this program again with the library, unless it has it: it is never loaded later."""
    if VARIABLE in os.environ:
        return
    made = compiled(SOURCE, folder.resolve())
    sys.stdout.flush()
    os.execve(sys.executable, sys.orig_argv, {**os.environ, VARIABLE: str(made)})
