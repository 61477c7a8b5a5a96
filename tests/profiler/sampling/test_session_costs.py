"""What sessions are expected to take, and how that follows what they took."""

from __future__ import annotations

import pytest
from vitprof.models import create_spec
from vitprof.profiler.plan import Point
from vitprof.profiler.sampling.protocol import MODEL_SAMPLING
from vitprof.profiler.sampling.session_costs import SessionCosts

TINY = Point(create_spec("deit-tiny"), "in_model")
BASE = Point(create_spec("deit-base"), "in_model")


@pytest.fixture
def costs() -> SessionCosts:
    return SessionCosts({TINY: 20.0, BASE: 300.0}, MODEL_SAMPLING)


def test_a_long_model_is_run_four_times_and_a_short_one_more_often() -> None:
    runs = [MODEL_SAMPLING.runs_for(ms) for ms in (1.0, 10.0, 20.0, 30.0, 100.0, 300.0)]
    assert runs == [12, 12, 6, 4, 4, 4]


def test_a_session_is_loading_and_runs(costs: SessionCosts) -> None:
    base = costs.sessions_s([BASE])
    assert 1.1 + 7 * 0.3 < base < 1.3 + 1.3 * 7 * 0.3, "86 M weights load for a second"
    assert costs.sessions_s([TINY]) < base / 3
    assert costs.sessions_s([TINY, BASE]) == pytest.approx(base + costs.sessions_s([TINY]))
    whole = costs.whole_s([TINY, BASE], 3)
    assert whole == pytest.approx(
        costs.build_s([TINY, BASE]) + 3 * (base + costs.sessions_s([TINY]))
    )


def test_what_groups_took_corrects_it(costs: SessionCosts) -> None:
    assert costs.scale == 1.0
    first = costs.whole_s([TINY, BASE], 1)
    costs.took(2 * first, [TINY, BASE], built=[TINY, BASE])
    assert costs.scale == pytest.approx(2.0)
    costs.took(1.5 * costs.sessions_s([BASE]), [BASE])
    assert costs.scale == pytest.approx(1.5), "sessions alone are what is to come"
