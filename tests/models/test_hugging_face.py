from __future__ import annotations

import json

import pytest
from vitprof.models import ViTLayer, create_spec

CONFIG = {
    "model_type": "vit",
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "image_size": [8, 8],
    "patch_size": 4,
    "num_channels": 1,
    "layer_norm_eps": 1e-5,
    "id2label": {"0": "a", "1": "b", "2": "c"},
}


def write(folder, **changes):
    folder = folder / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    return folder


def test_a_directory_and_its_config_are_the_same(tmp_path):
    folder = write(tmp_path)
    spec = create_spec(folder)
    assert spec == create_spec(folder / "config.json")
    assert (spec.name, spec.embed, spec.resolution, spec.patch) == ("my-model", 24, 8, 4)
    assert spec.layers == (ViTLayer(3, 8, 8, 40),) * 2
    assert (spec.in_channels, spec.classes, spec.norm_eps, spec.prefix) == (1, 3, 1e-5, 1)


@pytest.mark.parametrize(
    ("architectures", "heads"),
    [
        (["DeiTForImageClassification"], 1),
        (["DeiTForImageClassificationWithTeacher"], 2),
        (["DeiTModel"], 1),
        (None, 1),
    ],
)
def test_architectures_tell_the_heads_of_deit(tmp_path, architectures, heads):
    spec = create_spec(write(tmp_path, model_type="deit", architectures=architectures))
    assert (spec.distilled, spec.classifier_heads) == (True, heads)


@pytest.mark.parametrize("model_type", ["vit", "deit"])
def test_missing_fields_are_those_of_transformers(tmp_path, model_type):
    from transformers import DeiTConfig, ViTConfig

    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    spec = create_spec(tmp_path)
    config = {"vit": ViTConfig, "deit": DeiTConfig}[model_type]()
    assert spec.embed == config.hidden_size
    assert spec.depth == config.num_hidden_layers
    layer = (config.num_attention_heads, 64, 64, config.intermediate_size)
    assert spec.layers[0] == ViTLayer(*layer)
    assert (spec.resolution, spec.patch) == (config.image_size, config.patch_size)
    assert (spec.in_channels, spec.classes) == (config.num_channels, config.num_labels)
    assert spec.norm_eps == config.layer_norm_eps


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"model_type": "beit"},
            ["model_type='beit'", "dinov2_with_registers, bert, swin"],
        ),
        ({"model_type": None}, ["model_type=None"]),
        ({"hidden_act": "gelu_new"}, ["hidden_act='gelu_new'", "exact GELU"]),
        ({"qkv_bias": False}, ["qkv_bias=False"]),
        ({"hidden_size": -1}, ["hidden_size=-1"]),
        ({"hidden_size": True}, ["hidden_size=True"]),
        ({"num_hidden_layers": 10**6}, ["num_hidden_layers=1000000"]),
        ({"image_size": [8, 16]}, ["image_size=[8, 16]", "square"]),
        ({"image_size": 9}, ["resolution=9", "multiple"]),
        ({"layer_norm_eps": "x"}, ["layer_norm_eps='x'"]),
        ({"architectures": "ViTModel"}, ["architectures="]),
        ({"architectures": ["ViTForMaskedImageModeling"]}, ["not a classifier"]),
        ({"id2label": {}}, ["id2label"]),
    ],
)
def test_what_cannot_be_followed_is_refused(refused, tmp_path, changes, words):
    with refused("config.json", *words):
        create_spec(write(tmp_path, **changes))
