"""`vitprof.choose_deployment` among tiny models of digits, by the runtimes that are here."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
import vitprof
from vitprof.verbs.deployments.choice import DeploymentChoice

from .learned import learned

pytestmark = pytest.mark.slow

RUNTIMES = ["onnxruntime", "torch"]
if importlib.util.find_spec("openvino"):
    RUNTIMES.append("openvino")
HOW = {
    "runtimes": RUNTIMES,
    "dtypes": "fp32",
    "tokens": [0, 2],
    "sessions": 1,
    "judge_images": 60,
}
# Later questions of that run are of one runtime, the quickest to start.
ONE = {**HOW, "runtimes": ["onnxruntime"]}


@cache
def chosen() -> DeploymentChoice:
    out = Path(mkdtemp(prefix="vitprof-deployment-")) / "out"
    return vitprof.choose_deployment(
        learned().path, "digits", out=out, max_latency="1s", measurements=3, **HOW
    )


@pytest.mark.long
def test_the_most_accurate_is_chosen_and_verified() -> None:
    run = chosen()
    frame = run.to_frame()
    assert len(frame) == 2 * len(RUNTIMES)
    measured = frame[frame["status"] == "measured"]
    assert set(measured["runtime"]) <= set(RUNTIMES)
    assert run.best["accuracy"] == measured["accuracy"].max()
    assert run.winner.keeps
    assert run.best["latency_ms"] == run.winner.latency_ms
    assert run.winner.images == 359 - 60
    assert run.winner.low_ms < run.winner.latency_ms < run.winner.high_ms
    assert len(run.others) == min(2, len(measured) - 1)


@pytest.mark.long
def test_it_shows_and_saves_itself(tmp_path) -> None:
    run = chosen()
    assert run.best["name"] in repr(run)
    names = {path.name for path in run.path.iterdir()}
    assert {"best", "deployments.csv", "deployments.png", "report.json", "facts.jsonl"} <= names
    assert run.file.is_file()
    assert (run.file.parent / "spec.json").is_file()
    assert json.loads((run.path / "report.json").read_text()) == run.report()
    run.plot(tmp_path / "all.svg")
    assert "limit 1000 ms" in (tmp_path / "all.svg").read_text()


@pytest.mark.long
def test_what_was_measured_serves_other_limits(tmp_path) -> None:
    run = chosen()
    kept = (run.path / "facts.jsonl").read_text()
    again = vitprof.choose_deployment(
        [learned().path],
        "digits",
        out=tmp_path / "out",
        facts=run.path / "facts.jsonl",
        max_latency="1s",
        max_size="1GiB",
        percentile="p99",
        at="undisturbed",
        measurements=3,
        **ONE,
    )
    assert again.best["accuracy"] == run.best["accuracy"]
    assert (run.path / "facts.jsonl").read_text().startswith(kept)


def test_limits_that_nothing_keeps_name_the_nearest(tmp_path, refused) -> None:
    with refused("the nearest is digits", "MiB on disk where `max_size` is"):
        vitprof.choose_deployment(
            learned().path,
            "digits",
            out=tmp_path / "out",
            facts=chosen().path / "facts.jsonl",
            max_size=10,
            measurements=1,
            **ONE,
        )
    assert not (tmp_path / "out" / "report.json").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"runtimes": "onnx"}, "unknown runtime 'onnx'"),
        ({"dtypes": "int4"}, "unknown `dtypes` 'int4'"),
        ({"threads": [0]}, "`threads` [0] is not a list"),
        ({"max_latency": "fast"}, "fast"),
        ({"at": "best"}, "is not a speed"),
        ({"percentile": "p50"}, "unknown `percentile` 'p50'"),
        ({"measurements": 0}, "`measurements` is 0"),
        ({"environments": {"tflite": "python"}}, "unknown runtime 'tflite'"),
        ({"resolutions": "9"}, "no model is left"),
    ],
)
def test_bad_input_is_one_sentence(options, words, tmp_path, refused) -> None:
    with refused(words):
        vitprof.choose_deployment(
            learned().path, "digits", out=tmp_path / "out", **{**HOW, **options}
        )


def test_energy_is_refused_where_nothing_counts_it(tmp_path, refused, monkeypatch) -> None:
    from vitprof.profiler.sustained import rapl
    from vitprof.profiler.sustained.sensors import Untold

    monkeypatch.setattr(rapl, "rapl_energy", lambda root: Untold("no RAPL counter"))
    with refused("`max_energy` cannot be kept here: no RAPL counter"):
        vitprof.choose_deployment(
            learned().path, "digits", out=tmp_path / "out", max_energy=3.0, **HOW
        )
