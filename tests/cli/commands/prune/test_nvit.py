"""`vitprof prune` from a trained model and a table to smaller models, all through the command."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
import torch
from pruned_digits import QUICK, SPEC, table_of
from vitprof.backends.protocol import BackendOptions
from vitprof.backends.tensorrt.engine import engine_from_onnx
from vitprof.backends.tensorrt.library import tensorrt_library
from vitprof.backends.tensorrt.sparsity import sparsity_report
from vitprof.backends.two_four import is_two_four, prune_two_four, weight_layers
from vitprof.models import SwinSpec, create_model
from vitprof.spaces.swin import SwinSlabs
from vitprof.training.data.datasets import load_dataset
from vitprof.training.model_folder import write_model

pytestmark = pytest.mark.slow


def test_one_target_writes_everything_into_the_folder(run, model, table, tmp_path) -> None:
    import onnxruntime

    out = tmp_path / "pruned"
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target",
        "0.6x",
        *QUICK,
        "--out",
        out,
        "--json",
    )
    assert answer.code == 0, answer.err
    found = answer.json
    assert {
        "predicted_ms",
        "measured_ms",
        "target_ms",
        "params",
        "macs",
        "top1",
        "top3",
        "out",
    } <= set(found)
    assert found["predicted_ms"] <= found["target_ms"]
    assert found["measured_ms"] is None
    names = {path.name for path in out.iterdir()}
    assert {
        "spec.json",
        "model.safetensors",
        "model.onnx",
        "report.json",
        "redistribution.csv",
        "redistribution.png",
    } <= names
    assert not [name for name in names if name.startswith(("state", "pruned", "finetuned"))]
    asked = run("predict", "--table", table, "--model", out / "spec.json", "--json")
    assert asked.json["latency_ms"] == found["predicted_ms"]
    assert run("eval", "--model", out, "--data", "digits", "--json").json["top1"] == found["top1"]
    # The ONNX file is that model.
    made = create_model(out / "spec.json", checkpoint=out / "model.safetensors")
    images = torch.randn(1, 1, 8, 8)
    session = onnxruntime.InferenceSession(out / "model.onnx", providers=["CPUExecutionProvider"])
    given = session.run(None, {"input": images.numpy()})[0]
    torch.testing.assert_close(torch.from_numpy(given), made(images).detach(), rtol=1e-4, atol=1e-4)
    assert json.loads((out / "report.json").read_text())["top1"] == found["top1"]


@pytest.mark.long
def test_several_targets_get_a_folder_each(run, model, table, tmp_path) -> None:
    out = tmp_path / "pruned"
    answer = run(
        "prune", "--model", model, "--table", table, "--target", "0.8x,0.5x", *QUICK, "--out", out
    )
    assert answer.code == 0, answer.err
    assert "0.8x" in answer.out
    for target in ("0.8x", "0.5x"):
        assert (out / target / "model.onnx").exists()
        assert (out / target / "report.json").exists()
    report = json.loads((out / "report.json").read_text())
    assert [each["target"] for each in report["models"]] == ["0.8x", "0.5x"]


def test_two_four_lists_layers_with_reasons(run, model, table, tmp_path) -> None:
    out = tmp_path / "pruned"
    groups = "embed=16,heads=1,qk=8,v=16,mlp=16"
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target",
        "0.7x",
        *QUICK[:-1],
        groups,
        "--sparsity",
        "2:4",
        "--out",
        out,
    )
    assert answer.code == 0, answer.err
    lines = (out / "sparsity.csv").read_text().splitlines()
    assert any(",yes," in line for line in lines)
    assert any(line.startswith("head,10,") and ",no," in line for line in lines)
    assert "not 2:4: head:" in answer.err
    sparse = {line.split(",")[0] for line in lines if ",yes," in line}
    assert f"2:4: {len(sparse)} of {len(lines) - 1} layers" in answer.err
    written = create_model(out / "spec.json", checkpoint=out / "model.safetensors")
    assert {
        name for name, layer in weight_layers(written) if is_two_four(layer.weight.detach())
    } >= sparse
    # What TensorRT and the CUDA backend find is what was written: they have nothing left to prune.
    assert [
        each.eligible for each in sparsity_report((out / "model.onnx").read_bytes(), "fp16")
    ].count(True) == len(sparse)
    again = copy.deepcopy(written)
    prune_two_four(again, "fp16", "cusparselt")
    for name in sparse:
        torch.testing.assert_close(
            again.get_submodule(name).weight, written.get_submodule(name).weight, rtol=0, atol=0
        )


def test_an_engine_with_sparse_kernels_allowed_is_built_from_the_onnx_file(
    run, model, table, tmp_path
) -> None:
    out = tmp_path / "pruned"
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target",
        "0.7x",
        *QUICK[:-1],
        "embed=16,heads=1,qk=8,v=16,mlp=16",
        "--sparsity",
        "2:4",
        "--out",
        out,
    )
    assert answer.code == 0, answer.err
    options = BackendOptions(sparsity="2:4")
    library = tensorrt_library("tensorrt_rtx")
    engine = engine_from_onnx((out / "model.onnx").read_bytes(), library, "8.6", options)
    assert len(engine.engine) > 1000


def test_the_same_command_goes_on_and_a_finished_run_is_kept(
    run, model, table, tmp_path, monkeypatch
) -> None:
    from vitprof.training import loop

    command = ("prune", "--model", model, "--table", table, "--target", "0.6x", *QUICK)
    whole = run(*command, "--out", tmp_path / "whole", "--json")
    monkeypatch.setattr("vitprof.training.saved_run.SECONDS_BETWEEN", 0.0)
    step, out = loop.TrainingRun._step, tmp_path / "stopped"

    def stop_at_five(self):
        if self.progress.step == 5:
            raise KeyboardInterrupt
        return step(self)

    with monkeypatch.context() as patch:
        patch.setattr(loop.TrainingRun, "_step", stop_at_five)
        assert run(*command, "--out", out).code == 130
    again = run(*command, "--out", out, "--json")
    assert again.json["top1"] == whole.json["top1"]
    assert again.json["predicted_ms"] == whole.json["predicted_ms"]
    assert "finished run" in run(*command, "--out", out).err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give one of --target"),
        (("--target", "0.5x", "--target-macs", "0.5x"), "not several"),
        (("--target", "0x"), "not a target above 0"),
        (("--target", "1.5x"), "above 0 and below"),
        (("--target", "0.001x"), "out of reach"),
        (("--target", "0.5x", "--require-device", "t4"), "t4"),
        (("--target", "0.5x", "--require-batch", "8"), "batch"),
        (("--target", "0.5x", "--eta", "lots"), "--eta lots"),
        (("--target", "0.5x", "--groups", "hads=2"), "did you mean"),
        (("--target", "0.5x", "--groups", "heads=0"), "heads=0"),
        (("--target", "0.5x", "--only", "stages.2."), "may shrink"),
        (("--target", "0.5x", "--verify"), "another machine"),
    ],
    ids=str,
)
def test_bad_input_is_one_sentence_before_any_work(
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
        *arguments,
        "--out",
        tmp_path / "out",
    )
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert words in answer.err
    assert not (tmp_path / "out").exists()


def test_a_loss_that_is_no_number_is_one_sentence(run, model, table, tmp_path) -> None:
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target",
        "0.6x",
        *QUICK,
        "--prune-learning-rate",
        "1e30",
        "--out",
        tmp_path / "out",
        "--json",
    )
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert "loss became" in answer.err


def test_a_table_of_another_resolution_is_refused(run, table, tmp_path) -> None:
    spec = replace(SPEC, resolution=16)
    write_model(create_model(spec), tmp_path / "large", load_dataset("digits").normalisation)
    answer = run(
        "prune",
        "--model",
        tmp_path / "large",
        "--table",
        table,
        "--data",
        "digits",
        "--target",
        "0.5x",
        "--out",
        tmp_path / "out",
    )
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert "resolution=16" in answer.err


def test_one_stage_of_a_swin(run, tmp_path) -> None:
    spec = SwinSpec.uniform(
        32,
        [1, 2],
        [2, 4],
        mlp_ratio=2,
        patch=1,
        window=4,
        resolution=8,
        in_channels=1,
        classes=10,
        name="digits-swin",
    )
    norm = load_dataset("digits").normalisation
    write_model(create_model(spec), tmp_path / "swin", norm)
    path = table_of(SwinSlabs.covering(spec).blocks(), tmp_path / "swin.csv")
    out = tmp_path / "out"
    answer = run(
        "prune",
        "--model",
        tmp_path / "swin",
        "--table",
        path,
        "--target",
        "0.85x",
        *QUICK,
        "--only",
        "stages.1.",
        "--out",
        out,
        "--json",
    )
    assert answer.code == 0, answer.err
    found = create_model(out, checkpoint=out).spec
    assert found.stages[0] == spec.stages[0]
    assert found.stages[1] != spec.stages[1]
    lines = (out / "redistribution.csv").read_text().splitlines()
    assert "stages.0.embed,embed,32,32,1.0000" in lines


def test_a_model_that_the_table_does_not_cover(run, table, tmp_path) -> None:
    spec = replace(SPEC, embed=48)
    write_model(create_model(spec), tmp_path / "wide", load_dataset("digits").normalisation)
    answer = run(
        "prune",
        "--model",
        tmp_path / "wide",
        "--table",
        table,
        "--data",
        "digits",
        "--target",
        "0.5x",
        "--out",
        tmp_path / "out",
    )
    assert answer.code == 2
    assert "embed=48" in answer.err


def test_the_target_is_at_the_speed_that_was_chosen(
    run, model, table, make_restless, tmp_path
) -> None:
    slow = make_restless(table)
    asked = ("prune", "--model", model, "--table", slow, "--target", "0.6x", *QUICK)
    asked += ("--out", tmp_path / "pruned", "--json")
    found = run(*asked, "--at", "p90").json
    base = run("predict", "--table", slow, "--model", model, "--at", "p90", "--json").json
    assert found["at"] == "p90"
    assert found["target_ms"] == pytest.approx(0.6 * base["latency_ms"])
    assert found["predicted_ms"] <= found["target_ms"]
    (tmp_path / "pruned" / "report.json").unlink()  # as if it had been stopped
    answer = run(*asked, "--at", "typical")
    assert answer.code == 2
    assert "another at (at p90 -> typical" in answer.err
