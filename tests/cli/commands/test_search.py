"""`vitprof search` on digits: from a supernet and a table to a model, all through the command."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from vitprof.models import create_model, create_spec
from vitprof.search.evaluators import subnet_evaluator
from vitprof.search.supernet.folder import read_supernet
from vitprof.spaces.registry import find_search_space
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.training.data.datasets import load_dataset
from vitprof.training.evaluate import evaluate

pytestmark = pytest.mark.slow

SPACE = {
    "family": "vit",
    "embed": [16, 24, 32],
    "depth": [1, 2, 3],
    "heads": [1, 2],
    "qk": 8,
    "mlp": [16, 32, 48],
    "resolution": 8,
    "patch": 2,
    "classes": 10,
    "in_channels": 1,
}
SHORT = ("--population", "8", "--generations", "3", "--parents", "3", "--candidates", "500")


@pytest.fixture(scope="module")
def space_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("space") / "tiny.json"
    path.write_text(json.dumps(SPACE))
    return path


def table_of(space_file: Path, path: Path, **ms_of_op: float) -> Path:
    """Write a table of the whole space: an op's ms for every MMAC, 1 unless given."""
    rows = []
    for block in find_search_space(str(space_file)).blocks():
        ms = block.macs / 1e6 * ms_of_op.get(block.op, 1.0)
        rows.append(
            Row(
                block,
                latency_ms=ms,
                low_ms=0.99 * ms,
                high_ms=1.01 * ms,
                min_ms=ms,
                p10_ms=ms,
                p90_ms=ms,
                p99_ms=ms,
                session_ms=(ms,) * 3,
                samples=30,
            )
        )
    LatencyTable(rows, Setting("cpu", "onnxruntime", "CPUExecutionProvider")).to_csv(path)
    return path


@pytest.fixture(scope="module")
def table(space_file, tmp_path_factory) -> Path:
    return table_of(space_file, tmp_path_factory.mktemp("table") / "lut.csv")


@pytest.fixture(scope="module")
def supernet(space_file, tmp_path_factory) -> Path:
    from click.testing import CliRunner
    from vitprof.cli.main import vitprof

    out = tmp_path_factory.mktemp("supernet") / "net"
    asked = (
        "supernet",
        "--space",
        space_file,
        "--data",
        "digits",
        "--epochs",
        "12",
        "--batch",
        "64",
        "--sandwich",
        "1",
        "--learning-rate",
        "4e-3",
        "--augment",
        "none",
        "--autocast",
        "fp32",
        "--out",
        out,
        "--json",
    )
    answer = CliRunner().invoke(vitprof, [str(word) for word in asked])
    assert answer.exit_code == 0, answer.output
    return out


@pytest.fixture
def asked(table, supernet) -> tuple[object, ...]:
    return (
        "search",
        "--supernet",
        supernet,
        "--data",
        "digits",
        "--table",
        table,
        "--max-latency",
        "0.25ms",
        *SHORT,
    )


def test_the_best_subnet_under_a_latency(run, asked, supernet, table, tmp_path) -> None:
    out = tmp_path / "found"
    answer = run(*asked, "--max-params", "20k", "--out", out, "--json")
    assert answer.code == 0, answer.err
    report = answer.json
    written = json.loads((out / "report.json").read_text())
    assert report.keys() == written.keys()
    assert report["macs"] == written["macs"]
    assert {
        "predicted_ms",
        "measured_ms",
        "target_ms",
        "params",
        "macs",
        "top1",
        "top3",
        "out",
    } <= set(report)
    assert report["measured_ms"] is None
    assert report["predicted_ms"] <= report["target_ms"] == 0.25
    assert report["params"] <= 20_000
    assert report["evaluated"] == 24

    spec = create_spec(out / "best")
    assert (spec.params, spec.macs) == (report["params"], report["macs"])
    predicted = LatencyTable.read_csv(table).predict(spec).ms
    assert predicted == pytest.approx(report["predicted_ms"], abs=1e-6)
    model = create_model(out / "best", checkpoint=out / "best")
    data = load_dataset("digits")
    found = read_supernet(supernet)
    _, held_out = found.record.parts(data.train)
    assert evaluate(model, held_out, found.norm).top(1) == pytest.approx(
        report["validation_top1"], abs=1e-6
    )
    assert evaluate(model, data.test, found.norm).top(1) == pytest.approx(report["top1"], abs=1e-6)
    assert (out / "best" / "model.onnx").stat().st_size > 1000

    with (out / "front.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["model"] == "best"
    assert [row["model"] for row in rows[1:]] == [m["name"] for m in report["front"]]
    figures = [float(row["figure"]) for row in rows[1:]]
    times = [float(row["predicted_ms"]) for row in rows[1:]]
    assert figures == sorted(figures, reverse=True)
    assert times == sorted(times, reverse=True)
    assert (out / "front.png").read_bytes().startswith(b"\x89PNG")


def test_a_search_that_was_stopped_goes_on_to_the_same_end(
    run, asked, tmp_path, monkeypatch
) -> None:
    assert run(*asked, "--out", tmp_path / "whole").code == 0
    whole = json.loads((tmp_path / "whole" / "report.json").read_text())
    judged = subnet_evaluator.SubnetEvaluator.accuracy
    calls = []

    def stop_after_ten(self, candidate: np.ndarray) -> float:
        if len(calls) == 10:
            raise KeyboardInterrupt
        calls.append(tuple(candidate.tolist()))
        return judged(self, candidate)

    monkeypatch.setattr(subnet_evaluator.SubnetEvaluator, "accuracy", stop_after_ten)
    out = tmp_path / "stopped"
    answer = run(*asked, "--out", out)
    assert answer.code == 130
    assert "10 evaluations are kept" in answer.err

    def count(self, candidate: np.ndarray) -> float:
        calls.append(tuple(candidate.tolist()))
        return judged(self, candidate)

    monkeypatch.setattr(subnet_evaluator.SubnetEvaluator, "accuracy", count)
    answer = run(*asked, "--out", out)
    assert answer.code == 0, answer.err
    assert "going on: 10 models are evaluated" in answer.err
    assert len(calls) == len(set(calls)) == 24
    report = json.loads((out / "report.json").read_text())
    assert {**report, "out": ""} == {**whole, "out": ""}
    finished = run(*asked, "--out", out)
    assert finished.code == 2
    assert "finished run" in finished.err


@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_two_workers_find_what_one_finds(run, asked, tmp_path) -> None:
    alone = run(*asked, "--out", tmp_path / "one", "--json")
    together = run(*asked, "--out", tmp_path / "two", "--workers", "2", "--json")
    assert (alone.code, together.code) == (0, 0), together.err
    assert {**together.json, "out": ""} == {**alone.json, "out": ""}
    lines = (tmp_path / "two" / "evaluations.jsonl").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 1 + 24


def test_every_table_is_kept(run, space_file, table, tmp_path) -> None:
    slow_attention = table_of(space_file, tmp_path / "other.csv", attention=5.0)
    asked = (
        "search",
        "--space",
        space_file,
        "--proxy",
        "macs",
        *SHORT,
        "--table",
        table,
        "--json",
        "--out",
    )
    one = run(*asked, tmp_path / "one", "--max-latency", "0.25ms").json
    both = run(
        *asked,
        tmp_path / "both",
        "--table",
        slow_attention,
        "--max-latency",
        "0.25ms",
        "--max-latency",
        "0.5ms",
    ).json
    spec = create_spec(tmp_path / "one" / "best" / "spec.json")
    assert LatencyTable.read_csv(slow_attention).predict(spec).ms > 0.5
    assert both["best"]["predicted_ms"][0] <= 0.25
    assert both["best"]["predicted_ms"][1] <= 0.5
    assert both["macs"] < one["macs"]


@pytest.mark.parametrize(
    "option",
    [
        ("--max-params", "9k"),
        ("--max-macs", "150k"),
        ("--max-memory", "40KiB"),
    ],
)
def test_every_limit_is_kept(run, space_file, table, tmp_path, option) -> None:
    asked = (
        "search",
        "--space",
        space_file,
        "--proxy",
        "macs",
        *SHORT,
        "--table",
        table,
        "--json",
        "--out",
    )
    free = run(*asked, tmp_path / "free", "--max-latency", "1s").json
    held = run(*asked, tmp_path / "held", "--max-latency", "1s", *option).json
    cost = {"--max-params": "params", "--max-macs": "macs", "--max-memory": "peak_bytes"}[option[0]]
    most = {"9k": 9000, "150k": 150_000, "40KiB": 40 * 1024}[option[1]]
    assert held[cost] <= most < free[cost]
    assert all(model[cost] <= most for model in held["front"])


def test_a_proxy_is_called_one(run, space_file, table, tmp_path) -> None:
    asked = (
        "search",
        "--space",
        space_file,
        "--proxy",
        "params",
        *SHORT,
        "--table",
        table,
        "--max-latency",
        "0.25ms",
        "--out",
        tmp_path / "found",
    )
    answer = run(*asked)
    assert answer.code == 0, answer.err
    assert "no accuracy was measured" in answer.out
    assert "(proxy)" in answer.out
    report = json.loads((tmp_path / "found" / "report.json").read_text())
    assert report["proxy"] == "params"
    assert report["top1"] is None
    assert report["best"]["figure"] == pytest.approx(report["params"] / 1e6)
    assert not (tmp_path / "found" / "best" / "model.safetensors").exists()


@pytest.mark.long
def test_equation_3_weighs_latency_and_cost(run, space_file, supernet, table, tmp_path) -> None:
    asked = (
        "search",
        "--supernet",
        supernet,
        "--data",
        "digits",
        "--table",
        table,
        *SHORT,
        "--objective",
        "cost",
        "--cost-weight",
        "10",
        "--json",
        "--out",
    )
    free = run(*asked, tmp_path / "free").json
    accurate = run(*asked, tmp_path / "accurate", "--min-accuracy", "0.4").json
    assert accurate["validation_top1"] >= 0.4
    weigh = [r["predicted_ms"] + 10 * r["params"] / 1e6 for r in (free, accurate)]
    assert weigh[0] <= weigh[1]


def test_winners_are_measured_where_the_table_was(run, space_file, tmp_path) -> None:
    lut = tmp_path / "lut.csv"
    measured = run(
        "measure",
        "--search-space",
        space_file,
        "--sessions",
        "1",
        "--models",
        "3",
        "--out",
        lut,
        "--json",
    )
    assert measured.code in (0, 1), measured.err  # a busy machine may call points unstable
    answer = run(
        "search",
        "--space",
        space_file,
        "--proxy",
        "macs",
        *SHORT,
        "--table",
        lut,
        "--max-latency",
        "1s",
        "--verify",
        "--winners",
        "2",
        "--json",
        "--out",
        tmp_path / "found",
    )
    assert answer.code in (0, 1), answer.err
    report = answer.json
    assert report["measured_ms"] > 0
    assert sum(m["measured_ms"][0] is not None for m in report["front"]) == min(
        2, len(report["front"])
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (("--max-latency", "0.001ms"), ("no model", "nearest", "over 0.001 ms")),
        (("--max-latency", "10 parsecs"), ("--max-latency", "10 parsecs", "not a latency", "5ms")),
        (("--max-latency", "-3ms"), ("not a latency above 0",)),
        (("--max-latency", "1ms", "--max-params", "0"), ("--max-params", "above 0")),
        (("--max-latency", "1ms", "--max-latency", "2ms"), ("2 --max-latency for 1 --table",)),
        ((), ("nothing limits the model",)),
        (("--max-latency", "1ms", "--parents", "99"), ("99 parents", "population of 8")),
        (("--max-latency", "1ms", "--min-accuracy", "0.5"), ("--objective cost",)),
        (("--max-latency", "1ms", "--data", "digits"), ("--proxy looks at no images",)),
        (
            ("--max-latency", "1ms", "--supernet", "nowhere", "--data", "digits"),
            ("give --supernet and --data", "or --proxy"),
        ),
        (
            ("--max-latency", "1ms", "--space", "autovit-xxs"),
            ("autovit-xxs is not covered", "measure"),
        ),
        (("--max-latency", "1ms", "--space", "autovit-xl"), ("unknown search space", "autovit-")),
    ],
)
def test_bad_input_is_one_sentence(run, space_file, table, tmp_path, changed, words) -> None:
    out = tmp_path / "found"
    answer = run(
        "search",
        "--space",
        space_file,
        "--table",
        table,
        "--proxy",
        "macs",
        *SHORT,
        "--out",
        out,
        *changed,
    )
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    for word in words:
        assert word in answer.err
    assert not out.exists()


def test_a_supernet_of_another_space(run, asked, tmp_path) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**SPACE, "mlp": [16, 32]}))
    answer = run(*asked, "--space", other, "--out", tmp_path / "found")
    assert answer.code == 2
    assert "is of the space 'tiny' and not of 'other'" in answer.err


def test_other_images_than_the_supernet_was_trained_on(run, asked, tmp_path) -> None:
    path = tmp_path / "noise.npz"
    rng = np.random.default_rng(0)
    np.savez(
        path,
        images=rng.integers(0, 255, (200, 1, 8, 8), dtype=np.uint8),
        labels=np.arange(200) % 10,
    )
    answer = run(*asked, "--data", path, "--out", tmp_path / "found")
    assert answer.code == 2
    assert "is not what the supernet was trained on" in answer.err


def test_going_on_without_a_seed(run, space_file, table, tmp_path, monkeypatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "found"
    asked = (
        "search",
        "--space",
        space_file,
        "--proxy",
        "macs",
        *SHORT,
        "--table",
        table,
        "--max-latency",
        "0.25ms",
        "--out",
        out,
    )
    with monkeypatch.context() as patch:
        patch.setattr("vitprof.search.evaluators.proxy.ProxyEvaluator.evaluate", stop)
        assert run(*asked).code == 130
    log = out / "evaluations.jsonl"
    record = json.loads(log.read_text().splitlines()[0])
    del record["seed"]
    log.write_text(json.dumps(record) + "\n")
    answer = run(*asked)
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert "seed" in answer.err


def test_an_evaluation_uses_one_thread(tiny_supernet_evaluator) -> None:
    evaluator, candidate = tiny_supernet_evaluator
    before = torch.get_num_threads()
    evaluator.accuracy(candidate)
    assert torch.get_num_threads() == before


@pytest.fixture
def tiny_supernet_evaluator(supernet):
    found = read_supernet(supernet)
    data = load_dataset("digits")
    train, held_out = found.record.parts(data.train)
    judge = subnet_evaluator.SubnetEvaluator(
        found.record.space, found.supernet, held_out, found.norm, train
    )
    return judge, found.record.space.smallest()


def test_the_limit_is_at_the_speed_that_was_chosen(
    run, space_file, table, make_restless, tmp_path
) -> None:
    slow = make_restless(table)
    found = {}
    for at in ("undisturbed", "p90"):
        asked = ("search", "--space", space_file, "--table", slow, "--proxy", "macs", *SHORT)
        asked += ("--max-latency", "0.2ms", "--at", at, "--out", tmp_path / at, "--json")
        answer = run(*asked)
        assert answer.code == 0, answer.err
        found[at] = answer.json
    assert found["p90"]["at"] == ["p90"]
    assert found["p90"]["predicted_ms"] <= 0.2
    assert found["p90"]["macs"] < found["undisturbed"]["macs"]
    plain = run("predict", "--table", slow, "--model", tmp_path / "p90" / "best" / "spec.json")
    assert f"{found['p90']['predicted_ms']:.4g} ms at its 90th percentile" in plain.out


def test_another_speed_does_not_go_on_with_a_search(
    run, space_file, table, make_restless, tmp_path
) -> None:
    asked = ("search", "--space", space_file, "--table", make_restless(table), "--proxy", "macs")
    asked += (*SHORT, "--max-latency", "0.2ms", "--out", tmp_path / "found")
    shown = run(*asked, "--at", "typical")
    assert "Latencies are at the machine's typical speed (--at typical)." in shown.out
    (tmp_path / "found" / "report.json").unlink()  # as if it had been stopped
    answer = run(*asked)
    assert answer.code == 2
    assert "typical" in answer.err
    assert "undisturbed" in answer.err
