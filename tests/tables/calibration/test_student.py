"""Quantiles of Student's t are scipy's."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit
from vitprof.tables.calibration.student import student_quantile


@given(probability=st.floats(0.6, 0.999), dof=st.floats(0.3, 600))
def test_a_quantile_is_scipys(probability: float, dof: float) -> None:
    expected = float(stdtrit(dof, probability))
    assert student_quantile(probability, dof) == pytest.approx(expected, rel=1e-10)


def test_without_freedom_it_is_endless_and_with_much_it_is_the_normal_one() -> None:
    assert student_quantile(0.975, 1e-6) == math.inf
    assert student_quantile(0.975, 1e6) == pytest.approx(1.959966, abs=1e-5)
