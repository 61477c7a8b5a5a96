"""Rows that never shrink, against all rows written out."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from vitprof.spaces.never_shrinking import NeverShrinking

LEVELS = st.lists(
    st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True).map(sorted),
    min_size=1,
    max_size=4,
)


def rows_of(levels: list[list[int]]) -> list[tuple[int, ...]]:
    """Return every row of indices whose values never fall."""
    return [
        row
        for row in itertools.product(*(range(len(values)) for values in levels))
        if all(levels[i][row[i]] <= levels[i + 1][row[i + 1]] for i in range(len(levels) - 1))
    ]


@given(LEVELS)
def test_it_counts_them(levels: list[list[int]]) -> None:
    assert NeverShrinking(levels).count == len(rows_of(levels))


@given(LEVELS, st.integers(0, 99))
def test_it_draws_no_other(levels: list[list[int]], seed: int) -> None:
    rows = set(rows_of(levels))
    if rows:
        drawn = NeverShrinking(levels).draw(np.random.default_rng(seed), 50)
        assert {tuple(row) for row in drawn.tolist()} <= rows


def test_each_row_is_as_likely() -> None:
    levels = [[1, 2, 3], [2, 3], [1, 3, 4]]
    rows = rows_of(levels)
    drawn = NeverShrinking(levels).draw(np.random.default_rng(0), 20_000)
    found, counts = np.unique(drawn, axis=0, return_counts=True)
    assert [tuple(row) for row in found.tolist()] == rows
    assert chisquare(counts).pvalue > 1e-3


def test_a_choice_that_stands_for_more_models_is_drawn_more_often() -> None:
    levels, weights = [[1, 2], [1, 2]], [[1, 3], [2, 1]]
    rule = NeverShrinking(levels, weights)
    expected = {(0, 0): 2, (0, 1): 1, (1, 1): 3}
    assert rule.count == sum(expected.values())
    found, counts = np.unique(
        rule.draw(np.random.default_rng(1), 20_000), axis=0, return_counts=True
    )
    assert [tuple(row) for row in found.tolist()] == list(expected)
    assert chisquare(counts, 20_000 / 6 * np.array(list(expected.values()))).pvalue > 1e-3


def test_more_rows_than_64_bits_count() -> None:
    levels = [list(range(1, 11))] * 60
    # Multisets of 60 out of 10: C(69, 9).
    assert NeverShrinking(levels).count == 56672074888
    assert NeverShrinking([[1, 2]] * 2, [[10**30, 1]] * 2).count == 10**60 + 10**30 + 1


@given(LEVELS, st.data())
def test_places_that_are_not_used_do_not_count(levels: list[list[int]], data: st.DataObject):
    all_rows = list(itertools.product(*(range(len(values)) for values in levels)))
    used = data.draw(st.lists(st.booleans(), min_size=len(levels), max_size=len(levels)))
    rows = np.array(all_rows, dtype=np.int16)
    found = NeverShrinking(levels).allows(rows, np.tile(used, (len(rows), 1)))
    for row, fine in zip(all_rows, found, strict=True):
        values = [levels[i][row[i]] for i in range(len(levels)) if used[i]]
        assert fine == (values == sorted(values))


def test_without_places_there_is_one_row() -> None:
    assert NeverShrinking([]).count == 1
