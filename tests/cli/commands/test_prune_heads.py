"""`vitprof prune-heads` on digits."""

from __future__ import annotations

import json

import pytest
from vitprof.models import create_spec

pytestmark = pytest.mark.slow

QUICK = ("--data", "digits", "--sessions", 1, "--test-images", 100)


def test_every_level_is_a_smaller_model_in_a_folder_of_its_own(run, trained, tmp_path) -> None:
    out = tmp_path / "levels"
    answer = run("prune-heads", "--model", trained, *QUICK, "--levels", 2, "--out", out, "--json")
    assert answer.code in (0, 1), answer.err
    report = answer.json
    heads = [level["heads_in_all"] for level in report["levels"]]
    assert heads == [8, 5, 3]  # 2 layers of 4: six can go, five do
    params = [one["params"] for one in report["models"]]
    files = [one["file_bytes"] for one in report["models"]]
    assert params == sorted(params, reverse=True)
    assert files == sorted(files, reverse=True)
    for level, one in zip(report["levels"], report["models"], strict=True):
        spec = create_spec(level["folder"])
        assert spec.params == one["params"]
        assert sum(layer.heads for layer in spec.layers) == level["heads_in_all"]
        again = run("eval", "--model", level["folder"], "--data", "digits", "--json")
        assert again.code == 0, again.err
    assert {"facts.csv", "facts.png", "report.json", "whole", "level-1", "level-2"} <= {
        path.name for path in out.iterdir()
    }
    assert json.loads((out / "report.json").read_text())["levels"] == report["levels"]


def test_a_level_may_be_given_its_heads(run, trained, tmp_path) -> None:
    answer = run(
        "prune-heads",
        "--model",
        trained,
        *QUICK,
        "--heads",
        "1,3",
        "--reconstruct",
        0,
        "--norm",
        "absolute",
        "--out",
        tmp_path / "out",
    )
    assert answer.code in (0, 1), answer.err
    assert "level-2 (4 heads)" in answer.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--heads", "9"), "only 6 can, for each layer keeps one"),
        (("--heads", "1,x"), "write 3,3,4"),
        (("--levels", 7), "use fewer --levels"),
    ],
)
def test_what_cannot_go_is_refused(run, trained, tmp_path, options, words) -> None:
    answer = run("prune-heads", "--model", trained, *QUICK, *options, "--out", tmp_path / "out")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert words in answer.err
    assert not (tmp_path / "out").exists()
