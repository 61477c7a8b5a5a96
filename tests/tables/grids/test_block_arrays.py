"""Specs as arrays cost what the specs cost one by one."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vitprof.models import ViTLayer, ViTSpec
from vitprof.spaces.registry import families_with_spaces, slabs_class
from vitprof.tables import LatencyTable
from vitprof.tables.grids.block_arrays import BlockArrays

N, LAYERS = 6, 4


@settings(max_examples=40)
@given(data=st.data())
def test_widths_as_arrays_cost_the_same_as_specs(
    data: st.DataObject, vit_table: LatencyTable, small_vit: Callable[..., ViTSpec]
) -> None:
    def widths(low: int, high: int, absent: bool = False) -> np.ndarray:
        value = st.integers(low, high) | (st.just(0) if absent else st.nothing())
        return np.reshape(data.draw(st.lists(value, min_size=24, max_size=24)), (N, LAYERS))

    embed = np.array(data.draw(st.lists(st.integers(16, 32), min_size=N, max_size=N)))
    heads, mlp = widths(1, 4, absent=True), widths(16, 128, absent=True)
    qk, v = widths(4, 8), widths(4, 8)
    frame = small_vit()

    arrays = BlockArrays.from_vit_widths(frame, embed, heads, qk, v, mlp)
    ms = vit_table.predict_many(arrays)
    params = sum(columns.params_read(op) for op, columns in arrays.ops.items())

    for i in range(N):
        layers = tuple(
            ViTLayer(*(int(a[i, j]) for a in (heads, qk, v, mlp))) for j in range(LAYERS)
        )
        spec = ViTSpec(
            embed=int(embed[i]), layers=layers, patch=4, resolution=8, in_channels=1, classes=10
        )
        assert ms[i] == pytest.approx(vit_table.predict(spec).ms, rel=1e-9)
        assert params[i] == spec.params


def test_more_blocks_than_a_chunk_holds_cost_the_same_each(
    vit_table: LatencyTable, small_vit: Callable[..., ViTSpec]
) -> None:
    n = 10_001  # of 3 layers: two chunks and a rest
    rng = np.random.default_rng(1)
    embed = rng.integers(16, 33, n)
    heads, mlp = rng.integers(1, 5, (n, 3)), rng.integers(16, 129, (n, 3))
    qk = v = np.full((n, 3), 5)
    mlp[7] = 0
    arrays = BlockArrays.from_vit_widths(small_vit(), embed, heads, qk, v, mlp)
    ms = vit_table.predict_many(arrays)
    assert ms.shape == (n,)
    for i in (0, 7, 5461, 5462, n - 1):
        layers = tuple(ViTLayer(int(heads[i, j]), 5, 5, int(mlp[i, j])) for j in range(3))
        spec = ViTSpec(
            embed=int(embed[i]), layers=layers, patch=4, resolution=8, in_channels=1, classes=10
        )
        assert ms[i] == pytest.approx(vit_table.predict(spec).ms, rel=1e-9)


def test_a_width_outside_is_refused_or_extrapolated(
    vit_table: LatencyTable, small_vit: Callable[..., ViTSpec], refused: Callable[..., object]
) -> None:
    one = np.ones((1, 1), dtype=np.int64)
    frame = small_vit()
    arrays = BlockArrays.from_vit_widths(
        frame, np.array([24]), 3 * one, 6 * one, 7 * one, 200 * one
    )
    with refused("mlp=200", "from 16 to 128"):
        vit_table.predict_many(arrays)
    wide = vit_table.predict(small_vit(24, 1, 3, 200), extrapolate=True)
    assert vit_table.predict_many(arrays, extrapolate=True)[0] == pytest.approx(wide.ms)


def test_arrays_of_different_shapes_are_refused(
    small_vit: Callable[..., ViTSpec], refused: Callable[..., object]
) -> None:
    two, three = np.ones((2, 3), dtype=np.int64), np.ones((2, 4), dtype=np.int64)
    with refused("mlp", "(2, 4)", "n = 2"):
        BlockArrays.from_vit_widths(small_vit(), np.array([24, 24]), two, two, two, three)


@pytest.mark.parametrize("family", families_with_spaces())
def test_arrays_have_the_weights_of_their_blocks(family: str) -> None:
    space, rng = slabs_class(family).create(), random.Random(0)
    specs = [space.sample(rng, str(n)) for n in range(12)]
    arrays = BlockArrays.from_specs(specs)
    in_all = sum(columns.params_read(op) for op, columns in arrays.ops.items())
    assert list(in_all) == [sum(block.params_read for block in spec.blocks()) for spec in specs]
