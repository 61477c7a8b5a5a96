"""Rank correlations and the scale of two devices, against brute force and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.tables.comparison.agreement import Agreement
from vitprof.tables.comparison.comparison import kendall_tau

MS = st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0, 7.0])


@given(st.lists(st.tuples(MS, MS), min_size=2, max_size=12))
def test_tau_is_that_of_counted_pairs_and_rho_that_of_ranks(pairs) -> None:
    a, b = np.array(pairs).T
    found = Agreement.of(a, b)
    assert found.kendall_tau == pytest.approx(kendall_tau(a.tolist(), b.tolist()), nan_ok=True)
    if np.ptp(a) and np.ptp(b):
        ranks = [[1 + np.sum(x < v) + (np.sum(x == v) - 1) / 2 for v in x] for x in (a, b)]
        assert found.spearman_rho == pytest.approx(float(np.corrcoef(*ranks)[0, 1]))
    assert found.scale == pytest.approx(float(np.prod(b / a)) ** (1 / len(a)))
    assert found.low <= found.scale * (1 + 1e-9)
    assert found.high >= found.scale * (1 - 1e-9)


def test_one_scale_for_all_has_no_spread() -> None:
    a = np.array([1.0, 2.0, 5.0])
    found = Agreement.of(a, 3 * a)
    assert (found.kendall_tau, found.spearman_rho) == (1, pytest.approx(1))
    assert [found.scale, found.low, found.high] == pytest.approx([3, 3, 3])
    assert found.spread == pytest.approx(1)


def test_the_interval_is_students() -> None:
    """Ratios 1 and e: mean log 0.5, sd sqrt(0.5), t(0.975, 1) = 12.7062."""
    found = Agreement.of(np.array([1.0, 1.0]), np.array([1.0, math.e]))
    half = 12.7062 * math.sqrt(0.5) / math.sqrt(2)
    assert math.log(found.high) == pytest.approx(0.5 + half, rel=1e-4)
    assert math.log(found.low) == pytest.approx(0.5 - half, rel=1e-4)


def test_a_single_pair_tells_only_the_scale() -> None:
    found = Agreement.of(np.array([2.0]), np.array([5.0]))
    assert found.scale == pytest.approx(2.5)
    assert all(map(math.isnan, (found.kendall_tau, found.spearman_rho, found.low, found.spread)))
