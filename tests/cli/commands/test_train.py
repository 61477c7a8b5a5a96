"""`vitprof train` and `vitprof eval` on digits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from vitprof.backends.machine import cpu_info

pytestmark = pytest.mark.slow

QUICK = (
    "--data",
    "digits",
    "--epochs",
    "2",
    "--batch",
    "64",
    "--augment",
    "none",
    "--autocast",
    "fp32",
)


@pytest.fixture(scope="module")
def spec(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "tiny.json"
    path.write_text(
        json.dumps(
            {
                "family": "vit",
                "embed": 32,
                "depth": 2,
                "heads": 2,
                "mlp": 64,
                "resolution": 8,
                "patch": 2,
                "in_channels": 1,
                "classes": 10,
            }
        )
    )
    return path


def test_a_run_keeps_the_precision_that_it_took(run, spec, tmp_path, monkeypatch) -> None:
    options = (*QUICK[:-2], "--out", tmp_path / "out")
    for there in (True, False):
        monkeypatch.setattr(cpu_info, "has_bf16_products", lambda there=there: there)
        answer = run("train", "--model", spec, *options, "--epochs", "0.1", "--json")
        assert answer.code == 0, answer.err
        asked = json.loads((tmp_path / "out" / "run.json").read_text())
        assert asked["training"]["autocast"] == ("bf16" if there else "fp32")
        shutil.rmtree(tmp_path / "out")


def test_train_then_eval_say_the_same(run, spec, tmp_path) -> None:
    out = tmp_path / "digits"
    answer = run("train", "--model", spec, *QUICK, "--out", out, "--json")
    assert answer.code == 0, answer.err
    assert {"spec.json", "model.safetensors", "preprocessor_config.json", "report.json"} <= {
        path.name for path in out.iterdir()
    }
    assert not (out / "state.pt").exists()
    again = run("eval", "--model", out, "--data", "digits", "--json")
    assert again.code == 0, again.err
    for key in ("top1", "top3", "top5"):
        assert again.json[key] == answer.json[key]
    assert answer.json["top1"] > 0.15
    from_weights = run(
        "eval",
        "--model",
        spec,
        "--checkpoint",
        out / "model.safetensors",
        "--data",
        "digits",
        "--json",
    )
    assert from_weights.json["top1"] == answer.json["top1"]
    words = run("eval", "--model", out, "--data", "digits").out
    assert "top-1" in words
    assert "test images" in words


def test_it_tests_on_the_way_and_draws_the_course(run, spec, tmp_path) -> None:
    picture = tmp_path / "loss.png"
    course = ("--test-every", "0.5", "--plot", picture)
    answer = run("train", "--model", spec, *QUICK, "--out", tmp_path / "out", *course)
    assert answer.code == 0, answer.err
    assert picture.stat().st_size > 1000
    assert f"picture: {picture}" in answer.err
    header, *rows = (tmp_path / "out" / "history.csv").read_text().splitlines()
    assert header == "stage,step,epoch,learning_rate,loss,top1"
    assert len([row for row in rows if not row.endswith(",")]) == 4
    refused = run("train", "--model", spec, *QUICK, "--out", tmp_path / "b", "--test-every", "0")
    assert refused.code == 2
    assert "--test-every is 0" in refused.err
    text = run("train", "--model", spec, *QUICK, "--out", tmp_path / "b", "--plot", "loss.docx")
    assert text.code == 2
    assert "loss.docx" in text.err
    assert not (tmp_path / "b").exists()


def test_a_model_for_other_classes_is_fitted_when_it_starts_from_nothing(run, tmp_path) -> None:
    answer = run(
        "train",
        "--model",
        "vit-micro-8",
        *QUICK[:2],
        "--epochs",
        "0",
        "--out",
        tmp_path / "out",
        "--json",
    )
    assert answer.code == 0, answer.err
    assert json.loads((tmp_path / "out" / "spec.json").read_text())["classes"] == 10


def test_a_run_goes_on_and_a_finished_one_is_not_touched(run, spec, tmp_path, monkeypatch) -> None:
    from vitprof.training import loop

    whole = run("train", "--model", spec, *QUICK, "--out", tmp_path / "whole", "--json")
    monkeypatch.setattr("vitprof.training.saved_run.SECONDS_BETWEEN", 0.0)
    step = loop.TrainingRun._step

    def stop_at_ten(self):
        if self.progress.step == 10:
            raise KeyboardInterrupt
        return step(self)

    out = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        patch.setattr(loop.TrainingRun, "_step", stop_at_ten)
        assert run("train", "--model", spec, *QUICK, "--out", out).code == 130
    other = run("train", "--model", spec, *QUICK, "--seed", "3", "--out", out)
    assert other.code == 2
    assert "another" in other.err
    answer = run("train", "--model", spec, *QUICK, "--out", out, "--json")
    assert answer.code == 0, answer.err
    assert "going on after step 10" in answer.err
    assert answer.json["top1"] == whole.json["top1"]
    finished = run("train", "--model", spec, *QUICK, "--out", out)
    assert finished.code == 2
    assert "finished run" in finished.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--data", "nowhere"), "does not exist"),
        (("--data", "digits", "--batch", "2000"), "smaller --batch"),
        (("--data", "digits", "--train-device", "tpu"), "--train-device tpu"),
        (("--data", "digits", "--teacher", "nowhere"), "not a folder of a model"),
        (("--data", "digits", "--alpha", "0.5"), "--alpha says how a teacher is listened to"),
        (("--data", "digits", "--resolution", "9"), "8 x 8"),
    ],
)
def test_bad_input_is_one_sentence(run, spec, tmp_path, arguments, words) -> None:
    answer = run("train", "--model", spec, *arguments, "--out", tmp_path / "out")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert words in answer.err


def test_a_loss_that_is_no_number_is_one_sentence(run, spec, tmp_path) -> None:
    answer = run(
        "train",
        "--model",
        spec,
        *QUICK,
        "--learning-rate",
        "1e30",
        "--autocast",
        "fp32",
        "--out",
        tmp_path / "out",
        "--json",
    )
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert "loss became" in answer.err


def test_a_folder_with_something_else_is_not_written_into(run, spec, tmp_path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    answer = run("train", "--model", spec, *QUICK, "--out", tmp_path)
    assert answer.code == 2
    assert "not empty" in answer.err


def test_weights_of_another_model_name_what_differs(run, spec, tmp_path) -> None:
    out = tmp_path / "out"
    run("train", "--model", spec, *QUICK[:2], "--epochs", "0", "--out", out)
    answer = run(
        "eval",
        "--model",
        "vit-micro-8",
        "--checkpoint",
        out / "model.safetensors",
        "--data",
        "digits",
    )
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "cls_token" in answer.err


def test_eval_without_weights_and_with_other_classes(run, spec, tmp_path) -> None:
    assert "has no weights" in run("eval", "--model", spec, "--data", "digits").err
    out = tmp_path / "out"
    run("train", "--model", spec, *QUICK[:2], "--epochs", "0", "--out", out)
    np.savez(
        tmp_path / "two.npz", images=np.zeros((20, 1, 8, 8), np.uint8), labels=np.arange(20) % 2
    )
    answer = run("eval", "--model", out, "--data", tmp_path / "two.npz")
    assert answer.code == 2
    assert "has 2 classes" in answer.err
