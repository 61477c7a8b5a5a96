"""The six numbers against closed forms and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from vitprof.tables.comparison.errors_of_prediction import PredictionErrors

MS = st.floats(0.01, 1e4)
PAIRS = st.lists(st.tuples(MS, MS), min_size=2, max_size=30)


def test_the_six_numbers_of_four_models() -> None:
    errors = PredictionErrors.of([1.04, 1.84, 3.6, 4.0], [1.0, 2.0, 3.0, 4.0])
    assert errors.as_dict() == pytest.approx(
        {
            "mape": (0.04 + 0.08 + 0.2 + 0) / 4,
            "bias": (0.04 - 0.08 + 0.2 + 0) / 4,
            "worst": 0.2,
            "within_5": 0.5,
            "within_10": 0.75,
            "kendall_tau": 1.0,
        }
    )


def test_errors_are_relative_to_what_was_measured() -> None:
    """Twice as much is an error of 100 %, half as much one of 50 %."""
    assert PredictionErrors.of([2.0, 2.0], [1.0, 1.0]).mape == 1.0
    assert PredictionErrors.of([1.0, 1.0], [2.0, 2.0]).mape == 0.5


@pytest.mark.parametrize(
    ("order", "tau"), [([1, 2, 3, 4], 1.0), ([4, 3, 2, 1], -1.0), ([2, 1, 4, 3], 1 / 3)]
)
def test_tau_is_of_the_order_alone(order: list[int], tau: float) -> None:
    measured = [1.0, 10.0, 100.0, 1000.0]
    predicted = [measured[i - 1] * 1.5 for i in order]
    assert PredictionErrors.of(predicted, measured).kendall_tau == pytest.approx(tau)


@given(pairs=PAIRS)
def test_they_agree_with_numpy_and_scipy(pairs: list[tuple[float, float]]) -> None:
    predicted, measured = (np.array(values) for values in zip(*pairs, strict=True))
    errors = PredictionErrors.of(predicted, measured)
    relative = (predicted - measured) / measured
    assert errors.mape == pytest.approx(np.abs(relative).mean(), rel=1e-9, abs=1e-12)
    assert errors.bias == pytest.approx(relative.mean(), rel=1e-9, abs=1e-9 * errors.mape + 1e-12)
    assert errors.worst == pytest.approx(np.abs(relative).max(), rel=1e-9, abs=1e-12)
    assert 0 <= errors.within_5 <= errors.within_10 <= 1
    # A mean of equal numbers may round above them.
    assert errors.worst * (1 + 1e-12) >= errors.mape >= abs(errors.bias) * (1 - 1e-9) - 1e-12
    tau = stats.kendalltau(predicted, measured).statistic
    if math.isnan(tau):
        assert math.isnan(errors.kendall_tau)
    else:
        assert errors.kendall_tau == pytest.approx(tau, abs=1e-9)


@given(pairs=PAIRS, factor=st.floats(0.5, 2))
def test_a_common_factor_is_all_bias(pairs: list[tuple[float, float]], factor: float) -> None:
    measured = [m for m, _ in pairs]
    errors = PredictionErrors.of([factor * m for m in measured], measured)
    assert errors.bias == pytest.approx(factor - 1, abs=1e-12)
    assert errors.mape == pytest.approx(abs(factor - 1), abs=1e-12)
    assert errors.worst == pytest.approx(abs(factor - 1), abs=1e-12)
