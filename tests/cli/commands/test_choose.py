"""`vitprof choose` among the levels of a small model of digits."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from vitprof.backends import BackendError
from vitprof.profiler.deployed import comparison
from vitprof.verbs import measured_deployments

pytestmark = pytest.mark.slow

DATA = ("--data", "digits", "--sessions", 1, "--judge-images", 60)


@pytest.fixture(scope="session")
def levels(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What prune-heads made of the trained model: three models."""
    from vitprof.cli.main import main

    out = tmp_path_factory.mktemp("pruned") / "levels"
    with pytest.raises(SystemExit) as stop:
        main(
            [
                "prune-heads",
                "--model",
                str(trained),
                "--data",
                "digits",
                "--levels",
                "2",
                "--sessions",
                "1",
                "--test-images",
                "20",
                "--out",
                str(out),
            ]
        )
    assert stop.value.code in (0, 1)
    return out


def choose(run, levels: Path, out: Path, *options: object):
    return run("choose", "--model", levels, *DATA, *options, "--out", out)


def test_an_exhaustive_search_measures_all_and_hands_the_best_out(run, levels, tmp_path) -> None:
    out = tmp_path / "out"
    answer = choose(run, levels, out, "--algorithm", "exhaustive", "--dtype", "fp32,int8", "--json")
    assert answer.code in (0, 1), answer.err
    report = answer.json
    assert report["evaluated"] == report["variants"] == 6
    scores = [row["score"] for row in report["measured"]]
    assert scores == sorted(scores, reverse=True)
    assert report["model"] == report["measured"][0]["name"]
    best = report["measured"][0]
    expected = 100 * best["top3"] - 0.1 * 10 * best["latency_ms"] - best["peak_bytes"] / 1e9
    assert report["score"] == pytest.approx(expected, abs=1e-3)
    assert Path(report["file"]).stat().st_size == best["file_bytes"]
    assert report["test_images"] == 359 - 60
    told = run("eval", "--model", out / "best", "--data", "digits", "--json")
    assert told.code == 0, told.err
    assert len(list(csv.DictReader((out / "variants.csv").open()))) == 6
    assert (out / "variants.png").stat().st_size > 1000


@pytest.mark.long
def test_of_equals_the_fastest_is_chosen(run, levels, tmp_path) -> None:
    answer = choose(
        run,
        levels,
        tmp_path / "out",
        "--algorithm",
        "exhaustive",
        "--dtype",
        "fp32",
        "--threads",
        "1,2",
        "--latency-weight",
        0,
        "--memory-weight",
        0,
        "--json",
    )
    assert answer.code in (0, 1), answer.err
    equals = [row for row in answer.json["measured"] if row["score"] == answer.json["score"]]
    assert len(equals) >= 2
    assert answer.json["best"]["latency_ms"] == min(row["latency_ms"] for row in equals)


def test_a_file_is_written_once_whatever_it_is_measured_beside(
    run, levels, tmp_path, monkeypatch
) -> None:
    written: list[tuple[str, str]] = []
    real = comparison.deploy

    def counted(folder: Path, runtime: str, precision: str, *rest, **options):
        written.append((folder.name, precision))
        return real(folder, runtime, precision, *rest, **options)

    monkeypatch.setattr(comparison, "deploy", counted)
    answer = choose(
        run,
        levels,
        tmp_path / "out",
        "--algorithm",
        "exhaustive",
        "--dtype",
        "fp32",
        "--threads",
        "1,2",
        "--json",
    )
    assert answer.code in (0, 1), answer.err
    assert {row["threads"] for row in answer.json["measured"]} == {1, 2}
    names = ("whole", "level-1", "level-2")
    assert sorted(written) == sorted((name, "fp32") for name in names)


def test_what_cannot_be_run_is_one_sentence(run, levels, tmp_path, monkeypatch) -> None:
    def refused(*arguments, **options):
        raise BackendError("the runtime has no such operator")

    monkeypatch.setattr(measured_deployments, "facts_of", refused)
    answer = choose(run, levels, tmp_path / "out", "--dtype", "fp32")
    assert answer.code == 2
    assert "whole, fp32 cannot be run here: the runtime has no such operator" in answer.err


def test_limits_are_kept_and_what_was_measured_serves_others(run, levels, tmp_path) -> None:
    facts = tmp_path / "facts.jsonl"
    first = choose(
        run,
        levels,
        tmp_path / "first",
        "--algorithm",
        "exhaustive",
        "--facts",
        facts,
        "--dtype",
        "fp32",
        "--json",
    ).json
    measured = sorted(first["measured"], key=lambda row: row["latency_ms"])
    lines = facts.read_text().splitlines()
    between = f"{(measured[0]['latency_ms'] + measured[1]['latency_ms']) / 2:.6f}ms"
    answer = choose(
        run,
        levels,
        tmp_path / "second",
        "--algorithm",
        "exhaustive",
        "--facts",
        facts,
        "--dtype",
        "fp32",
        "--max-latency",
        between,
        "--json",
    )
    assert answer.code in (0, 1), answer.err
    assert facts.read_text().splitlines() == lines  # nothing was measured again
    assert answer.json["model"] == measured[0]["name"]
    assert [row["score"] is None for row in answer.json["measured"]] == [False, True, True]


def test_a_limit_that_nothing_keeps_names_the_nearest(run, levels, tmp_path) -> None:
    facts = tmp_path / "facts.jsonl"
    answer = choose(
        run,
        levels,
        tmp_path / "out",
        "--facts",
        facts,
        "--dtype",
        "fp32",
        "--algorithm",
        "exhaustive",
        "--max-memory",
        "1MiB",
    )
    assert answer.code == 2
    assert "none of the 3 variants that were measured keeps the limits" in answer.err
    assert "MiB where 1 MiB is the limit" in answer.err
    assert answer.err.rstrip().endswith("Allow that much.")  # all were measured
    assert len(facts.read_text().splitlines()) == 4  # what was measured is kept


def test_a_limit_on_parameters_that_nothing_keeps_is_known_at_once(run, levels, tmp_path) -> None:
    answer = choose(run, levels, tmp_path / "out", "--max-params", "1k")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "over 1 k parameters" in answer.err
    assert not (tmp_path / "out").exists()


def test_an_interrupted_search_goes_on(run, levels, tmp_path, monkeypatch) -> None:
    from vitprof.verbs.measured_deployments import MeasuredDeployments

    measure, count = MeasuredDeployments.facts, 0

    def twice(self, variant):
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return measure(self, variant)

    options = ("--algorithm", "exhaustive", "--dtype", "fp32", "--json")
    with monkeypatch.context() as patch:
        patch.setattr(MeasuredDeployments, "facts", twice)
        assert choose(run, levels, tmp_path / "out", *options).code == 130
    kept = (tmp_path / "out" / "facts.jsonl").read_text().splitlines()
    assert len(kept) == 3
    answer = choose(run, levels, tmp_path / "out", *options)
    assert answer.code in (0, 1), answer.err
    assert "2 variants are measured already" in answer.err
    assert answer.json["evaluated"] == 3
    assert (tmp_path / "out" / "facts.jsonl").read_text().splitlines()[:3] == kept


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--dtype", "int4"), "unknown --dtype 'int4'"),
        (("--threads", "0"), "such as 1,2"),
        (("--max-latency", "fast"), "write it as 5ms"),
        (("--max-cpu", "-3"), "write it as 100%"),
        (("--model", "nowhere"), "neither a folder of vitprof prune-heads"),
    ],
)
def test_bad_input_is_one_sentence(run, levels, tmp_path, options, words) -> None:
    answer = choose(run, levels, tmp_path / "out", *options)
    assert answer.code == 2
    assert answer.is_one_sentence
    assert words in answer.err
    assert not (tmp_path / "out").exists()


def test_a_record_of_other_images_is_refused(run, levels, tmp_path) -> None:
    facts = tmp_path / "facts.jsonl"
    options = ("--facts", facts, "--dtype", "fp32", "--algorithm", "random", "--evaluations", 1)
    assert choose(run, levels, tmp_path / "first", *options).code in (0, 1)
    answer = choose(run, levels, tmp_path / "second", *options, "--judge-images", 61)
    assert answer.code == 2
    assert "was measured with another images" in answer.err
    record = json.loads(facts.read_text().splitlines()[0])
    facts.write_text(json.dumps(record) + "\n[]\n")
    answer = choose(run, levels, tmp_path / "third", *options)
    assert answer.code == 2
    assert "is damaged" in answer.err


def test_a_record_serves_fewer_models_too_but_no_other_ones(run, levels, trained, tmp_path) -> None:
    facts = tmp_path / "facts.jsonl"
    options = ("--facts", facts, "--dtype", "fp32", "--algorithm", "exhaustive", "--json")
    both = choose(run, levels, tmp_path / "both", "--model", trained, *options)
    assert both.code in (0, 1), both.err
    assert both.json["evaluated"] == 4
    kept = facts.read_text()
    fewer = choose(run, levels, tmp_path / "fewer", *options)
    assert fewer.code in (0, 1), fewer.err
    assert fewer.json["evaluated"] == 3
    assert facts.read_text() == kept
    other = tmp_path / "other" / levels.name
    shutil.copytree(levels, other)
    weights = other / "level-2" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    answer = choose(run, other, tmp_path / "third", *options)
    assert answer.code == 2
    assert f"was measured with another model {levels.name}/level-2" in answer.err
