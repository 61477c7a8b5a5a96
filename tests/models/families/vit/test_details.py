"""Details of a ViTSpec: ranges, JSON, and what a pruned model keeps."""

from dataclasses import replace

import pytest
import torch
from vitprof.errors import UserError
from vitprof.models import Block, Spec, ViTSpec, create_block, create_model
from vitprof.models.families.vit.details import MLP_OPS, ViTDetails
from vitprof.models.families.vit.structures import vit_structures, vit_with_units
from vitprof.models.modules.folding import folded

TINY = ViTSpec.uniform(16, 2, 2, resolution=8, patch=4, classes=3)


def with_details(**details: object) -> ViTSpec:
    return replace(TINY, details=ViTDetails.from_fields(details))


@pytest.mark.parametrize(
    ("details", "word"),
    [
        ({"registers": -1}, "registers"),
        ({"pool": "max"}, "pool"),
        ({"class_token": False}, "pool"),
        ({"activation": "relu"}, "activation"),
        ({"layer_scale": 1}, "layer_scale"),
        ({"final_norm": "first"}, "final_norm"),
        ({"unknown": 1}, "unknown"),
        (3, "details"),
    ],
)
def test_a_wrong_field_is_named(details: object, word: str) -> None:
    record = {**TINY.to_dict(), "details": details}
    with pytest.raises(UserError, match=word):
        Spec.from_dict(record)


def test_json_has_only_what_is_not_plain() -> None:
    spec = with_details(layer_scale=True, registers=4)
    assert spec.to_dict()["details"] == {"registers": 4, "layer_scale": True}
    assert Spec.from_json(spec.to_json()) == spec
    assert "details" not in with_details(layer_scale=False).to_dict()


def test_merging_and_details_exclude_each_other() -> None:
    with pytest.raises(UserError, match="merges"):
        replace(with_details(layer_scale=True), merges=(1, 0))


@pytest.mark.parametrize(
    "details",
    [
        {"registers": 3},
        {"class_token": False, "pool": "mean"},
        {"class_token": False, "registers": 1, "pool": "mean", "final_norm": "pooled"},
        {"prefix_positions": False, "layer_scale": True},
        {"pre_norm": True, "qkv_bias": False},
        {"qk_norm": True, "final_norm": "none"},
        {"activation": "swiglu"},
        {"activation": "quick_gelu"},
        {"activation": "gelu_tanh"},
    ],
)
@pytest.mark.parametrize("classes", [0, 3])
def test_parameters_and_shapes_of_model_and_chain(details: dict[str, object], classes: int) -> None:
    spec = replace(with_details(**details), classes=classes)
    model = create_model(spec)
    assert sum(p.numel() for p in model.parameters()) == spec.params
    x = images = torch.randn(2, 3, 8, 8)
    for module, block in zip(model.chain(), spec.blocks(), strict=True):
        assert x.shape[1:] == block.input_shape
        x = module(x)
        assert x.shape[1:] == block.output_shape
    assert torch.allclose(x, model(images), atol=1e-5)


@pytest.mark.parametrize("op", ["normed_attention", *MLP_OPS.values(), "features", "mean_features"])
def test_a_block_alone_is_what_its_op_says(op: str) -> None:
    dims = {"embed": 8, "tokens": 5, "mlp": 12, "heads": 2, "qk": 3, "v": 4}
    axes = Block.of("mlp", embed=8, mlp=12, tokens=5).definition.axes
    if "features" in op:
        axes = ("embed", "tokens")
    elif "attention" in op:
        axes = ("embed", "heads", "qk", "v", "tokens")
    block = Block.of(op, **{axis: dims[axis] for axis in axes})
    module = create_block(block)
    assert sum(p.numel() for p in module.parameters()) == block.params
    assert module(torch.randn(2, *block.input_shape)).shape[1:] == block.output_shape


@pytest.mark.parametrize("prefix", [0, 1, 2, 5])
def test_a_patch_embedding_alone(prefix: int) -> None:
    dims = {"embed": 8, "in_channels": 3, "resolution": 8, "kernel": 4}
    block = (
        Block.of("patch_embed", **dims, prefix=prefix)
        if prefix
        else Block.of("prefixless_patch_embed", **dims)
    )
    module = create_block(block)
    assert sum(p.numel() for p in module.parameters()) == block.params
    assert module(torch.randn(2, 3, 8, 8)).shape == (2, 4 + prefix, 8)


@pytest.mark.parametrize(
    "details",
    [
        {"layer_scale": True, "prefix_positions": False},
        {"registers": 2, "pre_norm": True},
        {"class_token": False, "pool": "mean", "final_norm": "pooled"},
        {"activation": "quick_gelu", "final_norm": "none"},
    ],
)
def test_structures_cover_the_weights_of_a_narrower_model(details: dict[str, object]) -> None:
    spec = with_details(**details)
    left = {"embed": 12, "layers.0.heads": 1, "layers.1.mlp": 40, "layers.1.qk": 4}
    shapes = {key: list(value.shape) for key, value in create_model(spec).state_dict().items()}
    for structure in vit_structures(spec):
        removed = structure.units - left.get(structure.name, structure.units)
        for part in structure.parts:
            shapes[part.weight][part.axis] -= removed * part.index.shape[1]
    narrower = create_model(vit_with_units(spec, left)).state_dict()
    assert {key: list(value.shape) for key, value in narrower.items()} == shapes


@pytest.mark.parametrize(
    "details", [{"qk_norm": True}, {"qkv_bias": False}, {"activation": "swiglu"}]
)
def test_what_cannot_be_pruned_is_said(details: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(details))):
        vit_structures(with_details(**details))


def test_layer_scale_is_folded_where_it_is_deployed() -> None:
    model = create_model(with_details(layer_scale=True))
    for name, weight in model.named_parameters():
        if name.endswith("gamma"):
            weight.data.uniform_(0.5, 2)
    images = torch.randn(2, 3, 8, 8)
    deployed = folded(model)
    assert not [name for name, _ in deployed.named_parameters() if "gamma" in name]
    assert torch.allclose(deployed(images), model(images), atol=1e-5)
    halves = [folded(half) for half in model.chain()]
    assert not [n for half in halves for n, _ in half.named_parameters() if "gamma" in n]
    x = images
    for half in halves:
        x = half(x)
    assert torch.allclose(x, model(images), atol=1e-5)
