"""`vitprof gate --base-result`: against what `bench --reference --json` wrote at another time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PASSED, USER_ERROR, FAILED, UNDECIDED = 0, 2, 3, 4
HEAD = ("--head", "vit-micro-8", "--max-regression", "900%", "--sessions", "6")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stored_once(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What bench wrote of the smallest model."""
    import contextlib
    import io

    from vitprof.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as stop,
    ):
        asked = "--model vit-micro-8 --reference --sessions 3 --runs 5 --json"
        main(["bench", *asked.split()])
    assert stop.value.code in (0, 1), err.getvalue()
    return out.getvalue()


@pytest.fixture
def stored(stored_once: str, tmp_path: Path) -> Path:
    path = tmp_path / "bench.json"
    path.write_text(stored_once)
    return path


def test_bench_keeps_where_and_how_it_measured(stored: Path) -> None:
    record = json.loads(stored.read_text())
    assert record["setting"]["backend"] == "onnxruntime"
    assert set(record["environment"]) == {"machine", "runtime"}
    assert len(record["session_ms"]) == len(record["reference_ms"]) == 3
    assert record["reference"].startswith("mlp(embed=768")
    # Latencies stay those of the moment, not those of the undisturbed machine.
    assert record["latency_ms"] == pytest.approx(sorted(record["session_ms"])[1])
    assert record["output_shapes"] == [[1, record["output_shapes"][0][1]]]


def test_the_same_machine_is_judged(run, stored: Path) -> None:
    answer = run("gate", "--base-result", stored, *HEAD, "--json")
    assert answer.code in (PASSED, UNDECIDED), answer.err
    (check,) = answer.json["checks"]
    assert check["low"] < check["value"] < check["high"]
    assert check["against"] == str(stored)
    assert "another time" in check["warnings"][0]


@pytest.mark.parametrize(
    ("where", "value", "words"),
    [
        (("environment", "machine", "cpu"), "Another CPU", "on another machine or runtime"),
        (("environment", "machine", "logical_cores"), 96, "on another machine or runtime"),
        (("environment", "runtime", "onnxruntime"), "0.0.1", "on another machine or runtime"),
        (("setting", "threads"), 2, "threads 2 against 1"),
        (("setting", "device"), "t4", "device t4 against cpu"),
        (("setting", "threads"), -1, "threads is -1"),
        (("setting",), None, "does not say where and how"),
        (("environment",), {}, "does not say where and how"),
        (("reference",), None, "measured without a reference"),
        (("reference",), "mlp\x1b[31m", "has another reference (mlp [31m)"),
        (("reference_ms",), [1.0], "measured without a reference"),
        (("session_ms",), [1.0, -1.0, 2.0], "not a list of times"),
        (("session_ms",), "soon", "not a list of times"),
        (("input_shape",), [3, 1, 1], "--head takes images of"),
        (("output_shapes",), [[1, 7]], "--head gives outputs of"),
    ],
)
def test_a_base_of_elsewhere_is_refused(run, stored: Path, where, value, words: str) -> None:
    record = json.loads(stored.read_text())
    inner = record
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    stored.write_text(json.dumps(record))
    answer = run("gate", "--base-result", stored, *HEAD)
    assert (answer.code, answer.is_one_sentence, answer.out) == (USER_ERROR, True, ""), answer.err
    assert words in answer.err
    assert "\x1b" not in answer.err


def test_few_sessions_are_refused(run, stored: Path) -> None:
    record = json.loads(stored.read_text())
    for key in ("session_ms", "reference_ms"):
        record[key] = record[key][:2]
    stored.write_text(json.dumps(record))
    answer = run("gate", "--base-result", stored, *HEAD)
    assert (answer.code, answer.is_one_sentence) == (USER_ERROR, True)
    assert "has 2 sessions" in answer.err


def test_it_stands_in_place_of_a_base(run, stored: Path) -> None:
    answer = run("gate", "--base-result", stored, "--base", "vit-micro-8", *HEAD)
    assert (answer.code, answer.is_one_sentence) == (USER_ERROR, True)
    assert "--base-result stands in place of --base" in answer.err
    answer = run("gate", "--base-result", stored, "--max-regression", "5%")
    assert answer.code == USER_ERROR
    stored.write_text("{")
    answer = run("gate", "--base-result", stored, *HEAD)
    assert (answer.code, answer.is_one_sentence) == (USER_ERROR, True)
