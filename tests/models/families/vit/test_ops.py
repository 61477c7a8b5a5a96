"""The closed forms against the modules: torch's own counters know nothing of them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode
from vitprof.models import create_block, create_model, create_spec
from vitprof.models.families.vit.model import VisionTransformer


def params_of(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def macs_of(module: torch.nn.Module, *shape: int, device: str = "cpu") -> int:
    """Multiply-accumulates of one run by torch's dispatcher, which sees each matrix product."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(torch.zeros(shape, device=device))
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return flops // 2


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_closed_forms_are_what_the_modules_have_and_do(any_vits, data):
    spec = data.draw(any_vits)
    model = create_model(spec)
    assert params_of(model) == spec.params
    assert macs_of(model, 1, spec.in_channels, spec.resolution, spec.resolution) == spec.macs
    for block in spec.blocks():
        module = create_block(block)
        assert params_of(module) == block.params
        assert macs_of(module, 1, *block.input_shape) == block.macs
        assert module(torch.zeros(2, *block.input_shape)).shape == (2, *block.output_shape)


@pytest.mark.parametrize("name", ["deit-tiny", "deit-small-distilled", "deit-base"])
def test_closed_forms_of_published_models(name):
    spec = create_spec(name)
    with torch.device("meta"):
        model = VisionTransformer(spec)
    assert params_of(model) == spec.params
    assert macs_of(model, 1, 3, 224, 224, device="meta") == spec.macs
