from __future__ import annotations

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import SwinConfig, SwinForImageClassification
from vitprof.models import create_model, create_spec
from vitprof.models.families.swin.spec import SwinSpec

SPEC = SwinSpec.uniform(
    12, [2, 2, 1], [1, 2, 4], patch=2, resolution=32, window=4, classes=5, name="small"
)


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: torch.randn_like(w) for name, w in create_model(SPEC).state_dict().items()}


def loads(weights, file):
    model = create_model(SPEC, file)
    return all(torch.equal(w, weights[name]) for name, w in model.state_dict().items())


def with_merging_at_the_end(weights):
    """The names of the official files and of timm before 0.9."""
    renamed = {}
    for name, weight in weights.items():
        new = re.sub(
            r"^layers\.(\d)\.downsample", lambda m: f"layers.{int(m[1]) - 1}.downsample", name
        )
        renamed[new.replace("head.fc.", "head.")] = weight
    assert "layers.0.downsample.norm.weight" in renamed
    return renamed


def test_timm_names(tmp_path, weights):
    save_file(weights, tmp_path / "model.safetensors")
    assert loads(weights, tmp_path)


def test_official_names_with_their_tables(tmp_path, weights):
    extra = {
        "layers.0.blocks.0.attn.relative_position_index": torch.zeros(16, 16, dtype=torch.long),
        "layers.0.blocks.1.attn_mask": torch.zeros(16, 16, 16),
    }
    content = {"model": {**with_merging_at_the_end(weights), **extra}}
    torch.save(content, tmp_path / "swin.pth")
    assert loads(weights, tmp_path / "swin.pth")


@pytest.fixture
def official() -> SwinForImageClassification:
    torch.manual_seed(0)
    config = SwinConfig(
        image_size=32,
        patch_size=2,
        window_size=4,
        embed_dim=12,
        depths=[2, 2, 1],
        num_heads=[1, 2, 4],
        num_labels=5,
    )
    model = SwinForImageClassification(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


@torch.no_grad()
def test_hugging_face_names_on_disk_and_in_memory(tmp_path, official):
    official.save_pretrained(tmp_path / "small")
    spec = create_spec(tmp_path / "small")
    assert spec == SPEC
    names = load_file(tmp_path / "small" / "model.safetensors")
    assert "swin.encoder.layers.0.blocks.0.attention.self.query.weight" in names
    save_file(official.state_dict(), tmp_path / "memory.safetensors")
    images = torch.randn(2, 3, 32, 32)
    for file in (tmp_path / "small", tmp_path / "memory.safetensors"):
        model = create_model(tmp_path / "small", file)
        torch.testing.assert_close(model(images), official(images).logits, rtol=1e-5, atol=1e-5)


def test_a_checkpoint_of_another_variant_is_refused(refused, tmp_path, weights):
    file = tmp_path / "model.safetensors"
    save_file(weights, file)
    with refused("model.safetensors", "'patch_embed.proj.weight'", "(96, 3, 4, 4)"):
        create_model("swin-tiny", file)
    save_file({n: w for n, w in weights.items() if "layers.2.blocks.0.mlp" not in n}, file)
    with refused("no weight 'layers.2.blocks.0.mlp.fc1.weight'"):
        create_model(SPEC, file)
    save_file({**weights, "absolute_pos_embed": torch.zeros(1, 256, 12)}, file)
    with refused("'absolute_pos_embed'", "has not"):
        create_model(SPEC, file)


def test_a_file_that_says_a_thing_twice_or_by_half_is_refused(refused, tmp_path, weights):
    file = tmp_path / "model.safetensors"
    save_file({**weights, "head.bias": torch.zeros(5)}, file)
    with refused("model.safetensors", "'head.fc.bias'", "both"):
        create_model(SPEC, file)
    save_file({"swin.encoder.layers.0.blocks.0.attention.self.query.bias": torch.zeros(5)}, file)
    with refused("model.safetensors", "layers.0.blocks.0.attn.k.bias"):
        create_model(SPEC, file)


def test_missing_fields_are_those_of_transformers(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "swin"}))
    spec, tiny = create_spec(tmp_path), create_spec("swin-tiny")
    assert spec.stages == tiny.stages
    assert (spec.classes, spec.norm_eps, spec.window) == (2, 1e-5, 7)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"use_absolute_embeddings": True}, ["use_absolute_embeddings=True"]),
        ({"qkv_bias": False}, ["qkv_bias=False"]),
        ({"hidden_act": "relu"}, ["hidden_act='relu'"]),
        ({"depths": 2}, ["depths=2", "list"]),
        ({"depths": [2, 2]}, ["depths=[2, 2]", "num_heads="]),
        ({"num_heads": [3, 6, 12, "24"]}, ["num_heads[3]='24'"]),
        ({"num_heads": [3, 6, 12, 25]}, ["25 heads", "768"]),
        ({"mlp_ratio": "4"}, ["mlp_ratio='4'"]),
        ({"mlp_ratio": 0.001}, ["mlp_ratio=0.001", "width 96"]),
        ({"layer_norm_eps": 2}, ["layer_norm_eps=2"]),
        ({"image_size": [224, 256]}, ["image_size=", "square"]),
        ({"image_size": 256}, ["resolution=256", "window=7", "64x64"]),
        ({"architectures": ["SwinForMaskedImageModeling"]}, ["not a classifier"]),
    ],
)
def test_a_config_that_cannot_be_followed_is_refused(refused, tmp_path, changes, words):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "swin", **changes}))
    with refused("config.json", *words):
        create_spec(tmp_path)
