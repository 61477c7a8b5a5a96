"""A gate's checks as JUnit XML and as Markdown, whatever names they hold."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import pytest
from vitprof.profiler.regression.outcome import Outcome
from vitprof.verbs.gates.check import LATENCY, MEMORY, PARAMS, REGRESSION, Check
from vitprof.verbs.gates.result import GateResult

MEASURED = {"base_ms": 4.0, "head_ms": 4.28, "sessions": 12, "sessions_disturbed": 1}


def regression(outcome: Outcome, **changed: object) -> Check:
    fields = {
        "model": "head.onnx",
        "kind": REGRESSION,
        "outcome": outcome,
        "value": 0.07,
        "low": 0.052,
        "high": 0.088,
        "limit": 0.05,
        "against": "base.onnx",
        "seconds": 3.5,
        "remedy": "stop other programs",
        "details": MEASURED,
    }
    return Check(**fields | changed)  # type: ignore[arg-type]


def latency(outcome: Outcome, low: float, high: float, **changed: object) -> Check:
    fields = {"against": "lut.csv", "remedy": "measure a better table"}
    return Check("deit-tiny", LATENCY, outcome, 11.9, low, high, 12.0, **fields | changed)  # type: ignore[arg-type]


ALL = GateResult(
    (
        latency(Outcome.PASSED, 11.8, 12.0),
        latency(Outcome.UNDECIDED, math.nan, math.nan),
        regression(Outcome.FAILED),
    )
)


def test_words_tell_a_budget_from_a_regression() -> None:
    verdicts = [check.verdict for check in ALL.checks]
    assert verdicts == ["passed", "too uncertain to say", "regressed"]
    assert latency(Outcome.FAILED, 12.1, 12.5).verdict == "over the limit"
    assert regression(Outcome.UNDECIDED).verdict == "too noisy to say"
    assert ALL.checks[2].sentence == (
        "head.onnx: regression against base.onnx is +7.00 % [+5.20 % .. +8.80 %], "
        "limit +5.00 %: regressed"
    )
    assert ALL.checks[1].sentence.endswith(
        "[unknown], limit 12 ms: too uncertain to say; measure a better table"
    )


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (MEMORY, 3 * 2**20, "3 MiB"),
        (PARAMS, 5_700_000.0, "5.7 M"),
        (PARAMS, 12.0, "12"),
        (LATENCY, 0.01234, "0.01234 ms"),
        (REGRESSION, -0.031, "-3.10 %"),
        (REGRESSION, math.inf, "unknown"),
    ],
)
def test_amounts_have_the_unit_of_their_kind(kind: str, value: float, words: str) -> None:
    check = Check("m", kind, Outcome.PASSED, value, value, value, value, "lut.csv")
    assert check.found == words
    assert check.interval == ("" if math.isfinite(value) else "unknown")


def test_the_worst_check_is_the_gates() -> None:
    assert ALL.outcome is Outcome.FAILED
    assert not ALL.passed
    assert ALL.title == "gate failed: 1 of 3 limits kept"
    assert GateResult(ALL.checks[:2]).outcome is Outcome.UNDECIDED
    assert GateResult(ALL.checks[:1]).passed
    assert list(ALL.to_frame()["verdict"]) == [check.verdict for check in ALL.checks]
    assert [one["outcome"] for one in ALL.report()["checks"]] == ["passed", "undecided", "failed"]


def test_junit_counts_failures_and_what_could_not_be_judged() -> None:
    suites = ET.fromstring(ALL.junit())
    assert suites.tag == "testsuites"
    suite = suites[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    passed, undecided, failed = suite
    assert passed.find("failure") is None
    assert passed.find("error") is None
    assert undecided.find("error").get("type") == "too uncertain to say"
    assert failed.find("failure").get("message") == ALL.checks[2].sentence
    assert failed.get("time") == "3.500"


def test_markdown_has_a_line_a_check() -> None:
    text = ALL.markdown()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(ALL.checks)
    assert all(line.count("|") == lines[0].count("|") for line in lines)
    assert "**regressed**" in lines[-1]
    assert "4 ms before, 4.28 ms now, 12 pairs of sessions" in text
    assert "measure a better table" in text


HOSTILE = "a]]>&<b>|\x1b[31m\x00`x`\n# heading [l](javascript:1) <script>\u202e\ud800"


def test_names_cannot_leave_their_place() -> None:
    result = GateResult(
        (
            regression(Outcome.FAILED, model=HOSTILE, against=HOSTILE, warnings=(HOSTILE,)),
            regression(Outcome.UNDECIDED, model=HOSTILE, remedy=HOSTILE),
        )
    )
    suites = ET.fromstring(result.junit().encode())
    assert len(suites[0]) == 2
    assert "<script>" in suites[0][0].get("name")
    text = result.markdown()
    text.encode()
    assert all(character.isprintable() or character == "\n" for character in text + result.junit())
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    for line in text.splitlines()[1:]:
        assert not line.startswith("#")
    bare = text.replace("\\<", "").replace("\\[", "").replace("\\`", "").replace("\\|", "")
    assert "<" not in bare
    assert "[" not in bare
    assert "`" not in bare
    assert bare.count("|") == 4 * rows[0].count("|")
