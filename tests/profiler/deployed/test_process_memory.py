"""Peak memory of a process that runs a model: real processes, with ONNX Runtime and PyTorch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from vitprof.backends import BackendError, onnx_from_module
from vitprof.models import ViTSpec, create_model
from vitprof.profiler.deployed.deployed import Deployed, deploy
from vitprof.profiler.deployed.process_memory import ProcessMemory, peak_resident_bytes
from vitprof.training.model_folder import write_model

pytestmark = pytest.mark.slow

MEBI = 2**20
# 28 MB of weights, so that they show beside a runtime.
LARGE = ViTSpec.uniform(384, 4, 6, mlp=1536, resolution=16, patch=8, classes=10, name="large")
SMALL = ViTSpec.uniform(32, 1, 2, mlp=32, resolution=16, patch=8, classes=10, name="small")


def onnx_memory(path: Path) -> ProcessMemory:
    return Deployed(path.parent, "onnxruntime", "fp32", path).memory()


def test_a_larger_models_process_takes_as_much_more_as_its_weights(tmp_path: Path) -> None:
    found = {}
    for spec in (LARGE, SMALL):
        path = tmp_path / f"{spec.name}.onnx"
        path.write_bytes(onnx_from_module(create_model(spec), (1, 3, 16, 16)))
        found[spec.name] = onnx_memory(path)
    weights = 4 * (LARGE.params - SMALL.params)
    more = found["large"].of_model_bytes - found["small"].of_model_bytes
    assert 0.9 * weights < more < 4 * weights
    # Both began alike: the runtime, and no parent's memory.
    assert abs(found["large"].before_bytes - found["small"].before_bytes) < 20 * MEBI


def test_the_parents_memory_is_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(onnx_from_module(create_model(SMALL), (1, 3, 16, 16)))
    before = onnx_memory(path).peak_bytes
    held = torch.ones(100 * MEBI)  # 400 MiB
    assert onnx_memory(path).peak_bytes < before + 100 * MEBI
    assert held.sum() > 0


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.few("fp32")
def test_a_model_is_run_by_pytorch_in_its_process(tmp_path: Path, precision: str) -> None:
    write_model(create_model(SMALL), tmp_path, None)
    made = deploy(tmp_path, "torch", precision, tmp_path / "out", batch=2)
    found = made.memory()
    assert found == ProcessMemory(found.peak_bytes, found.before_bytes)
    assert found.peak_bytes > found.before_bytes > 50 * MEBI


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"not a model")
    with pytest.raises(BackendError, match=r"memory of a process failed: .*loading the model"):
        onnx_memory(tmp_path / "no.onnx")


def test_this_process_has_a_peak_that_a_large_tensor_raises() -> None:
    before = peak_resident_bytes()
    held = torch.ones(64 * MEBI)  # 256 MiB
    assert peak_resident_bytes() >= max(before, 200 * MEBI)
    assert held[0] == 1


def test_no_model_takes_less_than_nothing() -> None:
    assert ProcessMemory(10, 20).of_model_bytes == 0
