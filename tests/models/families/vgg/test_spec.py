"""VGG against the same layers in a row under torchvision's names; its spec, blocks and sizes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from vitprof.errors import UserError
from vitprof.models import VggSpec, create_block, create_model, create_spec
from vitprof.models.modules.folding import folded

SPEC = VggSpec(
    stages=((6, 8), (10,)), hidden=(12, 9), pooled=2, resolution=16, classes=5, name="small-vgg"
)


class InARow(nn.Module):
    """torchvision's VGG: `features` and `classifier`, each layer by its number."""

    def __init__(self, spec: VggSpec) -> None:
        super().__init__()
        features: list[nn.Module] = []
        before = spec.in_channels
        for stage in spec.stages:
            for width in stage:
                features += [
                    nn.Conv2d(before, width, 3, padding=1),
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                ]
                before = width
            features.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(spec.pooled)
        dense: list[nn.Module] = []
        before *= spec.pooled**2
        for width in spec.hidden:
            dense += [nn.Linear(before, width), nn.ReLU(), nn.Dropout()]
            before = width
        self.classifier = nn.Sequential(*dense, nn.Linear(before, spec.classes))

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


@pytest.mark.parametrize("spec", [SPEC, replace(SPEC, hidden=(), pooled=4)], ids=["two", "none"])
def test_outputs_are_those_of_the_layers_in_a_row(spec, tmp_path) -> None:
    torch.manual_seed(0)
    row = InARow(spec)
    row(torch.randn(8, 3, 16, 16))  # statistics of the batch norms
    row.eval()
    save_file(row.state_dict(), tmp_path / "vgg.safetensors")
    model = create_model(spec, checkpoint=tmp_path / "vgg.safetensors")
    images = torch.randn(3, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(model(images), row(images))
        torch.testing.assert_close(folded(model)(images), row(images), rtol=1e-4, atol=1e-5)


def test_parameters_and_blocks_add_up() -> None:
    model = create_model(SPEC)
    assert sum(p.numel() for p in model.parameters()) == SPEC.params
    x = torch.randn(2, 3, 16, 16)
    for block, step in zip(SPEC.blocks(), model.chain(), strict=True):
        alone = create_block(block)
        assert sum(p.numel() for p in alone.parameters()) == block.params
        assert tuple(x.shape[1:]) == block.input_shape
        assert alone(x).shape == step(x).shape == (2, *block.output_shape)
        x = step(x)


@pytest.mark.parametrize(
    ("name", "millions", "mmacs"),
    [
        ("vgg16-bn", 138.37, 15470),
        ("vgg16-bn-cifar", 14.99, 313.5),
        ("vgg19-bn", 143.68, 19632),
    ],
)
def test_published_sizes(name, millions, mmacs) -> None:
    spec = create_spec(name)
    assert spec.params / 1e6 == pytest.approx(millions, rel=0.002)
    assert spec.macs / 1e6 == pytest.approx(mmacs, rel=0.002)


def test_json_round_trip() -> None:
    assert VggSpec.from_json(SPEC.to_json()) == SPEC


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"stages": ((),)}, "lists of output channels"),
        ({"resolution": 18}, "halved 2 times"),
        ({"pooled": 3}, "not a multiple of"),
        ({"hidden": (0,)}, "a width=0"),
        ({"stages": "64"}, "stages"),
    ],
    ids=str,
)
def test_values_out_of_range_are_refused(wrong, words) -> None:
    with pytest.raises(UserError, match=words):
        replace(SPEC, **wrong)
