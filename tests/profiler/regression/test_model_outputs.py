"""Whether two models give the same: by shape, and by their numbers where these mean something."""

from __future__ import annotations

import numpy as np
import pytest
from small_onnx.foreign_spec import residual_spec
from vitprof.backends import OnnxRuntimeBackend
from vitprof.profiler.regression.model_outputs import ModelOutputs, outputs_of, why_other
from vitprof.profiler.target import Target
from vitprof.profiler.workshop import Workshop
from vitprof.tables import Setting

CPU = Target(OnnxRuntimeBackend(), Setting("cpu", "onnxruntime", "CPUExecutionProvider"))
VALUES = np.random.default_rng(0).standard_normal((1, 10)).astype(np.float32)


def model(name: str, *outputs: np.ndarray, side: int = 28, trained: bool = True) -> ModelOutputs:
    return ModelOutputs(name, ((1, 3, side, side),), outputs, trained)


BASE = model("base", VALUES)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (model("head", VALUES), None),
        (model("head", VALUES * 1.0005), None),
        (model("head", VALUES * 1.01), "gives other outputs than base: they differ by 0.01"),
        (model("head", VALUES * np.nan), "they differ by inf"),
        (model("head", VALUES[:, :9]), "gives outputs of 1x9, and base of 1x10"),
        (model("head", VALUES, VALUES), "gives outputs of 1x10 and 1x10, and base of 1x10"),
        (model("head", VALUES, side=32), "takes inputs of 1x3x32x32, and base of 1x3x28x28"),
        (model("head", -VALUES, trained=False), None),
    ],
)
def test_a_head_is_another_model_where_shapes_or_numbers_differ(head, words) -> None:
    found = why_other(BASE, head, "fp32")
    if words is None:
        assert found is None
    else:
        assert words in str(found)


def test_a_large_output_does_not_hide_a_small_one_and_indices_do_not_count() -> None:
    large = 1e6 * np.ones((1, 50), np.float32)
    base = model("base", large, VALUES, np.array([3]))
    assert why_other(base, model("head", large, VALUES, np.array([4])), "fp32") is None
    assert why_other(base, model("head", large, -VALUES, np.array([3])), "fp32") is not None


def test_a_low_precision_may_be_further_off() -> None:
    head = model("head", VALUES * 1.01)
    assert why_other(BASE, head, "fp16") is None
    assert why_other(BASE, head, "fp32") is not None


def test_a_model_is_run_for_its_outputs() -> None:
    with Workshop(CPU) as workshop:
        first, same, other = (
            outputs_of(name, residual_spec(8, depth), workshop)
            for name, depth in (("first", 1), ("same", 1), ("other", 2))
        )
    assert first.inputs == ((1, 3, 28, 28),)
    assert first.trained
    assert first.shapes == ((1, 10),)
    assert why_other(first, same, "fp32") is None
    assert "other outputs than first" in str(why_other(first, other, "fp32"))
