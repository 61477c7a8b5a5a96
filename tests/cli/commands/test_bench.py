"""`vitprof bench`: protocols of the papers, and the table it writes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from small_onnx.hostile import endless
from vitprof.backends.trial import stop_trials
from vitprof.profiler.bench_protocols import PROTOCOLS

pytestmark = pytest.mark.slow

FEW = ("--sessions", "1", "--runs", "2", "--warmup", "0")
DONE = (0, 1)  # a busy machine may call a model unstable


def test_a_protocol_sets_what_is_not_given(run) -> None:
    answer = run("bench", "--model", "vit-micro-8", "--protocol", "efficientvit", *FEW, "--json")
    assert answer.code in DONE, answer.err
    assert answer.json["batch"] == 16
    # What is given beside a protocol counts; runs that other work disturbed are made up for.
    assert 2 <= answer.json["samples"] + answer.json["set_aside"] <= 4
    answer = run("bench", "--model", "vit-micro-8", "--protocol", "optin", "--json")
    assert (answer.json["sessions"], answer.json["batch"]) == (1, 1)
    assert answer.json["samples"] + answer.json["set_aside"] >= 300


def test_a_model_that_cannot_be_run_is_named_and_the_others_are_measured(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_trials()  # the next one has the limit below
    monkeypatch.setenv("VITPROF_LONGEST_TRIAL", "3")
    (tmp_path / "endless.onnx").write_bytes(endless())
    asked = ("bench", "--model", tmp_path / "endless.onnx", "--model", "vit-micro-8", *FEW)
    answer = run(*asked, "--json")
    assert answer.code == 1, answer.err
    assert [one["model"] for one in answer.json["results"]] == ["vit-micro-8"]
    (failed,) = answer.json["failed"]
    assert failed["model"] == f"'{tmp_path / 'endless.onnx'}'"
    assert "VITPROF_LONGEST_TRIAL" in failed["error"]
    assert f"failed: {failed['model']} cannot be run here: " in answer.err


@pytest.mark.parametrize("ending", ["csv", "md"])
def test_a_table_has_a_line_a_model(run, tiny_vit_file: Path, tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"t.{ending}"
    models = ("--model", "vit-micro-8", "--model", tiny_vit_file)
    answer = run("bench", *models, *FEW, "--batch", "2", "--out", out, "--json")
    assert answer.code in DONE, answer.err
    if ending == "csv":
        header, *lines = list(csv.reader(out.open()))
    else:
        header, rule, *lines = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in out.read_text().splitlines()
        ]
        assert set("".join(rule)) == {"-", ":"}
    assert header[0] == "Model"
    assert "images/s" in header[1]
    results = answer.json["results"]
    for line, result in zip(lines, results, strict=True):
        cells = dict(zip(header, line, strict=True))
        assert cells["Model"] == result["model"]
        assert float(cells[header[1]]) == pytest.approx(result["images_per_s"], abs=0.06)
        assert float(cells["FLOPs (M)"]) == pytest.approx(2 * result["macs"] / 1e6, abs=0.51)
        assert (cells["Input"], cells["Batch"]) == (str(result["input"]), "2")
    assert lines[0][2] == "1.00"


def test_an_unknown_protocol_and_another_ending_are_refused(run, tmp_path: Path) -> None:
    answer = run("bench", "--model", "vit-micro-8", "--protocol", "optim")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "did you mean 'optin'" in answer.err
    answer = run("bench", "--model", "vit-micro-8", "--out", tmp_path / "t.txt")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert ".csv or .md" in answer.err


def test_load_time_and_peak_memory_are_printed(run) -> None:
    answer = run("bench", "--model", "vit-micro-8", *FEW)
    assert answer.code in DONE, answer.err
    assert all(word in answer.out for word in ("load ms", "peak MiB"))
    answer = run("bench", "--model", "vit-micro-8", *FEW, "--json")
    assert answer.json["load_ms"] > 0
    assert answer.json["peak_bytes"] > answer.json["model_bytes"] > 0


def test_a_run_without_pause_is_printed_and_written(run, tmp_path: Path) -> None:
    out, plot = tmp_path / "hot", tmp_path / "hot.svg"
    model = ("bench", "--model", "vit-micro-8", "--sustained", "1s")
    answer = run(*model, "--out", out, "--plot", plot)
    assert answer.code in DONE, answer.err
    lines = answer.out.splitlines()
    assert lines[0].startswith("vit-micro-8 on cpu (onnxruntime")
    shown = {line[2:15].strip(): line[15:] for line in lines[1:]}
    assert {"runs", "session", "first run", "warm runs", "throttling", "clock", "temperature"} <= (
        shown.keys()
    )
    assert "unmeasurable" in shown["energy"] or " J a run" in shown["energy"]
    assert "the run was too short" in shown["throttling"]
    assert sorted(path.name for path in out.iterdir()) == [
        "report.json",
        "sustained.csv",
        "sustained.png",
    ]
    assert plot.stat().st_size > 1000
    answer = run(*model, "--out", out)
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "is not empty" in answer.err


def test_a_run_without_pause_prints_one_object(run) -> None:
    answer = run("bench", "--model", "vit-micro-8", "--sustained", "1", "--json")
    assert answer.code in DONE, answer.err
    assert answer.json["asked_s"] == 1
    energy = answer.json["energy_per_run_j"]
    assert energy == "unmeasurable" or energy > 0
    assert sum(one["runs"] for one in answer.json["intervals"]) == answer.json["runs"]


def test_ctrl_c_ends_it_early_and_reports_what_was_seen(run, monkeypatch) -> None:
    from vitprof.profiler.sustained import loop

    timed_run, count = loop.timed_run, iter(range(10**9))

    def interrupted(*given):
        if next(count) == 60:
            raise KeyboardInterrupt
        return timed_run(*given)

    monkeypatch.setattr(loop, "timed_run", interrupted)
    answer = run("bench", "--model", "vit-micro-8", "--sustained", "10m", "--json")
    assert answer.code == 130
    assert answer.json["interrupted"]
    assert answer.json["runs"] == 59
    assert "stopped after" in answer.err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--sustained", "soon"), "'soon' is not a time"),
        (("--sustained", "1m", "--runs", "5"), "--runs cannot be given beside --sustained"),
        (("--sustained", "1m", "--protocol", "optin"), "--protocol cannot be given beside"),
        (("--sustained", "1m", "--model", "vit-tiny-32"), "one model at a time"),
        (("--sustained", "1m", "--plot", "hot.txt"), "end it in .png"),
        (("--plot", "hot.png"), "give --sustained with it"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(run, given, words: str) -> None:
    answer = run("bench", "--model", "vit-micro-8", *given)
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert words in answer.err


def test_a_file_is_no_folder_for_a_run_without_pause(run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    model = ("bench", "--model", "vit-micro-8", "--sustained", "1m")
    for name in ("file", "t.csv", "t.md"):
        answer = run(*model, "--out", tmp_path / name)
        assert (answer.code, answer.is_one_sentence) == (2, True)
        assert "--out is a folder" in answer.err


def test_protocols_say_where_they_are_from() -> None:
    assert all(protocol.source for protocol in PROTOCOLS.values())
