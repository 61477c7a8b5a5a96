"""`vitprof choose --runtimes` among a small model of digits, and its options."""

from __future__ import annotations

from pathlib import Path

import pytest

HOW = ("--data", "digits", "--sessions", 1, "--judge-images", 60, "--dtype", "fp32")


@pytest.mark.slow
def test_it_says_what_to_deploy_and_why(run, trained: Path, tmp_path) -> None:
    out = tmp_path / "out"
    answer = run(
        "choose",
        "--model",
        trained,
        *HOW,
        "--runtimes",
        "onnxruntime",
        "--tokens",
        "0,2",
        "--max-latency",
        "1s",
        "--out",
        out,
    )
    assert answer.code in (0, 1), answer.err
    words = " ".join(answer.out.split())
    assert "of 2 deployments (" in words
    assert "verified side by side" in words
    assert "test images that were not used to choose it" in words
    assert (out / "deployments.csv").read_text().count("\n") == 3
    again = run(
        "choose",
        "--model",
        trained,
        *HOW,
        "--runtimes",
        "onnxruntime",
        "--tokens",
        "0,2",
        "--facts",
        out / "facts.jsonl",
        "--out",
        tmp_path / "again",
        "--json",
    )
    assert again.json["tried_now"] == 0
    assert again.json["measured"] + again.json["predicted"] == 2
    assert Path(again.json["file"]).is_file()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--tokens", "0,2"), "`--tokens` goes with --runtimes"),
        (("--runtimes", "all", "--algorithm", "random"), "`--algorithm` cannot be given beside"),
    ],
)
def test_options_of_the_other_kind_are_refused(run, tmp_path, options, words) -> None:
    answer = run("choose", "--model", tmp_path, *HOW, *options, "--out", tmp_path / "out")
    assert answer.code == 2
    assert words in " ".join(answer.err.split())
