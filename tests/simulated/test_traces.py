"""Two runs of a real machine, replayed: of a quiet hour, and of one in which it was never calm."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from vitprof.models import Spec
from vitprof.profiler.plan import Point, Subject
from vitprof.profiler.sampling.correction import corrected_sessions
from vitprof.profiler.sampling.exponents import PRIOR_OF_BLOCKS, PRIOR_OF_MODELS
from vitprof.profiler.sampling.protocol import Protocol
from vitprof.profiler.sampling.statistics import PRIOR_SESSION_SD
from vitprof.profiler.sampling.verdict import point_row, session_row
from vitprof.tables import Row
from vitprof.tables.speed_histogram import SpeedHistogram

from simulated.estimators import ESTIMATORS
from simulated.replay import Replayed, replayed
from simulated.traces import read_trace

QUIET, RESTLESS = "xeon_quiet", "xeon_restless"


@functools.cache
def groups(name: str) -> list[Replayed]:
    trace = read_trace(name)
    return [replayed(log, runs_per_turn=trace.runs_per_turn) for log in trace.groups]


@functools.cache
def histogram(name: str) -> SpeedHistogram:
    return SpeedHistogram.of(ms for group in groups(name) for ms in group.readings)


def exponent_of(subject: Subject) -> float:
    return (PRIOR_OF_MODELS if isinstance(subject, Spec) else PRIOR_OF_BLOCKS)[0]


def estimates(name: str, estimator: str, speed_ms: float) -> dict[Subject, list[float]]:
    """Return ln(ms) of every session of every subject."""
    found: dict[Subject, list[float]] = {}
    for group in groups(name):
        for subject, samples in group.samples.items():
            pairs = list(zip(samples, group.before_ms[subject], strict=True))
            calm = [pair for pair in pairs if not pair[0].disturbed()] or pairs
            kept, before_ms = zip(*calm, strict=True)
            ms = ESTIMATORS[estimator](kept, before_ms, speed_ms, exponent_of(subject))
            found.setdefault(subject, []).append(math.log(ms))
    return found


def session_sd(name: str, estimator: str) -> float:
    """Return how far sessions of one subject lie apart, as the median over subjects."""
    speed_ms = histogram(name).undisturbed_ms
    sessions = estimates(name, estimator, speed_ms).values()
    return math.sqrt(np.median([np.var(logs, ddof=1) for logs in sessions if len(logs) > 1]))


@functools.cache
def rows(name: str, speed_ms: float) -> dict[Subject, Row]:
    """Return the rows that a table would have of the trace."""
    sessions: dict[Subject, list[Row]] = {}
    points = {}
    for group in groups(name):
        for subject in group.samples:
            inner = subject if isinstance(subject, Spec) else subject[0]
            points[subject] = Point(inner, "in_model" if isinstance(subject, Spec) else "alone")
            said = session_row(points[subject], {subject: group.session(subject)})
            sessions.setdefault(subject, []).append(said)
    return {
        subject: point_row(points[subject], of_one, Protocol(), PRIOR_SESSION_SD, speed_ms)
        for subject, of_one in sessions.items()
    }


def test_traces_hold_what_they_should() -> None:
    for name in (QUIET, RESTLESS):
        subjects = {subject for group in groups(name) for subject in group.samples}
        assert len(subjects) == 28
        assert sum(isinstance(subject, Spec) for subject in subjects) == 4
        assert histogram(name).total > 150


def test_one_was_undisturbed_half_of_the_time_and_the_other_hardly_ever() -> None:
    quiet, restless = histogram(QUIET), histogram(RESTLESS)
    assert quiet.undisturbed_ms == pytest.approx(13.1, abs=0.1)
    assert quiet.undisturbed_share > 0.4
    assert restless.undisturbed_ms > 1.1 * quiet.undisturbed_ms
    assert restless.undisturbed_share < 0.1


@pytest.mark.parametrize("name", [QUIET, RESTLESS])
def test_the_correction_brings_sessions_together(name: str) -> None:
    # 5.5 and 9.7 % of raw medians, 2.2 and 2.9 % corrected.
    corrected, raw = session_sd(name, "with exponent"), session_sd(name, "raw median")
    assert corrected < 0.5 * raw
    assert corrected < 0.035
    assert corrected < 0.5 * session_sd(name, "minimum") or name == QUIET


def test_brought_to_one_speed_both_traces_say_the_same() -> None:
    speed_ms = histogram(QUIET).undisturbed_ms
    quiet, restless = rows(QUIET, speed_ms), rows(RESTLESS, speed_ms)
    corrected = [math.log(restless[s].latency_ms / quiet[s].latency_ms) for s in quiet]
    raw = [
        math.log(np.median(restless[s].session_ms) / np.median(quiet[s].session_ms)) for s in quiet
    ]
    assert np.mean(raw) > 0.35
    # Exponents are those believed beforehand: blocks followed this machine by 0.94, not 0.98.
    assert abs(np.median(corrected)) < 0.03
    assert np.std(corrected) < 0.05


def test_intervals_of_both_traces_overlap() -> None:
    speed_ms = histogram(QUIET).undisturbed_ms
    quiet, restless = rows(QUIET, speed_ms), rows(RESTLESS, speed_ms)
    apart = [
        subject
        for subject, row in quiet.items()
        if row.low_ms > restless[subject].high_ms or restless[subject].low_ms > row.high_ms
    ]
    assert len(apart) <= 5, "of 28"


def test_rows_are_the_median_of_their_corrected_sessions() -> None:
    speed_ms = histogram(RESTLESS).undisturbed_ms
    for row in rows(RESTLESS, speed_ms).values():
        assert row.latency_ms == pytest.approx(np.median(corrected_sessions(row, speed_ms)))
        assert row.latency_ms < np.median(row.session_ms)
