"""timm's names: parameters, MACs and outputs are those that timm itself gave."""

import json
from pathlib import Path

import pytest
import torch
from vitprof.errors import UserError
from vitprof.models import create_model, create_spec
from vitprof.models.timm_names import (
    is_timm_name,
    timm_architectures,
    timm_lacks,
    timm_names,
    timm_spec,
)

DATA = Path(__file__).parent.parent / "data" / "timm"
COUNTS = json.loads((DATA / "counts.json").read_text())
OUTPUTS = json.loads((DATA / "outputs.json").read_text())
EXPRESSED = [name for name in COUNTS if timm_lacks(name) is None]


def filled(shapes: dict[str, torch.Size]) -> dict[str, torch.Tensor]:
    """As benchmarks/timm_oracle.py fills a model."""
    weights = {}
    for place, (name, shape) in enumerate(sorted(shapes.items())):
        steps = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
        values = torch.sin(steps * (0.7 + 0.1 * place) + place) * 0.3
        weights[name] = values.float().reshape(shape)
    return weights


def test_most_names_are_expressed() -> None:
    assert len(timm_names()) >= 140
    assert len(EXPRESSED) >= 290


@pytest.mark.parametrize("name", EXPRESSED)
def test_parameters_and_macs_are_timms(name: str) -> None:
    spec = create_spec(name)
    assert [spec.params, spec.macs] == COUNTS[name]
    assert spec.name == name


@pytest.mark.parametrize("kind", OUTPUTS)
def test_outputs_are_timms_for_the_same_weights(kind: str) -> None:
    recorded = OUTPUTS[kind]
    spec = timm_spec(recorded["name"], **recorded["arguments"])
    model = create_model(spec)
    own = {key: list(value.shape) for key, value in model.state_dict().items()}
    assert own == recorded["shapes"]
    assert sum(parameter.numel() for parameter in model.parameters()) == spec.params
    model.load_state_dict(filled(recorded["shapes"]))
    side = recorded["arguments"]["img_size"]
    images = filled({"images": torch.Size((2, 3, side, side))})["images"]
    wanted = torch.tensor(recorded["output"])
    with torch.no_grad():
        assert torch.allclose(model(images), wanted, atol=1e-4, rtol=1e-4)
        x = images
        for module in model.chain():
            x = module(x)
    assert len(model.chain()) == len(spec.blocks())
    assert torch.allclose(x, wanted, atol=1e-4, rtol=1e-4)


def test_a_spec_with_details_survives_json() -> None:
    for name in timm_names():
        spec = timm_spec(name)
        assert type(spec).from_json(spec.to_json()) == spec


def test_a_plain_spec_has_no_details_in_json() -> None:
    assert "details" not in create_spec("deit-tiny").to_dict()
    assert create_spec("deit_tiny_patch16_224").blocks() == create_spec("deit-tiny").blocks()


def test_the_tag_decides_the_classes() -> None:
    assert timm_spec("vit_small_patch16_384.augreg_in21k_ft_in1k").to_dict()["classes"] == 1000
    assert timm_spec("vit_small_patch16_224.augreg_in21k").to_dict()["classes"] == 21843
    assert timm_spec("vit_small_patch16_224.dino").to_dict()["classes"] == 0
    assert timm_spec("vit_small_patch16_224.dino", num_classes=7).to_dict()["classes"] == 7


def test_an_old_name_is_what_it_became() -> None:
    old = timm_spec("vit_small_patch16_224_in21k")
    assert old.blocks() == timm_spec("vit_small_patch16_224.augreg_in21k").blocks()
    assert is_timm_name("vit_small_patch16_224_in21k")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vit_base_patch16_siglip_224", ["pools by attention"]),
        ("swin_s3_tiny_224", ["windows of another side in each stage"]),
        ("vgg11", ["batch norms"]),
        ("vit_base_patch16_xp_224", ["side by side"]),
        ("aimv2_large_patch14_224", ["root mean square"]),
    ],
)
def test_what_is_lacking_is_said(name: str, words: list[str]) -> None:
    assert is_timm_name(name)
    with pytest.raises(UserError) as caught:
        create_spec(name)
    assert name in str(caught.value)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("deit_tiny_patch16_225", "deit_tiny_patch16_224"),
        ("vit_smal_patch16_384.augreg_in21k_ft_in1k", "vit_small_patch16_384.augreg_in21k_ft_in1k"),
        ("vit_small_patch16_384.augreg_in21k_ft_in2k", "augreg_in21k_ft_in1k"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UserError, match=nearest):
        create_spec(name)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"img_size": "big"}, "img_size"),
        ({"img_size": [224, 192]}, "img_size"),
        ({"depth": 1.5}, "depth"),
        ({"global_pool": "map"}, "global_pool"),
        ({"act_layer": "relu"}, "act_layer"),
        ({"qkv_bias": 1}, "qkv_bias"),
        ({"mlp_ratio": -1}, "mlp_ratio"),
        ({"scale_attn_norm": True}, "scale_attn_norm"),
    ],
)
def test_an_argument_that_is_wrong_is_named(arguments: dict[str, object], word: str) -> None:
    with pytest.raises(UserError, match=word):
        timm_spec("vit_tiny_patch16_224", **arguments)


def test_every_architecture_is_expressed_or_lacks_something() -> None:
    for name in timm_architectures():
        if timm_lacks(name) is None:
            timm_spec(name)
