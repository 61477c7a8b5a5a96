"""A VGG from training to a pruned model, all through the commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from vitprof.models import VggSpec, create_model
from vitprof.spaces.vgg import VggSlabs
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.training.data.datasets import load_dataset
from vitprof.training.model_folder import write_model

pytestmark = pytest.mark.slow

SPEC = VggSpec(
    stages=((16, 16), (16, 16)),
    hidden=(24,),
    pooled=1,
    resolution=8,
    in_channels=1,
    classes=10,
    name="digits-vgg",
)
ONE_SHOT = (
    "--method",
    "optin",
    "--data",
    "digits",
    "--score-images",
    "16",
    "--reconstruct",
    "100",
    "--groups",
    "channels=4",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "digits-vgg"
    torch.manual_seed(0)
    write_model(create_model(SPEC), folder, load_dataset("digits").normalisation)
    return folder


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("table") / "lut.csv"
    rows = [
        Row(
            block,
            latency_ms=ms,
            low_ms=ms,
            high_ms=ms,
            min_ms=ms,
            p10_ms=ms,
            p90_ms=ms,
            p99_ms=ms,
            session_ms=(ms,) * 3,
            samples=9,
        )
        for block in VggSlabs.covering(SPEC).blocks()
        for ms in [block.macs / 1e6 + 0.01]
    ]
    LatencyTable(rows, Setting("cpu", "onnxruntime", "CPUExecutionProvider")).to_csv(path)
    return path


def test_a_vgg_is_trained_and_its_statistics_are_kept(run, tmp_path) -> None:
    path = tmp_path / "digits-vgg.json"
    path.write_text(SPEC.to_json())
    out = tmp_path / "trained"
    answer = run(
        "train",
        "--model",
        path,
        "--data",
        "digits",
        "--epochs",
        "4",
        "--batch",
        "64",
        "--autocast",
        "fp32",
        "--learning-rate",
        "0.01",
        "--augment",
        "none",
        "--json",
        "--out",
        out,
    )
    assert answer.code == 0, answer.err
    assert answer.json["top1"] > 0.7
    trained = create_model(out, checkpoint=out)
    assert all(conv.bn.running_mean.abs().max() > 0.01 for conv in trained.convs)
    again = run("eval", "--model", out, "--data", "digits", "--json")
    assert again.json["top1"] == answer.json["top1"]


def test_joint_scores_of_convolutions_are_refused(run, model, table, tmp_path) -> None:
    given = ("--table", table, "--target-macs", "0.7x", *ONE_SHOT, "--score", "joint")
    answer = run("prune", "--model", model, *given, "--out", tmp_path / "pruned")
    assert answer.code == 2
    assert "has convolutions" in answer.err
    assert not (tmp_path / "pruned").exists()


@pytest.mark.parametrize("score", ["trajectory", "magnitude", "taylor", "random"])
@pytest.mark.few("trajectory")
def test_one_shot_writes_a_dense_vgg(run, model, table, tmp_path, score) -> None:
    import onnxruntime

    out = tmp_path / "pruned"
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target-macs",
        "0.7x",
        *ONE_SHOT,
        "--score",
        score,
        "--out",
        out,
        "--json",
    )
    assert answer.code == 0, answer.err
    assert answer.json["macs"] <= 0.7 * SPEC.macs
    names = {path.name for path in out.iterdir()}
    assert {
        "spec.json",
        "model.safetensors",
        "model.onnx",
        "report.json",
        "redistribution.csv",
        "redistribution.png",
    } <= names
    made = create_model(out / "spec.json", checkpoint=out / "model.safetensors").eval()
    assert (
        made.spec.macs
        == answer.json["macs"]
        == json.loads((out / "report.json").read_text())["macs"]
    )
    lines = (out / "redistribution.csv").read_text().splitlines()
    assert len(lines) == 5
    assert sum(int(line.split(",")[3]) for line in lines[1:]) == sum(made.spec.channels)
    images = torch.randn(1, 1, 8, 8)
    session = onnxruntime.InferenceSession(out / "model.onnx", providers=["CPUExecutionProvider"])
    given = session.run(None, {"input": images.numpy()})[0]
    torch.testing.assert_close(torch.from_numpy(given), made(images).detach(), rtol=1e-4, atol=1e-4)
    asked = run("eval", "--model", out, "--data", "digits", "--json")
    assert asked.json["top1"] == answer.json["top1"]
    asked = run("predict", "--table", table, "--model", out / "spec.json", "--json")
    assert asked.json["latency_ms"] == answer.json["predicted_ms"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--method", "nvit"), "--method optin prunes"),
        (("--method", "optin", "--merge-tokens"), "--merge-tokens is for transformers"),
        (("--method", "optin", "--merge-only"), "--merge-only is for transformers"),
        (("--method", "optin", "--order", "heads"), "has no heads"),
        (("--method", "optin", "--groups", "chanels=4"), "did you mean 'channels'"),
        (("--method", "optin", "--only", "layers.1."), "may shrink"),
        (("--method", "optin", "--target-macs", "0.001x"), "out of reach"),
    ],
    ids=str,
)
def test_what_a_vgg_does_not_have_is_one_sentence(
    run, model, table, tmp_path, arguments, words
) -> None:
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--data",
        "digits",
        "--target-macs",
        "0.7x",
        *arguments,
        "--out",
        tmp_path / "out",
    )
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert words in answer.err
    assert not (tmp_path / "out").exists()


def test_one_convolution_alone_may_shrink(run, model, table, tmp_path) -> None:
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target-macs",
        "0.9x",
        *ONE_SHOT,
        "--only",
        "convs.1.",
        "--out",
        tmp_path / "out",
        "--json",
    )
    assert answer.code == 0, answer.err
    assert create_model(tmp_path / "out").spec.stages == ((16, 12), (16, 16))
