"""A machine whose speed wanders, seen through its reference block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from vitprof.models import Block
from vitprof.profiler.drift import REFERENCE_MACS, Drift, choose_reference, corrected_sessions
from vitprof.tables import Row

Mlp = Callable[..., Block]


def test_the_reference_is_the_block_nearest_to_a_millisecond(mlp: Mlp) -> None:
    small, right, large = mlp(16), mlp(384, 384, 197), mlp(768, 3072, 197)
    assert abs(right.macs - REFERENCE_MACS) < REFERENCE_MACS / 10
    assert choose_reference([small, right, large, right]) == right


def test_the_drift_is_the_middle_and_the_spread_of_the_reference() -> None:
    drift = Drift.over([0.0, *(1 + n / 100 for n in range(101))])
    assert drift is not None
    assert (drift.typical_ms, drift.p10_ms, drift.p90_ms) == pytest.approx((1.5, 1.1, 1.9))
    assert drift.spread == pytest.approx(0.8 / 1.5)
    assert Drift.over([]) is None
    assert Drift.over([0.0]) is None


def test_a_session_is_brought_to_the_typical_speed(mlp: Mlp, row_of: Callable[..., Row]) -> None:
    row = row_of(mlp(), 4.0, session_ms=(4.0, 8.0, 3.0), reference_ms=(1.0, 2.0, 0.5))
    assert corrected_sessions(row, 1.0) == [4.0, 4.0, 6.0]
    assert corrected_sessions(row, 2.0) == [8.0, 8.0, 12.0]
    assert corrected_sessions(row, None) == [4.0, 8.0, 3.0]
    assert corrected_sessions(replace(row, reference_ms=()), 1.0) == [4.0, 8.0, 3.0]
