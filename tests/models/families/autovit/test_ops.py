"""AutoViT's closed forms against torch's own counter. About 3 seconds."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode
from vitprof.models import OPS, Block, create_block, create_spec
from vitprof.models.families.autovit.model import AutoViT
from vitprof.models.families.autovit.spec import AutoViTSpec
from vitprof.models.families.autovit.stages import MBConvStage, TransformerStage
from vitprof.spaces.autovit import latency_table_modules

pytestmark = pytest.mark.slow


def params_of(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def macs_of(module: torch.nn.Module, *shape: int, device: str = "cpu") -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(torch.zeros(shape, device=device))
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return flops // 2


def stages(draw: st.DrawFn, kind: type, **dims: st.SearchStrategy[int]) -> tuple:
    fields = {"expansion": st.integers(1, 3), "kernel": st.sampled_from([1, 3]), **dims}
    return tuple(draw(st.lists(st.builds(kind, **fields), min_size=1, max_size=2)))


@st.composite
def specs(draw: st.DrawFn) -> AutoViTSpec:
    width, depth = st.integers(1, 9), st.integers(1, 2)
    patch = draw(st.sampled_from([1, 2, 3]))
    mbconvs = stages(draw, MBConvStage, width=width, depth=depth, stride=depth)
    transformers = stages(
        draw,
        TransformerStage,
        channels=width,
        embed=width,
        depth=depth,
        heads=st.integers(1, 3),
        qk=width,
        v=width,
        mlp=width,
        stride=depth,
    )
    strides = 2
    for stage in (*mbconvs, *transformers):
        strides *= stage.stride
    return AutoViTSpec(
        mbconvs=mbconvs,
        transformers=transformers,
        pool_width=draw(width),
        pool_expansion=draw(st.integers(1, 3)),
        stem_width=draw(width),
        stem_kernel=draw(st.sampled_from([1, 3, 5])),
        patch=patch,
        resolution=strides * (4 if patch == 2 else 3),
        in_channels=draw(st.integers(1, 3)),
        classes=draw(width),
        activation=draw(st.sampled_from(["relu", "hardswish", "gelu", "silu"])),
    )


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_closed_forms_are_what_the_modules_have_and_do(data):
    spec = data.draw(specs())
    with torch.device("meta"):
        model = AutoViT(spec)
        modules = [create_block(block) for block in spec.blocks()]
        inputs = [torch.zeros(2, *block.input_shape) for block in spec.blocks()]
    assert params_of(model) == spec.params
    size = (1, spec.in_channels, spec.resolution, spec.resolution)
    assert macs_of(model, *size, device="meta") == spec.macs
    before = None
    for block, module, x in zip(spec.blocks(), modules, inputs, strict=True):
        assert before is None or block.input_shape == before.output_shape
        assert params_of(module) == block.params
        assert macs_of(module, 1, *block.input_shape, device="meta") == block.macs
        assert module(x).shape == (2, *block.output_shape)
        before = block


@pytest.mark.parametrize("name", ["autovit-xxs", "autovit-xs", "autovit-s"])
def test_closed_forms_of_known_models(name):
    spec = create_spec(name)
    with torch.device("meta"):
        model = AutoViT(spec)
    assert params_of(model) == spec.params
    assert macs_of(model, 1, 3, 256, 256, device="meta") == spec.macs


def test_closed_forms_of_the_latency_tables_modules():
    for block in latency_table_modules()[::5]:
        module = create_block(block)
        assert (params_of(module), macs_of(module, 1, *block.input_shape)) == (
            block.params,
            block.macs,
        )


def test_odd_maps_are_rounded_up_by_a_stride():
    dims = {"in_channels": 3, "out_channels": 4, "kernel": 3, "stride": 2, "activation": 4}
    block = Block.of("conv", resolution=7, **dims)
    assert block.output_shape == (4, 4, 4)
    assert macs_of(create_block(block), 1, 3, 7, 7) == block.macs


def test_what_interpolates_is_a_sum_of_products():
    """A depth between two measured ones costs what lies between them, exactly."""
    block = latency_table_modules()[-1]
    macs = [OPS["mobilevit"].macs({**block.as_dict(), "depth": depth}) for depth in range(1, 6)]
    assert len({b - a for a, b in itertools.pairwise(macs)}) == 1
