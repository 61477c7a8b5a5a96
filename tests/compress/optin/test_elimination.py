"""Elimination against plain least squares and, for one unit, against trying every one."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from vitprof.compress.optin.elimination import eliminated


def case(seed: int, units: int, each: int, outputs: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Return rows of inputs with a constant, weights, and the inputs of each unit."""
    draw = torch.Generator().manual_seed(seed)
    size = units * each
    rows = torch.randn(4 * size, size, generator=draw, dtype=torch.float64)
    rows = rows @ torch.randn(size, size, generator=draw, dtype=torch.float64)
    rows = torch.cat([rows, torch.ones(len(rows), 1, dtype=torch.float64)], dim=1)
    weights = torch.randn(size + 1, outputs, generator=draw, dtype=torch.float64)
    return rows, weights, torch.arange(size).reshape(units, each)


def least_squares(rows: Tensor, weights: Tensor, kept: list[int]) -> tuple[Tensor, float]:
    """Return the best weights of some of the inputs, and their squared error."""
    goal = rows @ weights
    found = torch.linalg.lstsq(rows[:, kept], goal).solution
    return found, float((rows[:, kept] @ found - goal).square().sum())


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    units=st.integers(2, 7),
    each=st.integers(1, 3),
    marked=st.sets(st.integers(1, 6)),
)
def test_the_weights_are_the_least_squares_of_what_is_left(seed, units, each, marked) -> None:
    rows, weights, places = case(seed, units, each)
    seen: dict[int, Tensor] = {}
    found = eliminated(
        rows.T @ rows, weights, places, 1, marked, lambda n, w: seen.update({n: w.clone()})
    )
    assert set(seen) == {n for n in marked if n < units}
    assert sorted(found.order) == sorted(set(found.order))
    assert len(found.order) == len(found.costs) == units - 1
    for staying, fitted in seen.items():
        gone = places[found.order[: units - staying]].reshape(-1).tolist()
        kept = [n for n in range(len(weights)) if n not in gone]
        expected, error = least_squares(rows, weights, kept)
        torch.testing.assert_close(fitted[kept], expected, rtol=1e-6, atol=1e-6)
        assert (fitted[gone] == 0).all()
        assert sum(found.costs[: units - staying]) == pytest.approx(error, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("each", [1, 2])
@pytest.mark.parametrize("seed", range(5))
def test_the_unit_that_goes_is_the_best_of_all(seed: int, each: int) -> None:
    rows, weights, places = case(seed, 5, each)
    order = eliminated(rows.T @ rows, weights, places, 1, (), lambda n, w: None).order
    gone: list[int] = []
    for unit in order:
        errors = {}
        for other in set(range(5)) - set(gone):
            without = places[[*gone, other]].reshape(-1).tolist()
            kept = [n for n in range(len(weights)) if n not in without]
            errors[other] = least_squares(rows, weights, kept)[1]
        assert unit == min(errors, key=lambda one: errors[one])
        gone.append(unit)


def test_one_after_another_is_near_the_best_of_all_subsets() -> None:
    # Greedy, so not the best in general; over ten cases the error is at most half as large again.
    greedy = best = 0.0
    for seed in range(10):
        rows, weights, places = case(seed, 6, 1)
        found = eliminated(rows.T @ rows, weights, places, 3, (), lambda n, w: None)
        greedy += sum(found.costs)
        best += min(
            least_squares(rows, weights, [*kept, 6])[1]
            for kept in itertools.combinations(range(6), 3)
        )
    assert best <= greedy * (1 + 1e-9)
    assert greedy < 1.5 * best


def test_of_two_equal_units_one_goes_first_and_at_no_cost() -> None:
    rows, weights, places = case(0, 5, 1)
    rows[:, 3] = rows[:, 1]
    gram = rows.T @ rows + 1e-9 * torch.eye(6, dtype=torch.float64)
    found = eliminated(gram, weights, places, 1, (), lambda n, w: None)
    assert found.order[0] in (1, 3)
    assert found.costs[0] < 1e-6 < found.costs[1]
