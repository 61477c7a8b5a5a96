"""AutoViT's modules against transformers' MobileViT, folded, in ONNX Runtime. About 10 seconds."""

from __future__ import annotations

import onnx
import onnxruntime
import pytest
import torch
from transformers import MobileViTConfig
from transformers.models.mobilevit.modeling_mobilevit import (
    MobileViTInvertedResidual,
    MobileViTLayer,
)
from vitprof.backends.onnx.export import onnx_from_module
from vitprof.models import Block, create_block, create_model, create_spec
from vitprof.models.families.autovit.unfold import fold, unfold
from vitprof.models.modules.folding import folded

ACTIVATION = {"activation": 4}  # silu
HYBRID = Block.of(
    "mobilevit",
    in_channels=10,
    embed=24,
    heads=4,
    qk=6,
    v=6,
    mlp=36,
    depth=2,
    kernel=3,
    patch=2,
    resolution=12,
    **ACTIVATION,
)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def disturb(module: torch.nn.Module) -> torch.nn.Module:
    """Give every weight and running statistic a value that shows where it is forgotten."""
    for name, value in module.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif value.is_floating_point():
            value.add_(torch.randn_like(value) * 0.2)
    return module.eval()


def config(expansion: float = 4.0) -> MobileViTConfig:
    return MobileViTConfig(
        num_attention_heads=HYBRID["heads"],
        mlp_ratio=HYBRID["mlp"] / HYBRID["embed"],
        expand_ratio=expansion,
        hidden_dropout_prob=0.0,
    )


def copy_convolution(ours: torch.nn.Module, theirs: torch.nn.Module) -> None:
    theirs.convolution.load_state_dict(ours.conv.state_dict())
    theirs.normalization.load_state_dict(ours.bn.state_dict())


def copy_mbconv(ours: torch.nn.Module, theirs: torch.nn.Module) -> None:
    copy_convolution(ours.expand.conv, theirs.expand_1x1)
    copy_convolution(ours.depthwise.conv, theirs.conv_3x3)
    copy_convolution(ours.project, theirs.reduce_1x1)


def copy_layer(ours: torch.nn.Module, theirs: torch.nn.Module) -> None:
    parts = zip(ours.attn.qkv.weight.chunk(3), ours.attn.qkv.bias.chunk(3), strict=True)
    attention = theirs.attention.attention
    for (weight, bias), linear in zip(
        parts, (attention.query, attention.key, attention.value), strict=True
    ):
        linear.load_state_dict({"weight": weight, "bias": bias})
    theirs.attention.output.dense.load_state_dict(ours.attn.proj.state_dict())
    theirs.layernorm_before.load_state_dict(ours.norm1.state_dict())
    theirs.layernorm_after.load_state_dict(ours.norm2.state_dict())
    theirs.intermediate.dense.load_state_dict(ours.mlp.fc1.state_dict())
    theirs.output.dense.load_state_dict(ours.mlp.fc2.state_dict())


@pytest.mark.parametrize(("stride", "out"), [(1, 16), (1, 24), (2, 16)])
def test_mbconv_is_transformers_inverted_residual(stride, out):
    dims = {"in_channels": 16, "out_channels": out, "expansion": 2, "kernel": 3, "stride": stride}
    ours = disturb(create_block(Block.of("mbconv", resolution=9, **dims, **ACTIVATION)))
    theirs = MobileViTInvertedResidual(config(2.0), 16, out, stride).eval()
    copy_mbconv(ours, theirs)
    x = torch.randn(2, 16, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-4, rtol=0)


def test_mbconv_without_expansion_is_depthwise_then_pointwise():
    dims = {"in_channels": 5, "out_channels": 5, "expansion": 1, "kernel": 5, "stride": 1}
    ours = disturb(create_block(Block.of("mbconv", resolution=7, **dims, **ACTIVATION)))
    assert ours.expand is None
    x = torch.randn(2, 5, 7, 7)
    with torch.no_grad():
        depthwise = torch.nn.functional.conv2d(
            x, ours.depthwise.conv.conv.weight, padding=2, groups=5
        )
        hidden = torch.nn.functional.silu(ours.depthwise.conv.bn(depthwise))
        expected = x + ours.project.bn(torch.nn.functional.conv2d(hidden, ours.project.conv.weight))
        torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", [12, 4])
def test_hybrid_block_is_transformers_mobilevit_layer(side):
    ours = disturb(create_block(Block.of("mobilevit", **{**HYBRID.as_dict(), "resolution": side})))
    theirs = MobileViTLayer(config(), 10, 10, 1, HYBRID["embed"], HYBRID["depth"]).eval()
    copy_convolution(ours.local.conv, theirs.conv_kxk)
    theirs.conv_1x1.convolution.load_state_dict(ours.widen.state_dict())
    for mine, layer in zip(ours.layers, theirs.transformer.layer, strict=True):
        copy_layer(mine, layer)
    theirs.layernorm.load_state_dict(ours.norm.state_dict())
    copy_convolution(ours.narrow.conv, theirs.conv_projection)
    copy_convolution(ours.fuse.conv, theirs.fusion)
    x = torch.randn(3, 10, side, side)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-4, rtol=0)


@pytest.mark.parametrize("patch", [1, 2, 3])
def test_a_sequence_holds_one_pixel_of_every_patch(patch):
    x = torch.randn(2, 5, 6, 6)
    sequences = unfold(x, patch)
    assert torch.equal(fold(sequences, patch, 6), x)
    for number, sequence in enumerate(sequences):
        image, place = divmod(number, patch**2)
        row, column = divmod(place, patch)
        pixels = x[image, :, row::patch, column::patch]
        assert torch.equal(sequence, pixels.flatten(1).T)


BLOCKS = list(dict.fromkeys(create_spec("autovit-xxs").blocks()))


@pytest.mark.parametrize("block", BLOCKS, ids=[f"{i}-{b.op}" for i, b in enumerate(BLOCKS)])
def test_folded_and_in_onnx_runtime_each_block_gives_the_same(block):
    small = {**block.as_dict(), "resolution": 8} if "resolution" in block.as_dict() else None
    block = Block.of(block.op, **small) if small else block
    module = disturb(create_block(block))
    plain = folded(module)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in plain.modules())
    x = torch.randn(2, *block.input_shape)
    graph = onnx_from_module(plain, tuple(x.shape))
    assert not {"Shape", "Gather", "BatchNormalization"} & node_types(graph)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"input": x.numpy()})
    with torch.no_grad():
        expected = module(x)
        torch.testing.assert_close(plain(x), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(torch.from_numpy(result), expected, atol=1e-4, rtol=1e-4)


def node_types(graph: bytes) -> set[str]:
    return {node.op_type for node in onnx.load_from_string(graph).graph.node}


def test_the_chain_is_the_model():
    spec = create_spec("autovit-xxs")
    model = create_model(spec)
    chain = model.chain()
    assert len(chain) == len(spec.blocks())
    images = torch.randn(1, 3, 256, 256)
    with torch.no_grad():
        x = images
        for block, module in zip(spec.blocks(), chain, strict=True):
            assert tuple(x.shape[1:]) == block.input_shape
            x = module(x)
            assert tuple(x.shape[1:]) == block.output_shape
        assert torch.equal(x, model(images))
        torch.testing.assert_close(folded(model)(images), x, atol=1e-4, rtol=1e-4)


def test_the_model_is_one_graph_with_the_same_output():
    model = disturb(create_model("autovit-xxs"))
    images = torch.randn(1, 3, 256, 256)
    session = onnxruntime.InferenceSession(
        onnx_from_module(folded(model), (1, 3, 256, 256)), providers=["CPUExecutionProvider"]
    )
    (result,) = session.run(None, {"input": images.numpy()})
    with torch.no_grad():
        expected = model(images)
    scale = float(expected.abs().max())
    torch.testing.assert_close(torch.from_numpy(result), expected, atol=1e-4 * scale, rtol=0)


def test_dims_no_module_can_have_are_refused(refused):
    with refused("patch=5", "resolution=12"):
        create_block(Block.of("mobilevit", **{**HYBRID.as_dict(), "patch": 5}))
    with refused("kernel=13", "12×12"):
        create_block(Block.of("mobilevit", **{**HYBRID.as_dict(), "kernel": 13}))
    with refused("kernel=2", "odd"):
        create_block(Block.of("mobilevit", **{**HYBRID.as_dict(), "kernel": 2}))
    dims = {"in_channels": 3, "out_channels": 4, "kernel": 3, "resolution": 8}
    with refused("stride=3"):
        create_block(Block.of("conv", **dims, stride=3, **ACTIVATION))
    with refused("activation=9", "relu"):
        create_block(Block.of("conv", **dims, stride=2, activation=9))
