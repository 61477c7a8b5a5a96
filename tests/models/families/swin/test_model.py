"""Swin against transformers' own, folded and exported; about ten seconds."""

from __future__ import annotations

import functools

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from transformers import SwinConfig, SwinForImageClassification
from vitprof.backends.onnx.export import onnx_from_module
from vitprof.models import ViTLayer, create_block, create_model
from vitprof.models.families.swin.checkpoint_names import swin_names
from vitprof.models.families.swin.hugging_face import swin_spec_from_config
from vitprof.models.families.swin.model import SwinTransformer
from vitprof.models.families.swin.spec import SwinSpec, SwinStage
from vitprof.models.families.swin.windows import Windows, relative_position_index
from vitprof.models.modules.folding import folded

# Maps of 14 and 7 with the window 7; of 16 and 8 with the window 4; a window that is not a square
# of anything; a whole Swin-T.
CONFIGS = {
    "window 7": {"image_size": 56, "embed_dim": 24, "depths": [2, 3], "num_heads": [3, 6]},
    "window 4": {
        "image_size": 64,
        "window_size": 4,
        "embed_dim": 16,
        "depths": [3, 2, 1],
        "num_heads": [2, 2, 8],
        "layer_norm_eps": 1e-3,
        "mlp_ratio": 2.5,
    },
    "window 5": {
        "image_size": 60,
        "patch_size": 3,
        "window_size": 5,
        "embed_dim": 12,
        "depths": [2, 2],
        "num_heads": [1, 2],
        "num_channels": 1,
    },
    "tiny": {"num_labels": 1000},
}


def randomise(model: torch.nn.Module) -> None:
    """Give no weight a value that hides a mistake, like 0 or 1."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            torch.nn.init.normal_(parameter, std=1.0 if "bias_table" in name else 0.1)
            if "norm" in name and name.endswith("weight"):
                parameter.add_(1)


@functools.lru_cache(maxsize=1)
def oracle(config: str) -> tuple[SwinForImageClassification, SwinTransformer, torch.Tensor]:
    """Return transformers' model, ours with its weights, and images."""
    official = SwinForImageClassification(SwinConfig(**CONFIGS[config])).eval()
    randomise(official)
    spec = swin_spec_from_config(official.config.to_dict(), config)
    ours = SwinTransformer(spec).eval()
    ours.load_state_dict(swin_names(official.state_dict()))
    return official, ours, torch.randn(2, spec.in_channels, spec.resolution, spec.resolution)


@pytest.mark.parametrize("config", CONFIGS)
@torch.no_grad()
def test_the_same_as_transformers_chained_and_folded(config):
    official, ours, images = oracle(config)
    expected = official(images).logits
    assert expected.std() > 0.05
    tolerance = {"rtol": 1e-5, "atol": 1e-5 * expected.abs().max().item()}
    torch.testing.assert_close(ours(images), expected, **tolerance)
    torch.testing.assert_close(folded(ours)(images), expected, **tolerance)
    x = images
    for block, module in zip(ours.spec.blocks(), ours.chain(), strict=True):
        assert tuple(x.shape[1:]) == block.input_shape
        assert sum(parameter.numel() for parameter in module.parameters()) == block.params
        x = module(x)
    torch.testing.assert_close(x, ours(images), rtol=0, atol=0)


@torch.no_grad()
def test_the_maps_between_stages_are_those_of_transformers():
    official, ours, images = oracle("window 4")
    expected = official(images, output_hidden_states=True).hidden_states
    x = ours.patch_embed(images)
    torch.testing.assert_close(x, expected[0], rtol=1e-5, atol=1e-5)
    for index, stage in enumerate(ours.layers):
        for layer in stage.blocks:
            x = layer(x)
        # Theirs merges at the end of a stage, ours at the start of the next.
        if index + 1 < len(ours.layers):
            x = ours.layers[index + 1].downsample(x)
        torch.testing.assert_close(x, expected[index + 1], rtol=1e-5, atol=1e-5)


STAGES = (
    SwinStage(12, (ViTLayer(2, 3, 5, 7), ViTLayer(3, 4, 2, 0), ViTLayer(0, 0, 0, 9))),
    SwinStage(20, (ViTLayer(3, 2, 2, 4), ViTLayer(2, 1, 6, 3))),
)
PRUNED = SwinSpec(stages=STAGES, patch=2, resolution=32, window=4, classes=5)


@torch.no_grad()
def test_blocks_made_alone_compute_the_same_as_inside_the_model():
    model = create_model(PRUNED)
    randomise(model)
    x = images = torch.randn(2, 3, 32, 32)
    for block, part in zip(PRUNED.blocks(), model.chain(), strict=True):
        alone = create_block(block)
        alone.load_state_dict(part.state_dict())
        x = alone(x)
    torch.testing.assert_close(x, model(images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 3])
@torch.no_grad()
def test_onnx_runtime_computes_the_same(batch):
    model = create_model(PRUNED)
    randomise(model)
    deployed = folded(model)
    seen = {}
    for part, shape in [
        (deployed, (3, 32, 32)),
        *((m, b.input_shape) for b, m in zip(PRUNED.blocks(), deployed.chain(), strict=True)),
    ]:
        exported = onnx_from_module(part, (batch, *shape))
        session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
        x = torch.randn(batch, *shape)
        (result,) = session.run(None, {"input": x.numpy()})
        np.testing.assert_allclose(result, part(x).numpy(), rtol=1e-4, atol=1e-4)
        seen[part] = {node.op_type for node in onnx.load_from_string(exported).graph.node}
    # The bias is a constant: what looks it up and adds the mask is gone.
    assert not {"Where", "Expand", "ScatterND", "Slice", "GatherND"} & seen[deployed]


@torch.no_grad()
def test_half_precision_exports():
    (block,) = [b for b in PRUNED.blocks() if b.op == "window_attention" and b["heads"] == 3][:1]
    assert block["shift"] == 2
    onnx.checker.check_model(
        onnx.load_from_string(onnx_from_module(folded(create_block(block)), (1, 256, 12), "fp16"))
    )


def test_folding_leaves_the_model_alone():
    model = create_model(PRUNED)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    folded(model)
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_names_are_those_of_timm():
    spec = SwinSpec.uniform(4, [1, 1], [1, 2], patch=2, resolution=16, window=4, classes=3)
    stage = ("norm1.weight", "norm1.bias", "attn.relative_position_bias_table", "attn.qkv.weight")
    stage += ("attn.qkv.bias", "attn.proj.weight", "attn.proj.bias", "norm2.weight", "norm2.bias")
    stage += ("mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias")
    assert set(SwinTransformer(spec).state_dict()) == {
        "patch_embed.proj.weight",
        "patch_embed.proj.bias",
        "patch_embed.norm.weight",
        "patch_embed.norm.bias",
        *(f"layers.0.blocks.0.{name}" for name in stage),
        "layers.1.downsample.norm.weight",
        "layers.1.downsample.norm.bias",
        "layers.1.downsample.reduction.weight",
        *(f"layers.1.blocks.0.{name}" for name in stage),
        "norm.weight",
        "norm.bias",
        "head.fc.weight",
        "head.fc.bias",
    }


@pytest.mark.parametrize(("side", "window", "offset"), [(8, 4, 0), (8, 4, 2), (9, 3, 1), (5, 5, 0)])
def test_windows_are_those_of_rolling_and_cutting(side, window, offset):
    x = torch.randn(3, side**2, 2)
    windows = Windows(side, window, offset)
    cut = windows.cut(x)
    rolled = x.reshape(3, side, side, 2).roll((-offset, -offset), (1, 2))
    expected = rolled.unfold(1, window, window).unfold(2, window, window).permute(0, 1, 2, 4, 5, 3)
    assert torch.equal(cut, expected.reshape(-1, window**2, 2))
    assert torch.equal(windows.joined(cut), x)


def test_a_pair_has_the_row_of_its_offset():
    index = relative_position_index(3)
    assert index.shape == (9, 9)
    assert index.diagonal().unique().tolist() == [12]  # (0 + 2)·5 + (0 + 2)
    assert index[0, 8] == 0  # two rows up and two columns left
    assert index[8, 0] == 24
    assert len(index.unique()) == 25


@torch.no_grad()
def test_the_scale_of_the_unpruned_head_is_kept():
    """Rows of Q that are zero add nothing, so a head of 4 with 2 such rows is a head of 2."""
    full_spec = SwinSpec.uniform(8, [2], [2], patch=2, resolution=16, window=4, classes=3)
    full = create_model(full_spec)
    randomise(full)
    weights = dict(full.state_dict())
    keep = [0, 1, 4, 5]
    for layer in range(2):
        for kind in ("weight", "bias"):
            name = f"layers.0.blocks.{layer}.attn.qkv.{kind}"
            weights[name][[2, 3, 6, 7]] = 0
            weights[name] = weights[name][[*keep, *(8 + row for row in keep), *range(16, 24)]]
    layers = (ViTLayer(2, 2, 4, 32),) * 2
    shape = {"patch": 2, "resolution": 16, "window": 4, "classes": 3, "attention_scale_dim": 4}
    pruned = create_model(SwinSpec(stages=(SwinStage(8, layers),), **shape))
    pruned.load_state_dict(weights)
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(pruned(images), full(images))
    torch.testing.assert_close(folded(pruned)(images), full(images))


def test_every_weight_gets_a_gradient():
    model = create_model(PRUNED).train()
    randomise(model)
    model(torch.randn(2, 3, 32, 32)).square().sum().backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []
