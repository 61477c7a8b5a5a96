"""Folders that timm saved: config.json with architecture, model_args and pretrained_cfg."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from vitprof.models import create_model, create_spec
from vitprof.models.timm_names import timm_spec

# As timm.models.save_for_hf writes it.
CONFIG = {
    "architecture": "vit_tiny_patch16_224",
    "num_classes": 7,
    "num_features": 192,
    "global_pool": "token",
    "pretrained_cfg": {
        "tag": "augreg_in21k_ft_in1k",
        "input_size": [3, 32, 32],
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "num_classes": 7,
    },
    "model_args": {"depth": 2, "drop_path_rate": 0.1},
}


def write(folder: Path, **changes: object) -> Path:
    folder = folder / "mine"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    return folder


def test_the_spec_is_the_architecture_with_its_arguments(tmp_path) -> None:
    spec = create_spec(write(tmp_path))
    wanted = timm_spec("vit_tiny_patch16_224", depth=2, num_classes=7, img_size=32, in_chans=3)
    assert (spec.name, spec.blocks(), spec.params) == ("mine", wanted.blocks(), wanted.params)
    assert (spec.depth, spec.classes, spec.resolution) == (2, 7, 32)


def test_model_args_count_before_the_pretrained_ones(tmp_path) -> None:
    spec = create_spec(write(tmp_path, model_args={"img_size": 64, "num_classes": 3, "depth": 1}))
    assert (spec.resolution, spec.classes, spec.depth) == (64, 3, 1)


def test_weights_are_read_from_the_folder(tmp_path) -> None:
    folder = write(tmp_path)
    torch.manual_seed(0)
    model = create_model(create_spec(folder))
    save_file(model.state_dict(), folder / "model.safetensors")
    again = create_model(folder, checkpoint=folder)
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(again(images), model(images))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architecture": "vit_tinny_patch16_224"}, ["config.json", "vit_tinny", "did you mean"]),
        ({"architecture": "convnext_tiny"}, ["config.json", "convnext_tiny"]),
        ({"architecture": 3}, ["architecture=3"]),
        ({"architecture": "../../x"}, ["../../x"]),
        ({"model_args": [1]}, ["model_args=[1]"]),
        ({"model_args": {"name": "x"}}, ["'name'"]),
        ({"model_args": {"depth": -1}}, ["depth=-1"]),
        ({"model_args": {"depth": 10**9}}, ["depth=1000000000"]),
        ({"num_classes": "many"}, ["many"]),
        ({"pretrained_cfg": {"input_size": [3, 224]}}, ["input_size=[3, 224]"]),
    ],
)
def test_what_cannot_be_followed_is_refused(refused, tmp_path, changes, words) -> None:
    with refused(*words):
        create_spec(write(tmp_path, **changes))
