from __future__ import annotations

import copy

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vitprof.models import ViTLayer, ViTSpec, create_block, create_model
from vitprof.models.families.vit.model import VisionTransformer


def images_of(spec: ViTSpec) -> torch.Tensor:
    return torch.randn(2, spec.in_channels, spec.resolution, spec.resolution)


def randomised(spec: ViTSpec) -> VisionTransformer:
    """A model none of whose weights has a value that hides a mistake, like 0 or 1."""
    model = VisionTransformer(spec).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_running_the_chain_is_running_the_model(any_vits, data):
    spec = data.draw(any_vits)
    model = randomised(spec)
    x = images_of(spec)
    expected = model(x)
    for module in model.chain():
        x = module(x)
    torch.testing.assert_close(x, expected, rtol=0, atol=0)


def test_blocks_made_alone_compute_the_same_as_inside_the_model():
    layers = (ViTLayer(3, 5, 7, 11), ViTLayer(0, 0, 0, 6), ViTLayer(2, 4, 4, 0))
    spec = ViTSpec(embed=10, layers=layers, patch=2, resolution=6, classes=5, distilled=True)
    model = randomised(spec)
    x = images_of(spec)
    expected = model(x)
    for block, part in zip(spec.blocks(), model.chain(), strict=True):
        alone = create_block(block)
        alone.load_state_dict(part.state_dict())
        assert not alone.training
        x = alone(x)
    torch.testing.assert_close(x, expected, rtol=0, atol=0)


def test_the_chain_shares_the_weights():
    model = VisionTransformer(ViTSpec.uniform(8, 2, 2, patch=4, resolution=8))
    shared = {id(p) for module in model.chain() for p in module.parameters()}
    assert shared == {id(p) for p in model.parameters()}


def test_names_are_those_of_timm():
    layers = (ViTLayer(2, 3, 5, 7), ViTLayer(0, 0, 0, 9))
    spec = ViTSpec(embed=6, layers=layers, patch=4, resolution=8, classes=11, distilled=True)
    shapes = {
        name: tuple(weight.shape) for name, weight in VisionTransformer(spec).state_dict().items()
    }
    assert shapes == {
        "cls_token": (1, 1, 6),
        "dist_token": (1, 1, 6),
        "pos_embed": (1, 6, 6),
        "patch_embed.proj.weight": (6, 3, 4, 4),
        "patch_embed.proj.bias": (6,),
        "blocks.0.norm1.weight": (6,),
        "blocks.0.norm1.bias": (6,),
        "blocks.0.attn.qkv.weight": (22, 6),
        "blocks.0.attn.qkv.bias": (22,),
        "blocks.0.attn.proj.weight": (6, 10),
        "blocks.0.attn.proj.bias": (6,),
        "blocks.0.norm2.weight": (6,),
        "blocks.0.norm2.bias": (6,),
        "blocks.0.mlp.fc1.weight": (7, 6),
        "blocks.0.mlp.fc1.bias": (7,),
        "blocks.0.mlp.fc2.weight": (6, 7),
        "blocks.0.mlp.fc2.bias": (6,),
        "blocks.1.norm2.weight": (6,),
        "blocks.1.norm2.bias": (6,),
        "blocks.1.mlp.fc1.weight": (9, 6),
        "blocks.1.mlp.fc1.bias": (9,),
        "blocks.1.mlp.fc2.weight": (6, 9),
        "blocks.1.mlp.fc2.bias": (6,),
        "norm.weight": (6,),
        "norm.bias": (6,),
        "head.weight": (11, 6),
        "head.bias": (11,),
        "head_dist.weight": (11, 6),
        "head_dist.bias": (11,),
    }


def test_logits_are_the_mean_of_two_heads():
    spec = ViTSpec.uniform(8, 1, 2, patch=4, resolution=8, classes=3, distilled=True)
    model = randomised(spec)
    images = images_of(spec)
    first, second = model.forward_heads(images)
    assert not torch.allclose(first, second)
    torch.testing.assert_close(model(images), (first + second) / 2)


def test_the_scale_of_the_unpruned_head_is_kept():
    """Rows of Q that are zero add nothing, so a head of 8 with 4 such rows is a head of 4."""
    full = randomised(ViTSpec.uniform(16, 1, 2, patch=4, resolution=8, classes=3))
    weights = full.state_dict()
    qkv = {kind: weights[f"blocks.0.attn.qkv.{kind}"] for kind in ("weight", "bias")}
    keep = [head * 8 + row for head in range(2) for row in range(4)]
    cut = [row for row in range(16) if row not in keep]
    small = copy.copy(weights)
    for kind, values in qkv.items():
        values[cut] = 0
        rows = [*keep, *(16 + row for row in keep), *range(32, 48)]
        small[f"blocks.0.attn.qkv.{kind}"] = values[rows]
    shape = {"patch": 4, "resolution": 8, "classes": 3, "qk": 4, "v": 8}
    pruned = create_model(ViTSpec.uniform(16, 1, 2, attention_scale_dim=8, **shape))
    rescaled = create_model(ViTSpec.uniform(16, 1, 2, **shape))
    pruned.load_state_dict(small)
    rescaled.load_state_dict(small)
    images = images_of(full.spec)
    torch.testing.assert_close(pruned(images), full(images))
    assert not torch.allclose(rescaled(images), full(images), atol=1e-4)


def test_the_norm_epsilon_is_that_of_the_spec():
    spec = ViTSpec.uniform(8, 1, 2, patch=4, resolution=8)
    assert VisionTransformer(spec).spec.norm_eps == 1e-6
    model = create_model(ViTSpec.uniform(8, 1, 2, patch=4, resolution=8, norm_eps=1e-3))
    norms = [m.eps for m in model.modules() if isinstance(m, torch.nn.LayerNorm)]
    assert norms == [1e-3] * 3


def test_initial_weights_come_from_the_global_generator():
    block = ViTSpec.uniform(64, 1, 2, patch=4, resolution=8).blocks()[1]
    torch.manual_seed(7)
    first = create_block(block).state_dict()
    torch.manual_seed(7)
    second = create_block(block).state_dict()
    other = create_block(block).state_dict()
    weight = "attn.qkv.weight"
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first[weight], other[weight])
    assert abs(first[weight].std().item() - 0.02) < 0.001
    assert not first["attn.qkv.bias"].any()


def test_every_weight_gets_a_gradient():
    spec = ViTSpec.uniform(8, 2, 2, patch=4, resolution=8, classes=3, distilled=True)
    model = randomised(spec).train()
    model(images_of(spec)).square().sum().backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []
