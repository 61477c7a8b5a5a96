"""`vitprof.quantize` of models of no family, by the real runtime."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import vitprof
from onnx import helper
from small_onnx.foreign_spec import residual_net
from small_onnx.small_graphs import Small
from torch import nn
from vitprof import UserError


def net(path: Path, width: int = 16) -> Path:
    path.write_bytes(residual_net(width, 2))
    return path


def classifier_of_digits(path: Path) -> Path:
    g = Small(1, 1, 8, 8)
    x = g.op("Flatten", g.op("Relu", g.conv("x", 1, 8, 3)))
    path.write_bytes(g.model(g.op("Gemm", x, g.weights(512, 10))))
    return path


def run(path: Path, feed: dict[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, feed)[0]
    return found


def test_files_stand_side_by_side_with_how_far_their_outputs_are_off(tmp_path: Path) -> None:
    out = tmp_path / "int8"
    files = vitprof.quantize(
        net(tmp_path / "net.onnx", 64), out=out, dtype=["int8", "int8-static"], sessions=1
    )
    fp32, dynamic, static = files.facts
    assert [one.name for one in files.facts] == ["fp32", "int8", "int8-static"]
    assert fp32.output_error == 0 and 0 < dynamic.output_error < static.output_error < 0.2
    assert static.file_bytes < fp32.file_bytes
    assert all(one.latency_ms > 0 and one.peak_bytes > one.model_bytes for one in files.facts)
    assert all(one.top1 is None for one in files.facts)
    assert fp32.params == vitprof.bench(tmp_path / "net.onnx", sessions=1, runs=2).specs[0].params
    assert "int8 leaves 5 Conv of 6 operators with weights in fp32." in files.remarks
    assert "accuracy is not measured; outputs are compared on seeded random" in files.remarks[-1]
    assert json.loads((out / "report.json").read_text()) == files.report()
    assert files.report()["inputs"] == "seeded random inputs"
    assert {path.name for path in out.iterdir()} == {
        *("model.fp32.onnx", "model.int8.onnx", "model.int8-static.onnx"),
        *("facts.csv", "facts.png", "report.json", "run.json"),
    }
    # The files are what was compared.
    feed = {"x": np.random.default_rng(0).standard_normal((1, 3, 28, 28)).astype(np.float32)}
    wanted, given = (run(out / f"model.{one}.onnx", feed) for one in ("fp32", "int8-static"))
    off = np.linalg.norm(given - wanted) / np.linalg.norm(wanted)
    assert off == pytest.approx(static.output_error, rel=1.0)


def test_one_that_was_interrupted_begins_anew_in_its_folder(tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int, at: str) -> None:
        if (tmp_path / "out/model.int8.onnx").exists():
            raise KeyboardInterrupt

    model, asked = net(tmp_path / "net.onnx"), {"out": tmp_path / "out", "sessions": 1}
    with pytest.raises(KeyboardInterrupt):
        vitprof.quantize(model, **asked, progress=stop)
    with pytest.raises(UserError, match="sessions 1 -> 2"):
        vitprof.quantize(model, **{**asked, "sessions": 2})
    files = vitprof.quantize(model, **asked)
    assert [one.name for one in files.facts] == ["fp32", "int8"]
    with pytest.raises(UserError, match="holds a finished run"):
        vitprof.quantize(model, **asked)


def test_ranges_are_learned_from_images_where_they_fit(tmp_path: Path) -> None:
    files = vitprof.quantize(
        classifier_of_digits(tmp_path / "net.onnx"),
        "digits",
        out=tmp_path / "out",
        dtype="int8-static",
        sessions=1,
        calibration_images=32,
    )
    assert files.report()["inputs"] == "images of digits"
    assert 0 < (files.facts[1].output_error or 0) < 0.2
    with pytest.raises(UserError, match="8 x 8; 28 x 28 is another size"):
        vitprof.quantize(net(tmp_path / "other.onnx"), "digits", out=tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_an_exported_program_at_a_batch(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 4)).eval()
    sizes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(module, (torch.randn(2, 32),), dynamic_shapes=sizes)
    torch.export.save(program, tmp_path / "net.pt2")
    files = vitprof.quantize(tmp_path / "net.pt2", out=tmp_path / "out", batch=3, sessions=1)
    assert {one.batch for one in files.facts} == {3}
    x = torch.randn(3, 32)
    given = run(tmp_path / "out" / "model.fp32.onnx", {"input": x.numpy()})
    np.testing.assert_allclose(given, module(x).detach().numpy(), atol=1e-5)


def test_outputs_that_are_something_else_are_told(tmp_path: Path) -> None:
    # One outlier among the weights of a column takes all of its range.
    g = Small(1, 8, 8)
    weights = np.full((8, 8), 1e-3, np.float32)
    weights[0] = 1e3
    product = g.op("MatMul", g.op("Mul", "x", g.constant([0.0] + [1.0] * 7)), g.constant(weights))
    (tmp_path / "net.onnx").write_bytes(g.model(product))
    files = vitprof.quantize(tmp_path / "net.onnx", out=tmp_path / "out", sessions=1)
    assert files.facts[1].output_error == pytest.approx(1.0)
    assert any("int8 computes something else than fp32" in one for one in files.remarks)


def only_convolutions(path: Path) -> Path:
    g = Small(1, 3, 8, 8)
    path.write_bytes(g.model(g.op("Relu", g.conv("x", 3, 8, 3))))
    return path


def of_booleans(path: Path) -> Path:
    g = Small(1, 8, 8)
    model = onnx.load_model_from_string(g.model(g.op("MatMul", "x", g.weights(8, 8))))
    kind = onnx.TensorProto.BOOL
    model.graph.input.append(helper.make_tensor_value_info("which", kind, [1, 8]))
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("made", "changed", "words"),
    [
        (only_convolutions, {}, "net cannot be converted to int8: .* only Conv have weights"),
        (of_booleans, {}, "net cannot be quantized: its input 'which' is BOOL"),
        (net, {"runtime": "torch"}, "quantized by onnxruntime, not by `runtime` torch"),
        (net, {"batch": 2}, "takes 1 inputs at once, not 2"),
        (net, {"resolution": 8, "test_images": 5}, "`resolution` and `test_images` cannot"),
        (net, {"dtype": "int4"}, "no precision 'int4'"),
        (net, {"shapes": {"y": (1, 3)}}, "no input 'y'"),
    ],
)
def test_what_cannot_be_quantized_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, made, changed: dict, words: str
) -> None:
    path = made(tmp_path / "net.onnx")
    with pytest.raises(UserError, match=words) as refused:
        vitprof.quantize(path, out=tmp_path / "out", **{"sessions": 1, **changed})
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_trained_model_needs_data(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="tested on `data`"):
        vitprof.quantize(tmp_path, out=tmp_path / "out")
