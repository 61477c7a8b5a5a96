import subprocess
import sys
from collections import Counter
from pathlib import Path

import onnx
import pytest
import torch
from torch import nn
from vitprof import UserError
from vitprof.backends import BackendError, onnx_from_module

pytestmark = pytest.mark.slow


def weight_bytes(module: nn.Module) -> int:
    return sum(weight.numel() * weight.element_size() for weight in module.parameters())


def node_counts(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def test_the_graph_has_fixed_shapes_fixed_names_and_one_layer_norm(attention_module) -> None:
    model = onnx.load_from_string(onnx_from_module(attention_module, (2, 17, 32)))
    onnx.checker.check_model(model)
    (graph_input,), (graph_output,) = model.graph.input, model.graph.output
    assert (graph_input.name, graph_output.name) == ("input", "output")
    sizes = [dim.dim_value for dim in graph_input.type.tensor_type.shape.dim]
    assert sizes == [2, 17, 32]
    assert node_counts(model)["LayerNormalization"] == 1
    assert node_counts(model)["ReduceMean"] == 0
    assert model.opset_import[0].version >= 17


def test_export_is_in_eval_mode_without_dropout() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.5)).train()
    model = onnx.load_from_string(onnx_from_module(module, (1, 3, 8, 8)))
    assert set(node_counts(model)) - {"Identity"} == {"Conv", "BatchNormalization"}
    norm = next(node for node in model.graph.node if node.op_type == "BatchNormalization")
    assert {a.name: a.i for a in norm.attribute}.get("training_mode", 0) == 0


@pytest.mark.parametrize(("dtype", "share"), [("fp32", 1.0), ("fp16", 0.5)])
def test_weights_are_stored_once(wide_mlp, dtype, share) -> None:
    size = len(onnx_from_module(wide_mlp, (1, 4, 768), dtype))
    weights = weight_bytes(wide_mlp) * share
    assert weights < size < 1.01 * weights


def test_a_layer_used_twice_is_stored_once() -> None:
    layer = nn.Linear(128, 128)
    module = nn.Sequential(layer, nn.ReLU(), layer)
    size = len(onnx_from_module(module, (1, 4, 128)))
    assert size < 1.05 * weight_bytes(layer)


def test_the_same_module_gives_the_same_bytes(attention_module) -> None:
    first = onnx_from_module(attention_module, (1, 17, 32))
    assert onnx_from_module(attention_module, (1, 17, 32)) == first


def test_no_folder_of_this_machine_gets_into_the_artifact(attention_module) -> None:
    artifact = onnx_from_module(attention_module, (1, 17, 32))
    assert str(Path(__file__).parent).encode() not in artifact
    assert sys.prefix.encode() not in artifact


def test_the_callers_module_is_left_as_it_is(attention_module) -> None:
    attention_module.train()
    before = {name: value.clone() for name, value in attention_module.state_dict().items()}
    onnx_from_module(attention_module, (1, 17, 32), "fp16")
    assert attention_module.training
    for name, value in attention_module.state_dict().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert all(weight.requires_grad for weight in attention_module.parameters())


def test_a_half_precision_module_can_be_exported_in_fp32() -> None:
    model = onnx.load_from_string(onnx_from_module(nn.Linear(8, 8).half(), (1, 8), "fp32"))
    assert {tensor.data_type for tensor in model.graph.initializer} == {onnx.TensorProto.FLOAT}


def test_fp16_reaches_weights_input_and_output(attention_module) -> None:
    model = onnx.load_from_string(onnx_from_module(attention_module, (1, 17, 32), "fp16"))
    half = onnx.TensorProto.FLOAT16
    assert model.graph.input[0].type.tensor_type.elem_type == half
    assert model.graph.output[0].type.tensor_type.elem_type == half
    assert {tensor.data_type for tensor in model.graph.initializer} == {half}


def test_an_unknown_dtype_is_the_users_error() -> None:
    with pytest.raises(UserError, match=r"'int8'.*fp32, fp16"):
        onnx_from_module(nn.Linear(4, 4), (1, 4), "int8")


def test_a_shape_that_does_not_fit_is_a_backend_error_with_torchs_words() -> None:
    with pytest.raises(BackendError, match=r"ONNX export failed: .*shapes cannot be multiplied"):
        onnx_from_module(nn.Linear(4, 4), (1, 5))


def test_an_impossible_size_is_a_backend_error() -> None:
    with pytest.raises(BackendError, match="Unable to allocate"):
        onnx_from_module(nn.Identity(), (10**6, 10**6, 10**3))


def test_an_operator_onnx_does_not_have_is_a_backend_error() -> None:
    class Unexportable(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.special.i0e(x)

    with pytest.raises(BackendError, match="ONNX export failed"):
        onnx_from_module(Unexportable(), (1, 4))


NOISY_EXPORT = """
import torch
from torch import nn
from vitprof.backends import BackendError, onnx_from_module

class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(16, 4))
    def forward(self, x):
        q, k = x.reshape(2, 2, 4)          # iterating over a tensor warns when traced
        if x.shape[0] > int(q.shape[0]):   # and so does a Python number from one
            x = x + 1
        return x + self.table[::4] + k[0]  # constant folding a strided slice warns

onnx_from_module(Noisy(), (4, 4))
try:
    onnx_from_module(nn.Linear(4, 4), (1, 5))
except BackendError:
    pass
"""


def test_exporting_prints_nothing() -> None:
    answer = subprocess.run(
        [sys.executable, "-W", "default", "-c", NOISY_EXPORT],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == ""
    assert answer.stderr == ""
