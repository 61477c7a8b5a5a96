"""`vitprof bench-attention` with a small ViT."""

from __future__ import annotations

import csv
import json

import pytest

pytestmark = pytest.mark.slow

QUICK = (
    "--model",
    "vit-micro-8",
    "--layers",
    1,
    "--batches",
    "1,2",
    "--tokens",
    "16,32",
    "--runs",
    3,
    "--warmup",
    1,
)


def test_all_cases_are_timed_and_written_down(run, tmp_path) -> None:
    out = tmp_path / "attention"
    answer = run("bench-attention", *QUICK, "--out", out, "--json")
    assert answer.code == 0, answer.err
    cases = answer.json["cases"]
    assert len(cases) == 2 * 2 * (2 + 2)
    assert all(case["fused_ms"] > 0 and case["plain_ms"] > 0 for case in cases)
    lines = list(csv.DictReader((out / "attention.csv").open()))
    assert len(lines) == len(cases)
    page = (out / "attention.md").read_text()
    assert "The whole model, bf16" in page
    assert "One attention block, fp32" in page
    assert (out / "attention.png").stat().st_size > 1000
    assert json.loads((out / "report.json").read_text())["where_it_pays"]


def test_either_part_may_be_left_out(run, tmp_path) -> None:
    answer = run(
        "bench-attention",
        *QUICK,
        "--tokens",
        "none",
        "--dtype",
        "fp32",
        "--modes",
        "inference",
        "--out",
        tmp_path / "out",
    )
    assert answer.code == 0, answer.err
    assert answer.out.count("inference, fp32") == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--dtype", "bf61"), "did you mean 'bf16'"),
        (("--modes", "train"), "'train' is not known (did you mean 'training'?)"),
        (("--batches", "0"), "--batches 0 is not a list"),
        (("--batches", "none", "--tokens", "none"), "nothing is to be timed"),
        (("--layers", 99), "has 4"),
        (("--model", "efficientvit-m0"), "is not a ViT"),
        (("--train-device", "cuda:7"), "cannot be used here"),
    ],
)
def test_bad_input_is_one_sentence(run, tmp_path, options, words) -> None:
    answer = run("bench-attention", *QUICK, *options, "--out", tmp_path / "out")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert words in answer.err
    assert not (tmp_path / "out").exists()
