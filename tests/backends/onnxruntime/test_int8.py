"""int8 ONNX models: what is quantized, how near they stay, and what they are refused for."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from vitprof.backends import BackendError, BackendOptions, OnnxRuntimeBackend, onnx_from_module
from vitprof.backends.onnx.module import OnnxModule
from vitprof.backends.onnxruntime.int8 import dynamic_int8, static_int8
from vitprof.errors import UserError
from vitprof.models import Block, create_block

SHAPE = (2, 3, 8, 8)


class Small(nn.Module):
    """A convolution, then two matrix products: enough of each kind."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 32, 2, stride=2)
        self.first = nn.Linear(32, 256)
        self.second = nn.Linear(256, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x).flatten(2).transpose(1, 2)
        return self.second(torch.relu(self.first(x))).mean(dim=1)


@pytest.fixture(scope="module")
def model() -> bytes:
    return onnx_from_module(Small(), SHAPE, fold=True)


def outputs(model: bytes) -> np.ndarray:
    with OnnxRuntimeBackend().load(model, BackendOptions()) as executable:
        return executable.outputs()[0]


def stored(model: bytes) -> dict[str, int]:
    """Return the bytes of the weights by type."""
    found: dict[str, int] = {}
    for weight in onnx.load_model_from_string(model).graph.initializer:
        name = onnx.TensorProto.DataType.Name(weight.data_type)
        found[name] = found.get(name, 0) + onnx.numpy_helper.to_array(weight).nbytes
    return found


def assert_near(quantized: bytes, model: bytes) -> None:
    exact = outputs(model)
    assert np.abs(outputs(quantized) - exact).max() < 0.05 * np.abs(exact).max()


def test_dynamic_stores_the_products_weights_in_int8_and_nothing_else(model) -> None:
    quantized = dynamic_int8(model)
    sizes = stored(quantized)
    assert sizes["INT8"] >= 32 * 256 + 256 * 10
    assert sizes["FLOAT"] >= 4 * 3 * 32 * 4  # the convolution
    assert_near(quantized, model)


def test_static_stores_convolutions_in_int8_too(model) -> None:
    rng = np.random.default_rng(0)
    calibration = [rng.standard_normal(SHAPE, dtype=np.float32) for _ in range(16)]
    quantized = static_int8(model, calibration)
    assert stored(quantized)["INT8"] >= 32 * 256 + 256 * 10 + 3 * 32 * 4
    assert_near(quantized, model)


def test_ranges_come_from_the_calibration_inputs(model) -> None:
    rng = np.random.default_rng(0)
    normal = rng.standard_normal(SHAPE, dtype=np.float32)
    fitting, wide = static_int8(model, [normal]), static_int8(model, [100 * normal])
    exact = outputs(model)
    errors = [np.abs(outputs(each) - exact).mean() for each in (fitting, wide)]
    assert errors[1] > 5 * errors[0]


def test_the_same_model_gives_the_same_bytes(model) -> None:
    assert dynamic_int8(model) == dynamic_int8(model)


def test_a_bundle_may_hold_it(model) -> None:
    OnnxRuntimeBackend().check_artifact(dynamic_int8(model))


def test_what_is_no_model_is_refused_with_the_quantizers_words() -> None:
    with pytest.raises(BackendError, match="quantizing to int8 failed"):
        dynamic_int8(b"no model")


@pytest.mark.parametrize("dtype", ["int8", "int8-static"])
def test_a_block_is_built_and_run_in_int8(dtype: str) -> None:
    block = Block.of("mlp", embed=64, mlp=256, tokens=17)
    backend, options = OnnxRuntimeBackend(), BackendOptions(dtype=dtype)
    torch.manual_seed(0)
    module = create_block(block)
    shape = (1, *block.input_shape)
    artifact = backend.build(module, shape, options)
    assert stored(artifact)["INT8"] >= 2 * 64 * 256
    with backend.load(artifact, options) as executable:
        executable.run()
        found = executable.outputs()[0]
    exact = outputs(backend.build(module, shape, BackendOptions()))
    assert np.abs(found - exact).max() < 0.05 * np.abs(exact).max()


def test_a_runtime_that_has_no_int8_says_so() -> None:
    from vitprof.backends.cuda.backend import CudaBackend

    with pytest.raises(UserError, match="int8"):
        CudaBackend().check(BackendOptions(dtype="int8", provider="eager"))


def test_an_onnx_module_computes_any_number_of_inputs(model) -> None:
    module = OnnxModule(model)
    images = torch.randn(5, *SHAPE[1:])
    with torch.inference_mode():
        assert torch.allclose(module(images), Small().eval()(images), atol=1e-5)


def test_an_onnx_module_of_no_model_is_refused() -> None:
    with pytest.raises(BackendError, match="loading the model"):
        OnnxModule(b"no model")
