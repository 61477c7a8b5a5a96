"""The order of opening: over two rounds nothing is always first."""

from __future__ import annotations

import random
from itertools import combinations, islice

from hypothesis import given
from hypothesis import strategies as st
from vitprof.profiler.sampling.opening_order import opening_orders


@given(st.integers(1, 6), st.integers(0, 1000))
def test_over_two_rounds_every_one_is_before_every_other_once(count: int, seed: int) -> None:
    orders = opening_orders(range(count), random.Random(seed))
    for _ in range(3):
        one, other = islice(orders, 2)
        assert sorted(one) == sorted(other) == list(range(count))
        for a, b in combinations(range(count), 2):
            assert (one.index(a) < one.index(b)) != (other.index(a) < other.index(b))


def test_the_first_of_two_rounds_is_drawn() -> None:
    orders = opening_orders("ab", random.Random(0))
    first = ["".join(order) for order in islice(orders, 0, 80, 2)]
    assert 10 < first.count("ab") < 30
