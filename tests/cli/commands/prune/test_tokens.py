"""`vitprof prune --method optin` with token merging."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pruned_digits import ONE_SHOT
from vitprof.tables import LatencyTable

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("schedule", ["trajectory", "constant", "decreasing"])
def test_tokens_go_instead_of_units(run, model, merging_table, tmp_path, schedule) -> None:
    out = tmp_path / "merged"
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        merging_table,
        "--target",
        "0.9x",
        *ONE_SHOT,
        "--merge-only",
        "--schedule",
        schedule,
        "--random-merging",
        "--out",
        out,
        "--json",
    )
    assert answer.code == 0, answer.err
    spec = json.loads((out / "spec.json").read_text())
    assert sum(spec["merges"]) > 0
    assert [layer["mlp"] for layer in spec["layers"]] == [64, 64]
    assert answer.json["predicted_ms"] <= answer.json["target_ms"]
    assert 0 <= answer.json["random_merging_top1"] <= 1
    asked = run("eval", "--model", out, "--data", "digits", "--json")
    assert asked.json["top1"] == answer.json["top1"]


def test_units_and_tokens_go_together(run, model, merging_table, tmp_path) -> None:
    out = tmp_path / "both"
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        merging_table,
        "--target",
        "0.6x",
        *ONE_SHOT,
        "--merge-tokens",
        "--out",
        out,
        "--json",
    )
    assert answer.code == 0, answer.err
    assert answer.json["predicted_ms"] <= answer.json["target_ms"]
    asked = run("predict", "--table", merging_table, "--model", out / "spec.json", "--json")
    assert asked.json["latency_ms"] == pytest.approx(answer.json["predicted_ms"], abs=2e-6)


def test_a_table_that_knows_no_merging_says_how_to_measure_one(run, model, table, tmp_path) -> None:
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target",
        "0.9x",
        *ONE_SHOT,
        "--merge-only",
        "--out",
        tmp_path / "out",
    )
    assert answer.code == 2
    assert "vitprof measure --merging" in answer.err


def test_where_merging_costs_more_than_it_saves_that_is_said(
    run, model, merging_table, tmp_path
) -> None:
    table = LatencyTable.read_csv(merging_table)
    rows = [
        replace(row, **{name: getattr(row, name) + 1 for name in ("latency_ms", "high_ms")})
        if row.subject.op == "bipartite_merging"
        else row
        for row in table.rows
    ]
    table.with_rows(rows).to_csv(tmp_path / "slow.csv")
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        tmp_path / "slow.csv",
        "--target",
        "0.9x",
        *ONE_SHOT,
        "--merge-only",
        "--out",
        tmp_path / "out",
    )
    assert answer.code == 2
    assert "merging tokens does not pay here" in answer.err


def test_random_merging_needs_merging(run, model, table, tmp_path) -> None:
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target",
        "0.9x",
        *ONE_SHOT,
        "--random-merging",
        "--out",
        tmp_path / "out",
    )
    assert answer.code == 2
    assert "--random-merging goes with --merge-tokens" in answer.err


def test_a_schedule_of_numbers_needs_no_target(run, model, merging_table, tmp_path) -> None:
    out = tmp_path / "merged"
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        merging_table,
        *ONE_SHOT,
        "--merge-only",
        "--schedule",
        "4,2",
        "--out",
        out,
        "--json",
    )
    assert answer.code == 0, answer.err
    spec = json.loads((out / "spec.json").read_text())
    assert spec["merges"] == [4, 2] and spec["name"] == "digits-vit-merging-4-2"
    assert answer.json["predicted_ms"] == pytest.approx(answer.json["target_ms"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--merge-only", "--schedule", "9"), "merges[0]=9 is more than half of the 17 tokens"),
        (("--merge-only", "--schedule", "5,9"), "merges[1]=9 is more than half of the 12 tokens"),
        (("--merge-only", "--schedule", "5,5,5"), "3 numbers for 2 layers"),
        (("--merge-only", "--schedule", "often"), "none of trajectory, constant, decreasing"),
        (("--merge-tokens", "--schedule", "4,2"), "goes with --merge-only"),
        (("--schedule", "constant"), "--schedule goes with --merge-tokens"),
        (("--merge-only", "--schedule", "4,4", "--target", "0.3x"), "still costs"),
        (("--merge-only",), "give one of --target"),
    ],
    ids=str,
)
def test_a_schedule_that_cannot_be_is_one_sentence(
    run, model, merging_table, tmp_path, arguments, words
) -> None:
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        merging_table,
        *ONE_SHOT,
        *arguments,
        "--out",
        tmp_path / "out",
    )
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert words in answer.err


def test_a_target_that_was_out_of_reach_can_be_changed(run, model, merging_table, tmp_path) -> None:
    out = tmp_path / "out"
    again = (
        "prune",
        "--model",
        model,
        "--table",
        merging_table,
        *ONE_SHOT,
        "--merge-only",
        "--out",
        out,
    )
    refused = run(*again, "--target", "0.3x")
    assert refused.code == 2 and "still costs" in refused.err
    assert run(*again, "--target", "0.9x", "--json").code == 0
    other = run(*again, "--target", "0.9x", "--json")
    assert other.code == 2 and "finished run" in other.err
