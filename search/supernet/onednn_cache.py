"""Many shapes of one network on a CPU: oneDNN's compiled primitives are kept for all of them."""

from __future__ import annotations

import os

# Of oneDNN: how many compiled primitives it keeps. Its own 1024 are fewer than the shapes that the
# subnets of a convolutional supernet have, and compiling takes longer than running.
VARIABLE = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
CAPACITY = 50_000


def keep_primitives() -> None:
    """Have oneDNN keep more primitives, unless the user says how many.

    It reads this once, before the first convolution or matrix product of the process.
    """
    os.environ.setdefault(VARIABLE, str(CAPACITY))
