from __future__ import annotations

import numpy as np
import pytest
from vitprof.search.costs import Costs
from vitprof.search.objective import Objective

ACCURACY = np.array([0.70, 0.80, 0.80, 0.60])
COSTS = Costs(
    np.array([[4.0], [9.0], [8.0], [1.0]]),
    np.array([2_000_000, 5_000_000, 5_000_000, 1_000_000]),
    np.array([10, 20, 30, 40]) * 1_000_000,
)


def test_the_most_accurate_and_of_equals_the_fastest() -> None:
    assert Objective().order(ACCURACY, COSTS).tolist() == [2, 1, 0, 3]
    assert Objective().best(ACCURACY, COSTS) == 2


def test_equation_3_by_hand() -> None:
    objective = Objective("cost", weight=2.0, auxiliary="params")
    np.testing.assert_allclose(objective.total_cost(COSTS), [8.0, 19.0, 18.0, 3.0])
    assert objective.order(ACCURACY, COSTS).tolist() == [3, 0, 2, 1]
    by_macs = Objective("cost", weight=0.5, auxiliary="macs")
    np.testing.assert_allclose(by_macs.total_cost(COSTS), [9.0, 19.0, 23.0, 21.0])


def test_the_cheapest_that_is_accurate_enough_comes_first_then_the_most_accurate() -> None:
    objective = Objective("cost", weight=2.0, min_accuracy=0.65)
    assert objective.order(ACCURACY, COSTS).tolist() == [0, 2, 1, 3]


def test_equation_8_orders_by_fronts() -> None:
    objective = Objective("accuracy-size")
    # 0, 3 and the two equal ones are on the first front: none has both more accuracy and less size.
    order = objective.order(ACCURACY, COSTS).tolist()
    assert set(order) == {0, 1, 2, 3}
    worse = Costs(np.array([[5.0]] * 2), np.array([10, 20]), np.array([1, 1]))
    assert objective.order(np.array([0.5, 0.4]), worse).tolist() == [0, 1]
    assert objective.best(ACCURACY, COSTS) == 2  # the fastest of the most accurate


@pytest.mark.parametrize(("kind", "other"), [
    ("accuracy", [4.0, 9.0, 8.0, 1.0]), ("accuracy-size", [2.0, 5.0, 5.0, 1.0]),
    ("cost", [6.0, 14.0, 13.0, 2.0]),
])  # fmt: skip
def test_what_a_front_weighs_against_accuracy(kind, other) -> None:
    goals = Objective(kind, weight=1.0 if kind == "cost" else 0.0).goals(ACCURACY, COSTS)
    np.testing.assert_allclose(goals, np.stack([-ACCURACY, other], axis=1))


def test_bad_options(refused) -> None:
    with refused("weight", "-1"):
        Objective("cost", weight=-1)
    with refused("1.5", "from 0 to 1"):
        Objective("cost", min_accuracy=1.5)
