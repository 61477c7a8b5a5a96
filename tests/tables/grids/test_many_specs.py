"""Predicting many specs at once is predicting each."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vitprof.errors import UserError
from vitprof.models import Block, Spec, ViTLayer, ViTSpec
from vitprof.spaces.registry import slabs_class
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.calibration.calibrate import calibrated
from vitprof.tables.grids.listed_blocks import ListedBlocks

FRAME = {"resolution": 8, "patch": 4, "in_channels": 1, "classes": 10}
LAYERS = st.builds(
    ViTLayer,
    st.sampled_from([0, 1, 2, 4]),
    st.integers(4, 8),
    st.integers(4, 8),
    st.sampled_from([0, 16, 50, 128]),
)
VITS = st.builds(
    lambda embed, layers: ViTSpec(embed=embed, layers=tuple(layers), **FRAME),
    st.integers(16, 32),
    st.lists(LAYERS, min_size=1, max_size=4),
)


@pytest.fixture(scope="module", params=["lone", "calibrated"])
def table(request: pytest.FixtureRequest, with_models: LatencyTable) -> LatencyTable:
    return calibrated(with_models) if request.param == "calibrated" else with_models


@settings(max_examples=40)
@given(specs=st.lists(VITS, max_size=6))
def test_plain_vits_at_once_are_each_by_itself(table: LatencyTable, specs: list[ViTSpec]) -> None:
    expected = [table.predict(spec).ms for spec in specs]
    assert table.predict_many(specs) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("family", ["efficientvit", "swin", "bert", "vgg"])
def test_other_families_at_once_are_each_by_itself(family: str, setting: Setting) -> None:
    space = slabs_class(family).create()
    rng = random.Random(3)
    models = [space.sample(rng, f"model-{n}") for n in range(12)]
    rows = [Row(block, latency_ms=0.01 + block.macs / 1e8) for block in space.blocks()]
    bare = LatencyTable(rows, setting)
    whole = [
        Row(spec, "in_model", latency_ms=1.1 * bare.predict(spec).ms, low_ms=0.0, high_ms=1e9)
        for spec in models[:6]
    ]
    fitted = calibrated(LatencyTable([*rows, *whole], setting))
    assert family in fitted.calibrations
    for one in (bare, fitted):
        expected = [one.predict(spec).ms for spec in models]
        assert one.predict_many(models) == pytest.approx(expected, rel=1e-12)


def test_families_may_be_mixed_and_keep_their_order(
    vit_rows: list[Row], small_vit: Callable[..., ViTSpec], setting: Setting
) -> None:
    space = slabs_class("vgg").create()
    others = [Row(block, latency_ms=0.01 + block.macs / 1e8) for block in space.blocks()]
    table = LatencyTable([*vit_rows, *others], setting)
    rng = random.Random(5)
    specs: list[Spec] = [small_vit(16 + n) for n in range(5)]
    specs += [space.sample(rng, f"vgg-{n}") for n in range(5)]
    rng.shuffle(specs)
    expected = [table.predict(spec).ms for spec in specs]
    assert table.predict_many(specs) == pytest.approx(expected, rel=1e-12)
    assert table.predict_many([]).shape == (0,)


def test_vits_of_two_frames_are_asked_apart(vit_table: LatencyTable, small_vit) -> None:
    with pytest.raises(UserError, match="resolution"):
        vit_table.predict_many([small_vit(), small_vit(resolution=16)])


def test_a_dim_outside_is_refused_or_extrapolated_as_for_one(
    vit_table: LatencyTable, small_vit, refused: Callable[..., object]
) -> None:
    specs = [small_vit(), small_vit(mlp=300)]
    with refused("mlp=300", "outside"):
        vit_table.predict_many(specs)
    expected = [vit_table.predict(spec, extrapolate=True).ms for spec in specs]
    assert vit_table.predict_many(specs, extrapolate=True) == pytest.approx(expected)


def test_a_block_is_asked_once_an_object_and_equal_ones_add_up() -> None:
    mlp = Block.of("mlp", embed=8, mlp=16, tokens=5)
    twin = replace(mlp)
    other = Block.of("mlp", embed=8, mlp=32, tokens=5)
    listed = ListedBlocks.of([[mlp, other], [], [twin, twin, mlp]])
    assert listed.blocks == [mlp, other, twin]
    assert listed.sums(np.array([1.0, 10.0, 1.0])).tolist() == [11.0, 0.0, 3.0]
