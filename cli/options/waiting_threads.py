"""Threads of a training that wait sleep, instead of spinning.

A step of PyTorch on a CPU is many short parallel parts, and after each all threads wait for the
last one. By default they spin for milliseconds. Where other programs want the cores, the thread
that the others wait for does not run meanwhile: a training of a small ViT took five times as long
as with threads that sleep (docs/results/waiting_threads.md). What is computed stays the same.
"""

from __future__ import annotations

import os
import sys

# Of OpenMP, and of its implementations in GCC and LLVM: whoever sets one of them has chosen.
VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def let_waiting_threads_sleep() -> None:
    """Set OpenMP's policy for this process; without effect once PyTorch is loaded.

    Not for a process that measures models by PyTorch, whose latency is that of the default policy.
    """
    if "torch" not in sys.modules and not any(name in os.environ for name in VARIABLES):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
