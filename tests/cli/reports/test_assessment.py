"""The line that a user needs."""

from __future__ import annotations

import math
from typing import Any

import pytest
from vitprof.cli.reports.assessment import spread_in_words, unrest_in_words, verdict_in_words
from vitprof.tables.assessment import Assessment, Remedy
from vitprof.tables.unrest import Unrest

AGAIN = Remedy("sessions", 5, fresh=True, seconds=123.0)


def found(**others: Any) -> Assessment:
    values: dict[str, Any] = {
        "expected_error": 0.019,
        "by_family": {"vit": 0.019},
        "accept": 0.05,
        "points": 102,
        "unstable": 0,
        "failed": 0,
        "cause": "sessions",
        "remedy": None,
        "session_sd": 0.011,
        "unrest": None,
    }
    return Assessment(**(values | others))


@pytest.mark.parametrize(
    ("assessment", "line"),
    [
        (
            found(unstable=12, remedy=AGAIN),
            "Usable: whole models err by 1.9% held out; 12 of 102 points unstable; to improve: the "
            "same command with --sessions 5 --fresh (about 2 min).",
        ),
        (found(), "Usable: whole models err by 1.9% held out."),
        (
            found(remedy=AGAIN, unrest=Unrest(1.04, 5.41, of_undisturbed=True)),
            "Usable: whole models err by 1.9% held out; to improve: the same command with "
            "--sessions 5 --fresh (about 2 min), while nothing else runs if you can.",
        ),
        (
            found(by_family={"vit": 0.01, "swin": 0.02}, expected_error=0.02),
            "Usable: whole vit models err by 1.0%, whole swin models err by 2.0% held out.",
        ),
        (
            found(accept=0.01, failed=1, remedy=Remedy("points", 120, fresh=False), cause="fit"),
            "Doubtful: whole models err by 1.9% held out, more than the 1.0% accepted (mostly what "
            "the line and the interpolation leave); 1 of 102 points failed; to improve: the same "
            "command with --points 120.",
        ),
        (
            found(by_family={}, expected_error=0.029, session_sd=None),
            "Usable: blocks are known within ±2.9% by an assumed spread of sessions, and without "
            "whole models their sum is not checked.",
        ),
        (
            found(by_family={}, expected_error=math.nan, cause=None),
            "Unknown: how far predictions err is not known, for rows have no intervals.",
        ),
    ],
)
def test_the_verdict_in_one_line(assessment: Assessment, line: str) -> None:
    assert verdict_in_words(assessment, "the same command") == line


def test_what_was_assumed_is_never_said_as_measured() -> None:
    assert spread_in_words(found()).startswith("two sessions of one point differ by 1.1 %")
    assert "are assumed to differ by 1.5 %" in spread_in_words(found(session_sd=None))


def test_how_restless_the_machine_was_and_what_that_cost() -> None:
    restless = Unrest(1.02, 1.58, of_undisturbed=True, cost_s=45.2)
    assert unrest_in_words(restless, 153.4) == (
        "The machine was restless: a reference took 1.02 to 1.58 times its undisturbed time (10th "
        "to 90th percentile), which cost about 45 of 153 s; latencies are corrected for it."
    )
    old = unrest_in_words(Unrest(0.9, 1.2, of_undisturbed=False), 100.0)
    assert "its median time" in old
    assert "cost" not in old
    assert unrest_in_words(Unrest(1.0, 1.01, of_undisturbed=True, cost_s=1.0), 80.0) == (
        "The machine was quiet: a reference took 1.00 to 1.01 times its undisturbed time (10th to "
        "90th percentile)."
    )
