"""`vitprof prune --method optin`: units, without training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pruned_digits import ONE_SHOT, QUICK

pytestmark = pytest.mark.slow


def test_one_shot_writes_what_training_writes(run, model, table, tmp_path) -> None:
    out = tmp_path / "pruned"
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target",
        "0.9x,0.7x",
        *ONE_SHOT,
        "--out",
        out,
        "--json",
    )
    assert answer.code == 0, answer.err
    for each in answer.json["models"]:
        assert each["predicted_ms"] <= each["target_ms"]
        folder = Path(each["out"])
        names = {path.name for path in folder.iterdir()}
        assert {
            "spec.json",
            "model.safetensors",
            "model.onnx",
            "report.json",
            "redistribution.csv",
            "redistribution.png",
        } <= names
        asked = run("eval", "--model", folder, "--data", "digits", "--json")
        assert asked.json["top1"] == each["top1"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--epochs", "3"), "--epochs belongs to --method nvit"),
        (("--alpha", "0"), "--alpha belongs to --method nvit"),
        (("--score", "hessian"), "has no --score hessian"),
        (("--score-images", "5000"), "use fewer"),
        (("--target", "0.01x"), "out of reach"),
    ],
    ids=str,
)
def test_bad_input_of_one_shot_is_one_sentence(
    run, model, table, tmp_path, arguments, words
) -> None:
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target",
        "0.8x",
        *ONE_SHOT,
        *arguments,
        "--out",
        tmp_path / "out",
        "--json",
    )
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert words in answer.err


def test_an_option_of_the_other_method_is_refused(run, model, table, tmp_path) -> None:
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target",
        "0.8x",
        *QUICK,
        "--lambda",
        "1",
        "--out",
        tmp_path / "out",
    )
    assert answer.code == 2
    assert "--lambda belongs to --method optin" in answer.err


def test_scores_of_a_run_that_stopped_serve_another_target(run, model, table, tmp_path) -> None:
    out = tmp_path / "out"
    again = ("prune", "--model", model, "--table", table, *ONE_SHOT, "--out", out)
    assert run(*again, "--target", "0.9x", "--json").code == 0
    (out / "report.json").unlink()  # as if it had been killed while it was testing
    torch.save({"errors": {"layers.0.heads": torch.zeros(2, 2)}}, out / "state.pt")
    stopped = run(*again, "--target", "0.8x")
    assert stopped.code == 0 and "going on with the run" in stopped.err
    lines = (out / "sensitivity.csv").read_text().splitlines()
    assert lines[1].startswith("layers.0.heads,heads,2,0,")


def test_too_few_images_leave_nothing_behind(run, model, table, tmp_path) -> None:
    again = (
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target",
        "0.9x",
        *ONE_SHOT,
        "--out",
        tmp_path / "out",
    )
    assert run(*again, "--score-images", "9999").code == 2
    assert not (tmp_path / "out").exists()
