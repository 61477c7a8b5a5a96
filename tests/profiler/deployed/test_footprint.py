"""Load time and memory of a model's process: real ones, with ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from vitprof.backends import BackendError, onnx_from_module
from vitprof.backends.devices import use_device_files
from vitprof.models import ViTSpec, create_model
from vitprof.profiler.deployed import footprint
from vitprof.profiler.deployed.footprint import Footprint, footprint_of
from vitprof.profiler.deployed.process_memory import ProcessMemory
from vitprof.tables import Setting

pytestmark = pytest.mark.slow

SETTING = Setting("cpu", "onnxruntime", "CPUExecutionProvider")
LARGE = ViTSpec.uniform(384, 4, 6, mlp=1536, resolution=16, patch=8, classes=10, name="large")
SMALL = ViTSpec.uniform(32, 1, 2, mlp=32, resolution=16, patch=8, classes=10, name="small")


def test_a_larger_model_takes_as_much_more_as_its_weights() -> None:
    large, small = (
        footprint_of(onnx_from_module(create_model(spec), (1, 3, 16, 16)), SETTING)
        for spec in (LARGE, SMALL)
    )
    weights = 4 * (LARGE.params - SMALL.params)
    more = large.memory.of_model_bytes - small.memory.of_model_bytes
    assert 0.9 * weights < more < 4 * weights
    assert small.load_ms > 0
    assert large.load_ms > 0


def test_the_process_is_told_of_further_device_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "devices.toml"
    file.write_text("")
    told: list[dict[str, Any]] = []

    def answer(module: str, fields: dict[str, Any], python: str) -> dict[str, float]:
        told.append(fields | {"artifact": Path(fields["path"]).read_bytes()})
        return {"load_ms": 3.5, "peak": 100, "before": 40, "first_run_ms": 9.0}

    monkeypatch.setattr(footprint, "answer_of_process", answer)
    use_device_files([file])
    try:
        found = footprint_of(b"a model", SETTING)
    finally:
        use_device_files()
    assert found == Footprint(3.5, ProcessMemory(100, 40), 9.0)
    assert told[0]["device_files"] == [str(file)]
    assert told[0]["artifact"] == b"a model"
    assert told[0]["setting"] == SETTING.as_dict()
    assert not Path(told[0]["path"]).exists()


def test_what_cannot_be_loaded_says_why() -> None:
    with pytest.raises(BackendError, match=r"memory of a process failed: .*loading the model"):
        footprint_of(b"not a model", SETTING)
