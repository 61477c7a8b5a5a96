"""How the learning rate goes: up in a line, then down a cosine."""

from __future__ import annotations

import math


def learning_rate_factor(
    step: int, steps: int, warmup: int, decay: bool = True, floor: float = 0.0
) -> float:
    """Return the share of the peak learning rate at `step` of `steps` (0 is the first).

    A line over the first `warmup` steps, then half a cosine to the share `floor` (Loshchilov &
    Hutter 2017, eq. 5), or the peak to the end.
    """
    if step < warmup:
        return (step + 1) / warmup
    if not decay:
        return 1.0
    rest = max(steps - warmup, 1)
    cosine = 0.5 * (1 + math.cos(math.pi * min((step - warmup) / rest, 1.0)))
    return floor + (1 - floor) * cosine
