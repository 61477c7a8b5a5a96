"""In which order things that run in turns are opened: each order, and then its opposite."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

Name = TypeVar("Name")


def opening_orders(names: Sequence[Name], rng: random.Random) -> Iterator[list[Name]]:
    """Give an order for every round of fresh sessions, without end.

    Of sessions that are open together those opened first can be slower
    (docs/results/opening_order.md). Over two rounds every one has been before every other once.
    """
    while True:
        order = list(names)
        rng.shuffle(order)
        yield order
        yield order[::-1]
