"""The exit codes that are more than "something is wrong with the result"."""

from __future__ import annotations

USER_ERROR, INTERRUPTED = 2, 130
# Another process measures on the device: the same command may do later (EX_TEMPFAIL of sysexits.h).
DEVICE_BUSY = 75
# Of `vitprof gate`: a limit is broken; a limit cannot be judged. A crash of Python's is 1.
GATE_FAILED, GATE_UNDECIDED = 3, 4
