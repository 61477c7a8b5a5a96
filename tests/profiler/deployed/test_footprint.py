"""Load time and memory of a model's process: real ones, with ONNX Runtime."""

from __future__ import annotations

import pytest
from vitprof.backends import BackendError, onnx_from_module
from vitprof.models import ViTSpec, create_model
from vitprof.profiler.deployed.footprint import footprint_of
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


def test_what_cannot_be_loaded_says_why() -> None:
    with pytest.raises(BackendError, match=r"memory of a process failed: .*loading the model"):
        footprint_of(b"no model", SETTING)
