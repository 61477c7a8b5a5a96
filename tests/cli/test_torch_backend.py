"""PyTorch on the CPU has tables of its own: measured, predicted from, validated."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.slow

QUICK = ("--points", "24", "--sessions", "1")
# Ten blocks of the tiny ViT: two widths and two hidden ones.
FEW = "embed=16,32;attention.heads=2;attention.qk=8;attention.v=8;mlp.mlp=32,64"


@pytest.mark.slow
@pytest.mark.long
def test_a_table_of_pytorch_is_measured_asked_and_validated(run, tiny_vit_file, tmp_path) -> None:
    out = tmp_path / "torch.csv"
    answer = run(
        "measure",
        "--backend",
        "torch",
        "--model",
        tiny_vit_file,
        "--grid",
        FEW,
        "--sessions",
        "1",
        "--whole-models",
        "3",
        "--out",
        out,
        "--json",
    )
    assert answer.code in (0, 1), answer.err
    assert answer.json["failed"] == []
    assert "torch,eager,1,fp32,1" in out.read_text()
    model = tmp_path / "model.json"
    model.write_text(
        json.dumps({**json.loads(tiny_vit_file.read_text()), "heads": 2, "qk": 8, "v": 8})
    )
    predicted = run("predict", "--table", out, "--model", model, "--json")
    assert predicted.code == 0, predicted.err
    assert predicted.json["latency_ms"] > 0
    validated = run("validate", "--table", out, "--samples", "3", "--sessions", "1", "--json")
    assert validated.code == 0, validated.err
    assert 0 < validated.json["rivals"]["naive_sum"]["mape"] < 2


def test_a_table_of_another_runtime_is_not_extended(run, measured) -> None:
    path, _ = measured
    answer = run("measure", "--backend", "torch", "--model", "vit-micro-8", *QUICK, "--out", path)
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "backend onnxruntime against torch" in answer.err


def test_what_it_lacks_is_one_sentence_with_the_option(run) -> None:
    answer = run("measure", "--backend", "torch", "--provider", "compil")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "did you mean 'compile'?); --provider is eager or compile" in answer.err
    answer = run("build", "--backend", "torch")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "compiles on the device itself" in answer.err
