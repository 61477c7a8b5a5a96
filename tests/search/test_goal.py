from __future__ import annotations

import numpy as np
import pytest
from vitprof.search.costs import Costs
from vitprof.search.goal import SearchGoal

ACCURACY = np.array([0.70, 0.80, 0.80, 0.60])
COSTS = Costs(
    np.array([[4.0], [9.0], [8.0], [1.0]]),
    np.array([2_000_000, 5_000_000, 5_000_000, 1_000_000]),
    np.array([10, 20, 30, 40]) * 1_000_000,
)


def test_the_most_accurate_and_of_equals_the_fastest() -> None:
    assert SearchGoal().order(ACCURACY, COSTS).tolist() == [2, 1, 0, 3]
    assert SearchGoal().best(ACCURACY, COSTS) == 2


def test_equation_3_by_hand() -> None:
    goal = SearchGoal("cost", weight=2.0, auxiliary="params")
    np.testing.assert_allclose(goal.total_cost(COSTS), [8.0, 19.0, 18.0, 3.0])
    assert goal.order(ACCURACY, COSTS).tolist() == [3, 0, 2, 1]
    by_macs = SearchGoal("cost", weight=0.5, auxiliary="macs")
    np.testing.assert_allclose(by_macs.total_cost(COSTS), [9.0, 19.0, 23.0, 21.0])


def test_the_cheapest_that_is_accurate_enough_comes_first_then_the_most_accurate() -> None:
    goal = SearchGoal("cost", weight=2.0, min_accuracy=0.65)
    assert goal.order(ACCURACY, COSTS).tolist() == [0, 2, 1, 3]


def test_equation_8_orders_by_fronts() -> None:
    goal = SearchGoal("accuracy-size")
    # 0, 3 and the two equal ones are on the first front: none has both more accuracy and less size.
    order = goal.order(ACCURACY, COSTS).tolist()
    assert set(order) == {0, 1, 2, 3}
    worse = Costs(np.array([[5.0]] * 2), np.array([10, 20]), np.array([1, 1]))
    assert goal.order(np.array([0.5, 0.4]), worse).tolist() == [0, 1]
    assert goal.best(ACCURACY, COSTS) == 2  # the fastest of the most accurate


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("accuracy", [4.0, 9.0, 8.0, 1.0]),
        ("accuracy-size", [2.0, 5.0, 5.0, 1.0]),
        ("cost", [6.0, 14.0, 13.0, 2.0]),
    ],
)
def test_what_a_front_weighs_against_accuracy(kind, other) -> None:
    goals = SearchGoal(kind, weight=1.0 if kind == "cost" else 0.0).goals(ACCURACY, COSTS)
    np.testing.assert_allclose(goals, np.stack([-ACCURACY, other], axis=1))


def test_bad_options(refused) -> None:
    with refused("weight", "-1"):
        SearchGoal("cost", weight=-1)
    with refused("1.5", "from 0 to 1"):
        SearchGoal("cost", min_accuracy=1.5)
