"""The answer to a choice, against brute force over scripted worlds."""

from __future__ import annotations

import pytest
from vitprof.search.deployment_space.answer import (
    nothing_keeps,
    relaxations,
    rows,
    why_lost,
)
from vitprof.search.deployment_space.deployment import Deployment, Variant, Way
from vitprof.search.deployment_space.knowledge import Knowledge
from vitprof.search.deployment_space.limits import Figures, Limits, in_words

from .world import world

SMALL = Variant("small", family="vit", macs=10_000_000, params=1_000_000)
LARGE = Variant("large", 4, 32, family="vit", macs=40_000_000, params=4_000_000)
FP32, INT8 = Way("onnxruntime"), Way("openvino", "int8", 2, 8)


def all_measured() -> Knowledge:
    known = Knowledge(
        [Deployment(one, way) for one in (SMALL, LARGE) for way in (FP32, INT8)],
        {SMALL: 0.8, LARGE: 0.9},
    )
    known.measured = {
        0: Figures(0.80, 1.0, 1e8, 4e6),
        1: Figures(0.79, 0.5, 1e8, 1e6),
        2: Figures(0.90, 2.2, 2e8, 16e6),
        3: Figures(0.85, 1.2, 2e8, 4e6),
    }
    return known


def test_names_say_what_is_run_and_how() -> None:
    assert Deployment(SMALL, FP32).name == "small, onnxruntime fp32"
    assert (
        Deployment(LARGE, INT8).name == "large, 4 merged, 32 px, openvino int8, 2 threads, batch 8"
    )


def test_a_relaxed_limit_buys_what_it_lets_in() -> None:
    known = all_measured()
    found = relaxations(known, known.predicted(), Limits(latency_ms=1.1), 0)
    assert [(one.value, one.place) for one in found] == [
        (pytest.approx(1.21), 3),
        (pytest.approx(2.2), 2),
    ]
    assert found[0].gain == pytest.approx(0.05)
    assert found[0].sentence() == (
        "`max_latency` 1.21 ms: +5.0 points (measured), by large, 4 merged, 32 px, "
        "openvino int8, 2 threads, batch 8"
    )


def test_the_front_is_what_no_other_one_beats() -> None:
    one = world(1)
    known = one.knowledge()
    known.measured = {place: one.figures[d] for place, d in enumerate(one.deployments)}
    found = rows(known, known.predicted())
    assert len(found) == len(one.deployments)
    for row in found:
        beaten = any(
            other["latency_ms"] < row["latency_ms"] and other["accuracy"] >= row["accuracy"]
            for other in found
        )
        assert row["on_front"] == (not beaten)


def test_what_is_not_measured_has_an_interval() -> None:
    known = all_measured()
    del known.measured[3], known.measured[2]
    known.refused[2] = "no operator"
    found = rows(known, known.predicted())
    assert [row["status"] for row in found] == ["measured", "measured", "refused", "predicted"]
    assert found[3]["low_ms"] < found[3]["latency_ms"] < found[3]["high_ms"]
    assert found[0]["low_ms"] == found[0]["high_ms"] == 1.0
    assert found[2]["reason"] == "no operator"
    assert not found[2]["on_front"]


def test_the_nearest_is_named_with_what_it_misses() -> None:
    words = nothing_keeps(all_measured(), Limits(latency_ms=0.4, accuracy=0.75))
    assert "the nearest is small, openvino int8, 2 threads, batch 8" in words
    assert "0.5 ms where `max_latency` is 0.4 ms (25 % off)" in words
    known = all_measured()
    known.measured, known.refused = {}, {0: "no operator"}
    assert nothing_keeps(known, Limits()) == ("none of the deployments could be run: no operator.")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Figures(0.78, 0.5, 1, 1), "2.00 points less accurate, and 50 % faster"),
        (Figures(0.80, 1.2, 1, 1), "as accurate, and 20 % slower"),
    ],
)
def test_why_another_one_lost(other: Figures, words: str) -> None:
    assert why_lost(Figures(0.80, 1.0, 1, 1), other) == words


def test_an_energy_is_learned_from_those_metered() -> None:
    known = all_measured()
    known.measured[0] = Figures(0.80, 1.0, 1e8, 4e6, 30.0)
    predicted = known.predicted()
    assert predicted.figures(0).energy_mj == pytest.approx(30.0, rel=0.05)
    # Twice the time at the same power.
    ratio = predicted.figures(2).latency_ms / predicted.figures(0).latency_ms
    assert predicted.figures(2).energy_mj == pytest.approx(30.0 * ratio, rel=0.05)
    assert Limits(energy_mj=20.0).excess(known.measured[0]) == {"energy_mj": pytest.approx(0.5)}


def test_figures_are_said_in_their_units() -> None:
    assert in_words("latency_ms", 2.4101) == "2.41 ms"
    assert in_words("memory_bytes", 3 * 2**20) == "3 MiB of memory"
    assert in_words("accuracy", 0.912) == "91.2 % accuracy"
