"""The knapsack against every choice there is, and against HiGHS where there are too many."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix
from vitprof.compress.optin import multiple_choice
from vitprof.compress.optin.multiple_choice import best_choice

NUMBERS = st.integers(0, 12)
OPTIONS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4)


def total(values, chosen) -> float:
    return float(sum(each[n] for each, n in zip(values, chosen, strict=True)))


def best_of_all(values, costs, budget) -> float | None:
    """Return the highest value of all choices within the budget."""
    choices = itertools.product(*(range(len(each)) for each in values))
    return max((total(values, c) for c in choices if total(costs, c) <= budget), default=None)


@settings(max_examples=300, deadline=None)
@given(st.lists(OPTIONS, min_size=1, max_size=5), st.integers(0, 40))
def test_no_other_choice_is_worth_more(lists, budget) -> None:
    values, costs = (
        [np.array([pair[part] for pair in options], float) for options in lists] for part in (0, 1)
    )
    chosen, best = best_choice(values, costs, budget), best_of_all(values, costs, budget)
    if best is None:
        assert chosen is None
    else:
        assert chosen is not None
        assert total(costs, chosen) <= budget
        assert total(values, chosen) == best


def drawn(seed: int, staircase: bool):
    """Return 24 lists of up to 60 options, each with its own cost a unit; scores a unit fall."""
    rng = np.random.default_rng(seed)
    values, costs = [], []
    for number in range(24):
        count = 6 if number % 2 else 60
        values.append(np.cumsum(np.sort(rng.exponential(size=count) * 60 / count)[::-1]))
        units = np.arange(1, count + 1)
        costs.append(
            rng.uniform(1, 8) * (60 / count) * (-(-units // 4) * 4 if staircase else units)
        )
    return values, costs


def by_highs(values, costs, budget) -> float:
    """Return the highest value by SciPy's solver for integer programmes."""
    of_list = np.repeat(np.arange(len(values)), [len(each) for each in values])
    one_each = csr_matrix((np.ones(len(of_list)), (of_list, np.arange(len(of_list)))))
    found = milp(
        -np.concatenate(values),
        constraints=[
            LinearConstraint(one_each, 1, 1),
            LinearConstraint(np.concatenate(costs)[None] / budget, -np.inf, 1),
        ],
        integrality=np.ones(len(of_list)),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 1e-9},
    )
    assert found.status == 0
    return float(-found.fun)


@pytest.mark.parametrize("staircase", [False, True])
@pytest.mark.parametrize("share", [0.4, 0.6, 0.9])
def test_as_good_as_an_integer_programme(share, staircase) -> None:
    values, costs = drawn(int(10 * share), staircase)
    budget = share * sum(float(each[-1]) for each in costs)
    chosen = best_choice(values, costs, budget)
    assert chosen is not None
    assert total(costs, chosen) <= budget
    assert total(values, chosen) == pytest.approx(by_highs(values, costs, budget), rel=1e-7)


def test_few_combinations_kept_still_fit_the_budget(monkeypatch) -> None:
    values, costs = drawn(0, False)
    budget = 0.5 * sum(float(each[-1]) for each in costs)
    best = best_choice(values, costs, budget)
    monkeypatch.setattr(multiple_choice, "KEPT", (3,))
    chosen = best_choice(values, costs, budget)
    assert best is not None
    assert chosen is not None
    assert total(costs, chosen) <= budget
    assert 0.99 * total(values, best) <= total(values, chosen) <= total(values, best)


def test_the_cheapest_choice_is_found_where_nothing_else_fits() -> None:
    values = [np.array([5.0, 1.0]), np.array([1.0, 9.0, 2.0])]
    costs = [np.array([4.0, 2.0]), np.array([1.0, 8.0, 2.0])]
    assert best_choice(values, costs, 3.0) == [1, 0]
    assert best_choice(values, costs, 2.9) is None


def test_costs_below_zero_are_savings() -> None:
    """As a search has them that counts from the whole model."""
    values = [np.array([1.0, 5.0]), np.array([1.0, 3.0])]
    costs = [np.array([-4.0, 0.0]), np.array([-4.0, 0.0])]
    assert best_choice(values, costs, -4.0) == [1, 0]
    assert best_choice(values, costs, 0.0) == [1, 1]
    assert best_choice(values, costs, -8.1) is None
