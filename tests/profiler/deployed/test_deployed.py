"""Models as files for a runtime: what is written, tested and measured is the file itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from vitprof.backends import BackendError
from vitprof.errors import UserError
from vitprof.models import ViTSpec, create_model
from vitprof.profiler.deployed.deployed import deploy
from vitprof.profiler.deployed.facts import Facts, accuracy_of, facts_of
from vitprof.profiler.deployed.runtimes import check_precision
from vitprof.training.data.datasets import load_dataset
from vitprof.training.model_folder import write_model

SPEC = ViTSpec.uniform(
    32, 2, 4, mlp=64, resolution=8, patch=2, in_channels=1, classes=10, name="small"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = create_model(SPEC)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    path = tmp_path_factory.mktemp("model")
    write_model(model, path, None)
    return path


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


KINDS = [
    ("openvino", "fp32"),
    ("onnxruntime", "fp32"),
    ("onnxruntime", "int8"),
    ("torch", "fp32"),
    ("torch", "int8"),
]


@pytest.mark.parametrize(("runtime", "precision"), KINDS)
@pytest.mark.parametrize("batch", [1, 7])
def test_the_file_computes_what_the_model_does(
    folder, tmp_path, runtime: str, precision: str, batch: int
) -> None:
    made = deploy(folder, runtime, precision, tmp_path, batch=batch)
    assert made.file_bytes == sum(path.stat().st_size for path in tmp_path.iterdir()) > 0
    images = torch.randn(9, 1, 8, 8)
    with torch.inference_mode():
        exact = create_model(folder, checkpoint=folder)(images)
        found = made.module()(images)
    error = (found - exact).abs().max() / exact.abs().max()
    assert error < (1e-4 if precision == "fp32" else 0.1)
    with made.open() as executable:
        executable.run()
        (output,) = executable.outputs()
    assert output.shape == (batch, 10)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_static_ranges_are_of_whole_batches(folder, tmp_path, runtime: str) -> None:
    images = np.random.default_rng(0).standard_normal((5, 1, 8, 8)).astype(np.float32)
    made = deploy(folder, runtime, "int8-static", tmp_path, batch=4, calibration=images)
    x = torch.from_numpy(images)
    with torch.inference_mode():
        exact = create_model(folder, checkpoint=folder)(x)
        assert (made.module()(x) - exact).abs().max() < 0.2 * exact.abs().max()
    with pytest.raises(UserError, match="learns its ranges from images"):
        deploy(folder, runtime, "int8-static", tmp_path)


def test_openvino_opens_its_graph_with_the_weights_beside_it(folder, tmp_path) -> None:
    made = deploy(folder, "openvino", "fp32", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.fp32.bin", "model.fp32.xml"]
    with made.open() as usual, made.by.open_alone(made) as alone:
        usual.run()
        alone.run()
        np.testing.assert_array_equal(alone.outputs()[0], usual.outputs()[0])
    assert made.memory().peak_bytes > made.file_bytes
    made.path.write_text("<net/>")
    with pytest.raises(BackendError):
        made.by.open_alone(made)


def test_the_file_is_tested_and_not_the_model(folder, tmp_path, digits) -> None:
    made = deploy(folder, "onnxruntime", "fp32", tmp_path)
    # The same file name with another model's weights: what is told is of the file.
    torch.manual_seed(5)
    other = tmp_path / "other"
    write_model(create_model(SPEC), other, None)
    before = accuracy_of(made, digits.test, digits.normalisation).accuracy
    deploy(other, "onnxruntime", "fp32", tmp_path)
    after = accuracy_of(made, digits.test, digits.normalisation)
    assert after.accuracy.correct != before.correct
    assert after.seconds > 0


def test_facts_are_of_all_that_was_asked_for(folder, tmp_path, digits) -> None:
    files = {name: deploy(folder, "onnxruntime", name, tmp_path) for name in ("fp32", "int8")}
    images = digits.test.take(range(40))
    found = facts_of(files, images, digits.normalisation, sessions=2)
    assert list(found) == ["fp32", "int8"]
    for facts in found.values():
        assert facts.images == 40
        assert facts.params == SPEC.params
        assert facts.low_ms <= facts.latency_ms <= facts.high_ms
        assert facts.peak_bytes > facts.model_bytes
        assert Facts.from_dict(facts.as_dict()) == facts
    some = facts_of(
        files, images, digits.normalisation, sessions=1, to_test=("int8",), with_memory=()
    )
    assert some["fp32"].top1 is None
    assert some["int8"].top1 == found["int8"].top1
    assert some["int8"].peak_bytes == 0


def test_a_latency_is_brought_to_another_speed() -> None:
    facts = Facts("a", "torch", "fp32", 1, 1, 1, 1, 1, 2.0, 1.9, 2.1, 100.0, 5, 4)
    faster = facts.scaled(0.5)
    assert (faster.latency_ms, faster.low_ms, faster.high_ms) == (1.0, 0.95, 1.05)
    assert faster.cpu_percent == 100.0


@pytest.mark.parametrize(
    ("runtime", "precision", "words"),
    [
        ("onnx", "fp32", "unknown runtime 'onnx'"),
        (
            "torch",
            "int8-static",
            "torch has no precision 'int8-static' here, but fp32, int8; these have it: "
            "onnxruntime, openvino, litert, executorch",
        ),
        ("onnxruntime", "int4", "no precision 'int4'"),
    ],
)
def test_a_runtime_or_precision_that_is_not_there(runtime, precision, words) -> None:
    with pytest.raises(UserError, match=words):
        check_precision(runtime, precision)


def test_a_damaged_file_is_refused(folder, tmp_path) -> None:
    for runtime in ("onnxruntime", "torch"):
        made = deploy(folder, runtime, "fp32", tmp_path)
        made.path.write_bytes(made.path.read_bytes()[:100])
        with pytest.raises(BackendError):
            made.open()
