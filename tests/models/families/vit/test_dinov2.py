"""Hugging Face's DINOv2 against transformers' own model."""

from __future__ import annotations

import json

import pytest
import torch
from vitprof.models import create_model, create_spec
from vitprof.models.weight_origins import weight_origins

SMALL = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "image_size": 28,
    "patch_size": 7,
}


def made(kind, **changes):
    """Return transformers' model with random weights, those that begin equal or 0 too."""
    import transformers

    names = {"dinov2": "Dinov2", "dinov2_with_registers": "Dinov2WithRegisters"}
    config = getattr(transformers, f"{names[kind]}Config")(**{**SMALL, **changes})
    model = getattr(transformers, f"{names[kind]}Model")(config).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn_like(weight) * 0.3)
    return model


@pytest.mark.parametrize("kind", ["dinov2", "dinov2_with_registers"])
@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("in_memory", [False, True])
def test_outputs_and_parameters_are_transformers(tmp_path, kind, gated, in_memory) -> None:
    theirs = made(kind, use_swiglu_ffn=gated)
    theirs.save_pretrained(tmp_path)
    if in_memory:
        (tmp_path / "model.safetensors").unlink()
        torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    ours = create_model(tmp_path, checkpoint=tmp_path)
    images = torch.randn(2, 3, 28, 28)
    with torch.no_grad():
        assert torch.allclose(ours(images), theirs(images).pooler_output, atol=1e-5)
    spec = ours.spec
    assert spec.params == sum(weight.numel() for weight in ours.parameters())
    # Not the mask token; with registers the class token's position is added to that token.
    unused = spec.embed * (1 + (kind == "dinov2_with_registers"))
    assert spec.params == sum(weight.numel() for weight in theirs.parameters()) - unused
    assert spec == create_spec(tmp_path)


@pytest.mark.parametrize("kind", ["dinov2", "dinov2_with_registers"])
def test_missing_fields_are_those_of_transformers(tmp_path, kind) -> None:
    from transformers import AutoConfig

    theirs = AutoConfig.for_model(kind)
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": kind, "image_size": theirs.patch_size * 2})
    )
    spec = create_spec(tmp_path)
    assert (spec.embed, spec.depth) == (theirs.hidden_size, theirs.num_hidden_layers)
    assert spec.layers[0].heads == theirs.num_attention_heads
    assert spec.layers[0].mlp == theirs.hidden_size * theirs.mlp_ratio
    assert (spec.patch, spec.in_channels) == (theirs.patch_size, theirs.num_channels)
    assert spec.norm_eps == theirs.layer_norm_eps
    assert spec.details.registers == getattr(theirs, "num_register_tokens", 0)


def test_the_class_token_is_made_of_two_weights(tmp_path) -> None:
    made("dinov2_with_registers").save_pretrained(tmp_path)
    origins = weight_origins(tmp_path, "vit")
    assert set(origins["cls_token"]) == {
        "embeddings.cls_token",
        "embeddings.position_embeddings",
    }
    assert origins["pos_embed"] == ["embeddings.position_embeddings"]
    assert origins["blocks.1.ls2.gamma"] == ["encoder.layer.1.layer_scale2.lambda1"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architectures": ["Dinov2ForImageClassification"]}, ["Dinov2ForImageClassification"]),
        ({"hidden_act": "relu"}, ["hidden_act='relu'"]),
        ({"qkv_bias": False}, ["qkv_bias=False"]),
        ({"use_swiglu_ffn": "yes"}, ["use_swiglu_ffn='yes'"]),
        ({"mlp_ratio": 0}, ["mlp_ratio=0"]),
        ({"mlp_ratio": True}, ["mlp_ratio=True"]),
        ({"num_register_tokens": -1}, ["num_register_tokens=-1"]),
        ({"num_attention_heads": 7}, ["heads=7", "embed=24"]),
    ],
)
def test_what_cannot_be_followed_is_refused(refused, tmp_path, changes, words) -> None:
    config = {"model_type": "dinov2_with_registers", **SMALL, **changes}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with refused("config.json", *words):
        create_spec(tmp_path)
