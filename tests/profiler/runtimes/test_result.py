"""Advice from intervals, agreement on the order of models, and the forms of the result."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from vitprof.profiler.runtimes.facts import RuntimeFacts
from vitprof.profiler.runtimes.result import RuntimeComparison


def fact(model: str, runtime: str, ms: float, half: float = 0.01) -> RuntimeFacts:
    return RuntimeFacts(
        model,
        runtime,
        "fp32",
        "measured",
        latency_ms=ms,
        low_ms=ms * (1 - half),
        high_ms=ms * (1 + half),
        cores=1.0,
        output_error=1e-6,
        load_ms=5.0,
        first_run_ms=ms,
    )


def comparison(*facts: RuntimeFacts) -> RuntimeComparison:
    return RuntimeComparison(facts, ("litert: not installed",), 1, 1)


def test_the_fastest_is_told_with_what_it_gains() -> None:
    found = comparison(fact("a", "slow", 20.0), fact("a", "fast", 10.0))
    assert found.advice == ["a: fast, fp32 (10 ms); 50% less than the next, slow, fp32."]


def test_where_int8_wins_the_fastest_in_fp32_is_told_too() -> None:
    int8 = replace(fact("a", "x", 5.0), dtype="int8")
    found = comparison(fact("a", "x", 10.0), int8, fact("a", "y", 8.0))
    assert [(one.dtype, one.fastest.name) for one in found.choices] == [
        ("", "x, int8"),
        ("fp32", "y, fp32"),
    ]
    assert found.advice[1].startswith("a in fp32: y, fp32 (8 ms); 20% less")


def test_overlapping_intervals_are_no_difference() -> None:
    found = comparison(fact("a", "x", 10.0), fact("a", "y", 10.1), fact("a", "z", 12.0))
    (choice,) = found.choices
    assert [one.runtime for one in choice.ties] == ["y"]
    assert "intervals overlap" in choice.sentence()
    assert choice.next_one is not None and choice.next_one.runtime == "z"


def test_what_failed_is_never_advised_and_makes_the_result_doubtful() -> None:
    failed = RuntimeFacts("a", "broken", "fp32", error="no such operator")
    found = comparison(failed, fact("a", "x", 10.0))
    assert found.is_doubtful and found.choices[0].fastest.runtime == "x"
    assert comparison(failed).choices == []


def test_kendall_tau_of_two_runtimes_over_the_models_that_both_run() -> None:
    ms = {"x": (1.0, 2.0, 3.0, 4.0), "y": (10.0, 20.0, 40.0, 30.0)}
    facts = [
        fact(f"m{nth}", name, value) for name, of in ms.items() for nth, value in enumerate(of)
    ]
    found = comparison(*facts, RuntimeFacts("m4", "x", "fp32", error="failed"))
    # Of six pairs one is the other way round.
    assert found.kendall_taus == {("x, fp32", "y, fp32"): pytest.approx(4 / 6)}


def test_two_models_are_in_no_order_to_agree_on() -> None:
    facts = [fact(model, name, 1.0) for model in "ab" for name in "xy"]
    assert comparison(*facts).kendall_taus == {}


def test_report_is_json_and_the_frame_has_a_line_each() -> None:
    found = comparison(fact("a", "x", 10.0), RuntimeFacts("a", "y", "fp32", error="why"))
    report = json.loads(json.dumps(found.report(), allow_nan=False))
    assert report["results"][1]["latency_ms"] is None
    assert report["results"][1]["error"] == "why"
    assert report["not_compared"] == ["litert: not installed"]
    assert len(found.to_frame()) == 2
    assert found.to_csv().count("\n") == 3


@pytest.mark.parametrize("models", ["a", "abc"])
def test_the_picture_shows_every_runtime_that_ran(models: str) -> None:
    facts = [fact(model, name, 3.0) for model in models for name in ("x", "y")]
    figure = comparison(*facts, RuntimeFacts("a", "z", "fp32", error="why")).figure()
    shown = [text.get_text() for axes in figure.axes for text in axes.get_yticklabels()]
    legend = [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    names = [text.get_text() for one in legend for text in one.get_texts()]
    assert {"x, fp32", "y, fp32"} <= {*shown, *names}
