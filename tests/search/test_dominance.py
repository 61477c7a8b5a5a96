"""Fronts against their definition, by brute force."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from vitprof.search.dominance import crowding, front, front_numbers

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=25)


def dominates(a, b) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True)) and tuple(a) != tuple(b)


@given(POINTS)
def test_the_first_front_is_what_nothing_dominates(points) -> None:
    array = np.array(points, dtype=float)
    expected = [not any(dominates(q, p) for q in points) for p in points]
    assert ((front_numbers(array) == 0) == expected).all()


@given(POINTS)
def test_every_later_front_is_dominated_by_the_one_before(points) -> None:
    array = np.array(points, dtype=float)
    numbers = front_numbers(array)
    for i, number in enumerate(numbers):
        if number:
            before = array[numbers == number - 1]
            assert any(dominates(q, array[i]) for q in before)
        assert not any(dominates(array[j], array[i]) for j in np.flatnonzero(numbers == number))


@given(POINTS)
def test_the_quick_front_has_each_undominated_point_once(points) -> None:
    array = np.array(points, dtype=float)
    chosen = front(array)
    expected = {tuple(p) for p, n in zip(points, front_numbers(array), strict=True) if n == 0}
    assert {tuple(array[i]) for i in chosen} == expected
    assert len(chosen) == len(expected)
    assert (np.diff(array[chosen, 0]) > 0).all() or len(chosen) == 1


def test_crowding_is_the_gap_between_neighbours() -> None:
    points = np.array([[0.0, 10.0], [1.0, 6.0], [4.0, 5.0], [10.0, 0.0]])
    found = crowding(points, np.zeros(4, dtype=int))
    assert np.isinf(found[[0, 3]]).all()
    np.testing.assert_allclose(found[1:3], [4 / 10 + 5 / 10, 9 / 10 + 6 / 10])
