from __future__ import annotations

import io
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from vitprof.models import ViTLayer, ViTSpec, create_block, create_model

SPEC = ViTSpec(
    embed=24, layers=(ViTLayer(3, 5, 7, 33),), patch=4, resolution=16, classes=5, distilled=True
)
# Their presence means that a shape is computed while the model runs.
NEEDLESS = {"Shape", "Expand", "Where", "Equal", "ConstantOfShape", "Slice", "Unsqueeze", "Cast"}


def export(module: torch.nn.Module, x: torch.Tensor) -> onnx.ModelProto:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error", torch.jit.TracerWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(module, (x,), file, dynamo=False, opset_version=17)
    return onnx.load_from_string(file.getvalue())


def operators(model: onnx.ModelProto) -> list[str]:
    names = [node.op_type for node in model.graph.node]
    return [name for name in names if name not in ("Constant", "Identity")]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("part", ["model", "patch_embed", "attention", "mlp", "classifier"])
def test_onnx_runtime_computes_the_same(part, batch):
    blocks = {block.op: block for block in SPEC.blocks()}
    module = create_model(SPEC) if part == "model" else create_block(blocks[part])
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    shape = blocks["patch_embed" if part == "model" else part].input_shape
    x = torch.randn(batch, *shape)
    exported = export(module, x)
    session = onnxruntime.InferenceSession(
        exported.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (result,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(result, module(x).numpy(), rtol=1e-4, atol=1e-4)
    assert not NEEDLESS & set(operators(exported))


def test_attention_is_plain_matrix_products():
    block = SPEC.blocks()[1]
    names = operators(export(create_block(block), torch.randn(2, *block.input_shape)))
    assert names.count("MatMul") == 4
    assert names.count("Softmax") == names.count("LayerNormalization") == names.count("Split") == 1
    assert "Gather" not in names
    assert len(names) <= 20


def test_patch_embedding_is_five_nodes():
    block = SPEC.blocks()[0]
    names = operators(export(create_block(block), torch.randn(2, *block.input_shape)))
    assert names == ["Conv", "Reshape", "Transpose", "Concat", "Add"]
