"""The closed forms against the modules, for every choice of the spec. 5 s."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode
from vitprof.models import Block, create_block, create_model, create_spec
from vitprof.models.families.efficientvit.spec import EfficientViTSpec
from vitprof.models.families.efficientvit.stage import EfficientViTStage


def params_of(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def macs_of(module: torch.nn.Module, *shape: int) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(torch.zeros(shape))
    return counter.get_total_flops() // 2


@st.composite
def specs(draw: st.DrawFn) -> EfficientViTSpec:
    count = draw(st.integers(1, 2))
    stages = []
    for _ in range(count):
        heads = draw(st.sampled_from([1, 2, 4]))
        stages.append(
            EfficientViTStage(8 * draw(st.integers(1, 3)), draw(st.integers(1, 2)), heads)
        )
    attention = draw(st.sampled_from(["cga", "mhsa"]))
    return EfficientViTSpec(
        stages=tuple(stages),
        ffns_before=draw(st.integers(0, 2)),
        ffns_after=draw(st.integers(0, 2)),
        attention=attention,
        cascade=draw(st.booleans()) if attention == "cga" else None,
        qk=draw(st.integers(1, 6)),
        v_ratio=draw(st.sampled_from([0.4, 0.8, 1.0, 1.2])),
        ffn_ratio=draw(st.sampled_from([1.5, 2, 4])),
        dwconv=draw(st.booleans()),
        window=draw(st.integers(2, 5)),
        kernels=draw(st.sampled_from([(3,), (1,), (3, 1), (3, 3, 1)])),
        norm=draw(st.sampled_from(["batch", "layer"])),
        activation=draw(st.sampled_from(["relu", "hardswish", "gelu"])),
        resolution=16 * draw(st.integers(3, 5)),
        in_channels=draw(st.integers(1, 3)),
        classes=draw(st.integers(1, 7)),
    )


@settings(max_examples=15, deadline=None)
@given(spec=specs())
def test_closed_forms_are_what_the_modules_have_and_do(spec):
    model = create_model(spec)
    assert params_of(model) == spec.params
    assert macs_of(model, 1, spec.in_channels, spec.resolution, spec.resolution) == spec.macs
    for block in dict.fromkeys(spec.blocks()):
        module = create_block(block)
        assert params_of(module) == block.params
        assert macs_of(module, 1, *block.input_shape) == block.macs
        assert module(torch.zeros(2, *block.input_shape)).shape == (2, *block.output_shape)


@pytest.mark.parametrize("size", range(6))
def test_closed_forms_of_published_models(size):
    spec = create_spec(f"efficientvit-m{size}")
    model = create_model(spec)
    assert params_of(model) == spec.params
    assert macs_of(model, 1, 3, 224, 224) == spec.macs


def test_dims_no_module_can_have_are_refused(refused):
    m0 = {block.op: dict(block.dims) for block in create_spec("efficientvit-m0").blocks()}

    def block_with(op: str, **dims: int) -> None:
        create_block(Block.of(op, **{**m0[op], **dims}))

    with refused("embed=12", "8"):
        block_with("conv_stem", embed=12)
    with refused("resolution=24", "16"):
        block_with("conv_stem", resolution=24)
    with refused("kernel=4", "even"):
        block_with("dwconv", kernel=4)
    with refused("kernel=3", "1x1"):
        block_with("dwconv", resolution=1)
    with refused("window=8"):
        block_with("cga", window=8)
    with refused("heads=5", "embed=192"):
        block_with("cga", heads=5)
    with refused("kernels=9", "4x4"):
        block_with("cga", kernels=95)
    with refused("attention=3"):
        block_with("cga", attention=3)
    with refused("norm=3"):
        block_with("ffn", norm=3)
    with refused("activation=9"):
        block_with("patch_merging", activation=9)


def test_choices_change_the_key_of_a_block():
    spec = create_spec("efficientvit-m0")
    without = dataclasses.replace(spec, cascade=False)
    assert {b.op for b in set(spec.blocks()) - set(without.blocks())} == {"cga"}
