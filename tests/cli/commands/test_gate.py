"""`vitprof gate`: budgets by a table, and base against head."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import vitprof
from small_onnx.small_graphs import Small
from vitprof.tables import LatencyTable

PASSED, USER_ERROR, FAILED, UNDECIDED = 0, 2, 3, 4


def predicted(lut: Path, limit: str, *more: object) -> tuple[object, ...]:
    return ("gate", "--table", lut, "--model", "deit-small", "--max-latency", limit, *more)


@pytest.mark.parametrize(
    ("share", "code", "verdict"),
    [
        (1.2, PASSED, "passed"),
        (0.8, FAILED, "over the limit"),
        (1.0, UNDECIDED, "too uncertain to say"),
    ],
)
def test_the_whole_interval_decides_a_predicted_gate(run, lut, share, code, verdict) -> None:
    ms = vitprof.create_spec("deit-small").macs / 1e8
    answer = run(*predicted(lut, f"{share * ms}ms", "--json"))
    assert answer.code == code, answer.err
    (check,) = answer.json["checks"]
    assert check["verdict"] == verdict
    assert check["value"] == pytest.approx(ms, abs=1e-5)
    assert check["low"] < ms < check["high"]
    assert check["limit"] == pytest.approx(share * ms)
    assert (check["model"], check["against"]) == ("deit-small", str(lut))
    assert answer.json["passed"] == (code == PASSED)


def test_several_models_and_limits_are_a_check_each(run, lut) -> None:
    models = ("--model", "deit-tiny", "--model", "deit-small")
    limits = ("--max-latency", "30ms", "--max-params", "6M", "--max-macs", "10G")
    answer = run("gate", "--table", lut, *models, *limits, "--json")
    assert answer.code == FAILED
    kinds = [(one["model"], one["kind"], one["verdict"]) for one in answer.json["checks"]]
    assert kinds == [
        ("deit-tiny", "latency", "passed"),
        ("deit-tiny", "params", "passed"),
        ("deit-tiny", "macs", "passed"),
        ("deit-small", "latency", "over the limit"),
        ("deit-small", "params", "over the limit"),
        ("deit-small", "macs", "passed"),
    ]


def test_memory_is_of_weights_and_the_largest_block(run, lut) -> None:
    from vitprof.models.peak_memory import peak_memory_bytes

    bytes_of = peak_memory_bytes(vitprof.create_spec("deit-tiny"))
    for limit, code in ((bytes_of, PASSED), (bytes_of - 1, FAILED)):
        answer = run(
            "gate", "--table", lut, "--model", "deit-tiny", "--max-memory", limit, "--json"
        )
        assert answer.code == code, answer.err
        assert answer.json["checks"][0]["value"] == bytes_of


def test_unstable_points_are_warned_of(run, lut) -> None:
    table = LatencyTable.read_csv(lut)
    rows = [
        replace(row, verdict="unstable") if row.subject.op == "mlp" else row for row in table.rows
    ]
    LatencyTable(rows, table.header).to_csv(lut)
    answer = run(*predicted(lut, "1s"))
    assert answer.code == PASSED
    assert "of it is read from unstable points" in answer.err


def test_reports_are_written_and_named(run, lut, tmp_path) -> None:
    junit, summary = tmp_path / "gate.xml", tmp_path / "gate.md"
    summary.write_text("before")
    answer = run(*predicted(lut, "1ms", "--junit", junit, "--summary", summary))
    assert answer.code == FAILED
    assert "gate failed: 0 of 1 limits kept." in answer.out
    assert f"written: {junit}" in answer.err
    assert ET.parse(junit).getroot().get("failures") == "1"
    assert summary.read_text().startswith("### vitprof gate failed")


@pytest.mark.parametrize("option", ["--junit", "--summary"])
def test_a_report_that_cannot_be_written_is_refused_before_anything_is_done(
    run, lut, tmp_path, option
) -> None:
    for path in (tmp_path, tmp_path / "none" / "gate.xml"):
        answer = run(*predicted(lut, "1s", option, path))
        assert (answer.code, answer.is_one_sentence, answer.out) == (USER_ERROR, True, "")


def test_a_file_of_budgets_is_judged(run, lut, tmp_path) -> None:
    config = tmp_path / "gate.toml"
    config.write_text(
        f'table = "{lut.name}"\n[[budget]]\nmodel = "deit-tiny"\nmax_latency = "1s"\n'
        '[[budget]]\nmodel = "deit-small"\nmax_latency = "1ms"\n'
    )
    answer = run("gate", "--config", config, "--json")
    assert answer.code == FAILED
    assert [one["verdict"] for one in answer.json["checks"]] == ["passed", "over the limit"]
    for beside in (("--model", "deit-tiny"), ("--threads", "2"), ("--max-latency", "1ms")):
        answer = run("gate", "--config", config, *beside)
        assert (answer.code, answer.is_one_sentence) == (USER_ERROR, True)
        assert "cannot be given beside --config" in answer.err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((), "there is nothing to judge"),
        (("--model", "deit-tiny"), "has no limit"),
        (("--max-latency", "5ms"), "--max-latency is a limit of no model"),
        (("--model", "deit-tiny", "--max-latency", "soon"), "--max-latency: 'soon' is not"),
        (("--model", "deit-huge", "--max-latency", "5ms"), "deit-huge"),
        (("--base", "vit-micro-8", "--max-regression", "5%"), "1 --base and 0 --head are given"),
        (("--base", "vit-micro-8", "--head", "vit-micro-8"), "--max-regression is missing"),
        (("--max-regression", "5%"), "0 --base and 0 --head"),
        (("--config", "none.toml"), "--table cannot be given beside --config"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(run, lut, given, words) -> None:
    answer = run("gate", "--table", lut, *given)
    assert (answer.code, answer.is_one_sentence) == (USER_ERROR, True), answer.err
    assert words in answer.err


AGAINST_ITSELF = ("--base", "vit-micro-8", "--head", "vit-micro-8")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--max-regression", "5"), "--max-regression is '5'; write it as 5%"),
        (("--max-regression", "-5%"), "write it as 5%"),
        (("--max-regression", "5%", "--sessions", "2"), "--sessions is 2"),
        (("--max-regression", "5%", "--time", "soon"), "--time: 'soon' is not a time"),
        (("--max-regression", "5%", "--device", "toaster"), "toaster"),
        (("--max-regression", "5%", "--head", "vit-tiny-32"), "1 --base and 2 --head"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused(run, given, words) -> None:
    answer = run("gate", *AGAINST_ITSELF, *given)
    assert (answer.code, answer.is_one_sentence) == (USER_ERROR, True), answer.err
    assert words in answer.err


def test_a_hostile_table_cannot_forge_lines(run, lut, tmp_path) -> None:
    name = "lut\x1b[31m|`x`\n# FAKE.csv"
    shutil.copy(lut, tmp_path / name)
    junit, summary = tmp_path / "gate.xml", tmp_path / "gate.md"
    answer = run(*predicted(tmp_path / name, "1s", "--junit", junit, "--summary", summary))
    assert answer.code == PASSED
    for text in (answer.out, answer.err, junit.read_text(), summary.read_text()):
        assert "\x1b" not in text
        assert not any(line.startswith("# FAKE") for line in text.splitlines())
    ET.parse(junit)


def written_net(path: Path, width: int, side: int = 16, classes: int = 4, seed: int = 0) -> Path:
    """Write a small net; another seed has other weights."""
    import numpy as np

    g = Small(1, 3, side, side)
    g._random = np.random.default_rng(seed)
    x = g.op("Relu", g.conv("x", 3, width, 3))
    x = g.op("Relu", g.conv(x, width, width, 3))
    x = g.op("Flatten", g.op("GlobalAveragePool", x))
    path.write_bytes(g.model(g.op("Gemm", x, g.weights(width, classes), g.weights(classes))))
    return path


def measured(base: Path, head: Path, *more: object) -> tuple[object, ...]:
    return ("gate", "--base", base, "--head", head, *more)


@pytest.mark.slow
def test_a_copy_of_a_file_is_measured_against_it(run, tmp_path) -> None:
    base = written_net(tmp_path / "base.onnx", 8)
    head = shutil.copy(base, tmp_path / "head.onnx")
    junit = tmp_path / "gate.xml"
    asked = ("--max-regression", "900%", "--sessions", "8", "--seed", "1", "--junit", junit)
    answer = run(*measured(base, head, *asked, "--json"))
    # A machine that is never left alone leaves it undecided; it cannot be ten times as slow.
    assert answer.code in (PASSED, UNDECIDED), answer.err
    (check,) = answer.json["checks"]
    assert (check["kind"], check["limit"]) == ("regression", 9.0)
    assert check["sessions"] + check["sessions_disturbed"] in (6, 7, 8)
    assert len(check["log_ratios"]) == check["sessions"]
    assert check["setting"]["backend"] == "onnxruntime"
    assert check["warnings"] == []
    if answer.code == PASSED:
        assert check["low"] <= check["value"] <= check["high"] <= 9.0
        assert check["base_ms"] > 0
    assert ET.parse(junit).getroot().get("tests") == "1"


@pytest.mark.slow
def test_a_head_of_much_more_work_has_regressed(run, tmp_path) -> None:
    base = written_net(tmp_path / "base.onnx", 2, side=8)
    head = written_net(tmp_path / "head.onnx", 96, side=8)
    asked = ("--max-regression", "5%", "--sessions", "12", "--allow-other-outputs")
    answer = run(*measured(base, head, *asked))
    assert answer.code in (FAILED, UNDECIDED), answer.err
    assert "gives other outputs than" in answer.err
    if answer.code == FAILED:
        assert "regressed" in answer.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"seed": 1}, "--head gives other outputs than"),
        ({"classes": 5}, "--head gives outputs of 1x5, and"),
        ({"side": 24}, "--head takes inputs of 1x3x24x24, and"),
    ],
)
def test_a_head_that_computes_something_else_is_refused(run, tmp_path, other, words) -> None:
    base = written_net(tmp_path / "base.onnx", 8)
    head = written_net(tmp_path / "head.onnx", 8, **other)
    answer = run(*measured(base, head, "--max-regression", "5%"))
    assert (answer.code, answer.is_one_sentence) == (USER_ERROR, True), answer.err
    assert words in answer.err
    assert "--allow-other-outputs" in answer.err


@pytest.mark.slow
def test_models_of_random_weights_are_compared_by_shape(run, tmp_path) -> None:
    fewer = tmp_path / "fewer.json"
    spec = vitprof.create_spec("vit-micro-8").to_dict()
    fewer.write_text(json.dumps({**spec, "name": "fewer", "layers": spec["layers"][:2]}))
    asked = ("--max-regression", "900%", "--sessions", "6", "--json")
    answer = run("gate", "--base", "vit-micro-8", "--head", fewer, *asked)
    assert answer.code in (PASSED, UNDECIDED), answer.err
    fewer.write_text(json.dumps({**spec, "name": "fewer", "classes": spec["classes"] + 1}))
    answer = run("gate", "--base", "vit-micro-8", "--head", fewer, *asked[:2])
    assert answer.code == USER_ERROR
    assert "--head gives outputs of" in answer.err


@pytest.mark.slow
def test_a_trained_folder_is_compared_by_its_own_answers(run, tmp_path, trained) -> None:
    asked = ("--max-regression", "900%", "--sessions", "6", "--json")
    answer = run("gate", "--base", trained, "--head", trained, *asked)
    assert answer.code in (PASSED, UNDECIDED), answer.err
    assert answer.json["checks"][0]["warnings"] == []


def test_a_broken_file_is_refused(run, tmp_path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    answer = run(
        "gate",
        "--base",
        "vit-micro-8",
        "--head",
        tmp_path / "bad.onnx",
        *("--max-regression", "5%"),
    )
    assert (answer.code, answer.is_one_sentence) == (USER_ERROR, True), answer.err
    assert "bad.onnx" in answer.err


def test_a_budget_that_cannot_be_judged_is_named_by_its_place(run, lut, tmp_path) -> None:
    config = tmp_path / "gate.toml"
    config.write_text(f'table = "{lut.name}"\n[[budget]]\nmodel = "no"\nmax_latency = "1s"\n')
    answer = run("gate", "--config", config)
    assert (answer.code, answer.is_one_sentence) == (USER_ERROR, True), answer.err
    assert f"{config}, [[budget]] 1: unknown model 'no'" in answer.err
