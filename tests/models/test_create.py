"""The same weights, the same input: the same output as transformers' own models."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    DeiTConfig,
    DeiTForImageClassification,
    DeiTForImageClassificationWithTeacher,
    DeiTModel,
    ViTConfig,
    ViTForImageClassification,
)
from vitprof.models import ViTSpec, create_model, create_spec

MODELS = {
    ViTForImageClassification: ViTConfig,
    DeiTForImageClassification: DeiTConfig,
    DeiTForImageClassificationWithTeacher: DeiTConfig,
}


def reference_model(model_class, **changes):
    """A small model of transformers none of whose weights hides a mistake."""
    torch.manual_seed(0)
    dims = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3}
    shape = {"intermediate_size": 40, "image_size": 12, "patch_size": 4, "num_labels": 5}
    config = MODELS.get(model_class, DeiTConfig)(**{**dims, **shape, **changes})
    model = model_class(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def assert_same(model, reference):
    images = torch.randn(3, 3, 12, 12)
    with torch.no_grad():
        torch.testing.assert_close(model(images), reference(images).logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("eps", [1e-12, 0.05])
@pytest.mark.parametrize("model_class", MODELS)
def test_a_saved_directory_computes_the_same(tmp_path, model_class, eps):
    reference = reference_model(model_class, layer_norm_eps=eps)
    reference.save_pretrained(tmp_path)
    model = create_model(tmp_path, tmp_path)
    assert_same(model, reference)
    assert model.spec.norm_eps == eps
    assert model.spec.params == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("model_class", MODELS)
def test_the_names_in_memory_compute_the_same(tmp_path, model_class):
    reference = reference_model(model_class)
    names = list(reference.state_dict())
    assert any(".attention.q_proj.weight" in name for name in names)
    reference.config.architectures = [model_class.__name__]
    reference.config.save_pretrained(tmp_path)
    save_file(reference.state_dict(), tmp_path / "model.safetensors")
    torch.save(reference.state_dict(), tmp_path / "weights.bin")
    assert_same(create_model(tmp_path, tmp_path), reference)
    assert_same(create_model(tmp_path, tmp_path / "weights.bin"), reference)


def test_the_config_beside_the_weights_decides_the_epsilon_a_spec_leaves_open(tmp_path):
    reference = reference_model(ViTForImageClassification, layer_norm_eps=0.05)
    reference.save_pretrained(tmp_path)
    open_spec = dataclasses.replace(create_spec(tmp_path), norm_eps=None)
    assert_same(create_model(open_spec, tmp_path / "model.safetensors"), reference)
    (tmp_path / "config.json").unlink()
    assert create_model(open_spec, tmp_path).spec.norm_eps == 1e-12
    fixed = dataclasses.replace(open_spec, norm_eps=0.25)
    assert create_model(fixed, tmp_path).spec.norm_eps == 0.25


def test_a_broken_config_beside_the_weights_is_an_error(refused, tmp_path):
    reference_model(ViTForImageClassification).save_pretrained(tmp_path)
    spec = dataclasses.replace(create_spec(tmp_path), norm_eps=None)
    (tmp_path / "config.json").write_text(json.dumps({"layer_norm_eps": -1}))
    with refused("config.json", "layer_norm_eps=-1"):
        create_model(spec, tmp_path)


def test_a_base_model_with_a_pooler_and_bare_names_lacks_only_the_head(refused, tmp_path):
    model = reference_model(DeiTModel)
    names = list(model.state_dict())
    assert "pooler.dense.weight" in names
    assert "embeddings.cls_token" in names
    model.save_pretrained(tmp_path)
    with refused("no weight 'head.weight'"):
        create_model(tmp_path, tmp_path)
    head = {"classifier.weight": torch.zeros(5, 24), "classifier.bias": torch.ones(5)}
    mask = {"embeddings.mask_token": torch.zeros(1, 1, 24)}
    save_file({**model.state_dict(), **head, **mask}, tmp_path / "model.safetensors")
    logits = create_model(tmp_path, tmp_path)(torch.zeros(1, 3, 12, 12))
    assert torch.equal(logits, torch.ones(1, 5))


def test_a_name_follows_a_checkpoint_with_the_token_but_one_head(refused, tmp_path):
    one_head = dataclasses.replace(create_spec("deit-tiny-distilled"), distillation_head=False)
    save_file(create_model(one_head).state_dict(), tmp_path / "model.safetensors")
    model = create_model("deit-tiny-distilled", tmp_path)
    assert model.spec.distilled
    assert model.spec.classifier_heads == 1
    with refused("head_dist.weight"):
        create_model(create_spec("deit-tiny-distilled"), tmp_path)


def test_two_heads_do_not_fit_into_one(refused, tmp_path):
    reference = reference_model(DeiTForImageClassificationWithTeacher)
    reference.save_pretrained(tmp_path)
    spec = dataclasses.replace(create_spec(tmp_path), distillation_head=False)
    with refused("head_dist", "the model has not"):
        create_model(spec, tmp_path)


def test_without_a_checkpoint_the_weights_are_random_and_the_mode_is_eval():
    torch.manual_seed(1)
    first, second = create_model("vit-micro-8"), create_model("vit-micro-8")
    assert not first.training
    assert first(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert not torch.equal(first.head.weight, second.head.weight)
    assert first.spec == dataclasses.replace(create_spec("vit-micro-8"), norm_eps=1e-6)


def test_a_model_too_large_to_be_meant_is_refused(refused):
    with refused("parameters", "10000000000"):
        create_model(ViTSpec.uniform(65_536, 12, 16, mlp=65_536))
