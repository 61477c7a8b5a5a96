"""The closed forms against the modules: torch's own counters know nothing of them."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from vitprof.models import Block, ViTLayer, create_block, create_model, create_spec
from vitprof.models.families.swin.model import SwinTransformer
from vitprof.models.families.swin.spec import SwinSpec, SwinStage


def params_of(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def macs_of(module: torch.nn.Module, *shape: int, device: str = "cpu") -> int:
    """Multiply-accumulates of one run by torch's dispatcher, which sees each matrix product."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(torch.zeros(shape, device=device))
    return counter.get_total_flops() // 2


STAGES = (
    SwinStage(6, (ViTLayer(2, 3, 5, 7), ViTLayer(1, 4, 2, 0), ViTLayer(0, 0, 0, 9))),
    SwinStage(9, (ViTLayer(3, 2, 2, 4), ViTLayer(2, 1, 6, 3))),
)


@pytest.mark.parametrize(("resolution", "window"), [(16, 4), (24, 3), (8, 7), (48, 12)])
def test_closed_forms_are_what_the_modules_have_and_do(resolution, window):
    spec = SwinSpec(stages=STAGES, patch=2, resolution=resolution, window=window, classes=5)
    model = create_model(spec)
    assert params_of(model) == spec.params
    assert macs_of(model, 1, 3, resolution, resolution) == spec.macs
    for block in spec.blocks():
        module = create_block(block)
        assert params_of(module) == block.params
        assert macs_of(module, 1, *block.input_shape) == block.macs
        assert module(torch.zeros(2, *block.input_shape)).shape == (2, *block.output_shape)


@pytest.mark.parametrize("name", ["swin-tiny", "swin-small", "swin-base"])
def test_closed_forms_of_published_models(name):
    spec = create_spec(name)
    with torch.device("meta"):
        model = SwinTransformer(spec)
    assert params_of(model) == spec.params
    assert macs_of(model, 1, 3, 224, 224, device="meta") == spec.macs


ATTENTION = {"embed": 6, "heads": 2, "qk": 3, "v": 3, "window": 4, "resolution": 8, "shift": 2}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"resolution": 10}, ["window=4", "10x10"]),
        ({"resolution": 4}, ["side 4", "shift=1"]),
        ({"window": 1}, ["side 1", "shift=1"]),
        ({"shift": 3}, ["shift=3"]),
    ],
)
def test_windows_that_cannot_be_are_refused(refused, change, words):
    with refused(*words):
        create_block(Block.of("window_attention", **{**ATTENTION, **change}))


def test_maps_that_cannot_be_cut_are_refused(refused):
    with refused("resolution=7", "odd"):
        create_block(Block.of("token_merging", embed=4, out_channels=8, resolution=7))
    with refused("kernel=4", "resolution=18"):
        create_block(Block.of("swin_embed", embed=4, in_channels=3, resolution=18, kernel=4))
