"""Levels are added where interpolation errs, on devices whose steps and spikes are known."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vitprof.models import Block
from vitprof.profiler.measure import measure_table
from vitprof.profiler.plan import Plan
from vitprof.profiler.refine import (
    SMALLEST_ERROR,
    Gap,
    GapError,
    find_gaps,
    gap_errors,
    measure_refined,
    with_level,
)
from vitprof.profiler.sampling.protocol import Protocol
from vitprof.profiler.target import Target
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting

Cost = Callable[[Block], float]
# 2 stems, 16 attentions, 4 MLPs, 2 classifiers.
LEVELS = {
    "patch_embed": {"embed": (16, 64)},
    "attention": {"embed": (16, 64), "heads": (1, 8), "qk": (8, 64), "v": (8, 64)},
    "mlp": {"embed": (16, 64), "mlp": (64, 576)},
    "classifier": {"embed": (16, 64)},
}
SPACE = ViTSlabs(LEVELS, resolution=8, patch=4, in_channels=1, classes=10)
GRID = len(SPACE.blocks())
MLP_SLAB = next(slab.key for slab in SPACE.slabs if slab.op == "mlp")


def smooth(block: Block) -> float:
    """A cost that multilinear interpolation reproduces: MACs and weights."""
    return 0.1 + block.macs / 1e5 + block.params / 1e4


def stepped(block: Block) -> float:
    """The MLP takes half as long again from a width of 400."""
    return smooth(block) * (1.5 if block.op == "mlp" and block["mlp"] >= 400 else 1.0)


class Device:
    """Measures spaces of blocks whose cost is known; keeps what it was asked for."""

    def __init__(self, cost: Cost, row_of: Callable[..., Row], setting: Setting) -> None:
        self.cost, self.row_of, self.setting = cost, row_of, setting
        self.spaces: list[ViTSlabs] = []
        self.measured: set[Block] = set()
        self.half_width = 1e-3

    def measure(self, space: ViTSlabs, probes: Sequence[Block]) -> LatencyTable:
        self.spaces.append(space)
        blocks = dict.fromkeys([*space.blocks(), *probes])
        self.measured |= set(blocks)
        rows = []
        for block in blocks:
            ms = self.cost(block)
            low, high = ms * (1 - self.half_width), ms * (1 + self.half_width)
            rows.append(self.row_of(block, ms, low_ms=low, high_ms=high))
        return LatencyTable(rows, self.setting)

    @property
    def added(self) -> list[tuple[str, str, int]]:
        """The levels added, in their order, as op, axis and level."""
        found = []
        for before, after in zip(self.spaces, self.spaces[1:], strict=False):
            new = [
                (op, axis, level)
                for op, axes in after.levels.items()
                for axis, levels in axes.items()
                for level in levels
                if level not in before.levels[op][axis]
            ]
            assert len(new) == 1, "one level a step"
            found += new
        return found


@pytest.fixture
def device(row_of: Callable[..., Row], setting: Setting) -> Callable[[Cost], Device]:
    return lambda cost: Device(cost, row_of, setting)


# --- gaps -----------------------------------------------------------------------------------------


def test_every_gap_has_a_probe_in_its_middle_at_levels_of_the_other_axes() -> None:
    gaps = find_gaps(SPACE, random.Random(0))
    assert {(gap.op, gap.axis): gap.level for gap in gaps} == {
        ("patch_embed", "embed"): 40,
        ("attention", "embed"): 40,
        ("attention", "heads"): 4,
        ("attention", "qk"): 32,  # halfway is 36: to a multiple of 8, the even one
        ("attention", "v"): 32,
        ("mlp", "embed"): 40,
        ("mlp", "mlp"): 320,
        ("classifier", "embed"): 40,
    }
    for gap in gaps:
        assert gap.probe.op == gap.op
        assert gap.probe[gap.axis] == gap.level
        for axis, levels in LEVELS[gap.op].items():
            assert axis == gap.axis or gap.probe[axis] in levels


@pytest.mark.parametrize(
    ("axis", "levels", "middles"),
    [
        ("mlp", (64,), []),
        ("mlp", (64, 88), []),
        ("mlp", (64, 96), [80]),
        ("mlp", (64, 128, 576), [96, 352]),
        ("mlp", (100, 131), []),
        ("mlp", (100, 140), [120]),
        ("heads", (1, 4), []),
        ("heads", (1, 5), [3]),
        ("heads", (2, 4, 8), [6]),
    ],
)
def test_a_gap_too_narrow_for_a_round_level_is_left(
    axis: str, levels: tuple[int, ...], middles: list[int]
) -> None:
    op = "attention" if axis == "heads" else "mlp"
    space = ViTSlabs({**LEVELS, op: LEVELS[op] | {axis: levels}}, resolution=8, patch=4)
    gaps = find_gaps(space, random.Random(0))
    assert [gap.level for gap in gaps if (gap.op, gap.axis) == (op, axis)] == middles


def test_probes_are_random_but_repeatable() -> None:
    def probes(seed: int) -> list[Block]:
        return [gap.probe for gap in find_gaps(SPACE, random.Random(seed))]

    assert probes(1) == probes(1)
    assert len({tuple(probes(seed)) for seed in range(9)}) > 1


# --- errors ---------------------------------------------------------------------------------------


def test_an_error_is_that_of_the_interpolation_without_the_probe(
    device: Callable[[Cost], Device],
) -> None:
    gap = Gap(MLP_SLAB, "mlp", 320, Block.of("mlp", embed=16, mlp=320, tokens=5))
    spike = device(lambda block: smooth(block) * (1.25 if block == gap.probe else 1))
    (error,) = gap_errors(spike.measure(SPACE, [gap.probe]), [gap])
    assert error.error == pytest.approx(1 / 1.25 - 1)
    assert error.ms == pytest.approx(1.25 * smooth(gap.probe))
    assert error.noise == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("error", "noise", "matters"),
    [(0.021, 0.0, True), (-0.021, 0.02, True), (0.019, 0.0, False), (0.05, 0.06, False)],
)
def test_an_error_within_the_noise_or_below_two_per_cent_does_not_matter(
    error: float, noise: float, matters: bool
) -> None:
    assert SMALLEST_ERROR == 0.02
    gap = find_gaps(SPACE, random.Random(0))[0]
    assert GapError(gap, error, noise, 1.0).matters is matters


def test_gaps_that_failed_or_lean_on_a_failed_point_have_no_error(
    device: Callable[[Cost], Device], failed_row: Callable[..., Row]
) -> None:
    gap = Gap(MLP_SLAB, "mlp", 320, Block.of("mlp", embed=16, mlp=320, tokens=5))
    table = device(stepped).measure(SPACE, [gap.probe])
    assert len(gap_errors(table, [gap])) == 1
    assert gap_errors(device(stepped).measure(SPACE, []), [gap]) == []
    corner = Block.of("mlp", embed=16, mlp=576, tokens=5)
    for broken in (gap.probe, corner):
        rows = [failed_row(broken) if row.subject == broken else row for row in table.rows]
        assert gap_errors(LatencyTable(rows, table.setting), [gap]) == []


def test_a_level_is_added_to_one_axis_of_one_op() -> None:
    gap = Gap(MLP_SLAB, "embed", 40, Block.of("mlp", embed=40, mlp=64, tokens=5))
    refined = with_level(SPACE, gap)
    assert refined.levels["mlp"]["embed"] == (16, 40, 64)
    assert refined.levels["attention"] == SPACE.levels["attention"]
    assert SPACE.levels["mlp"]["embed"] == (16, 64)
    assert with_level(refined, gap) == refined


# --- refinement -----------------------------------------------------------------------------------


def test_a_device_without_surprises_is_measured_once_with_its_probes(
    device: Callable[[Cost], Device],
) -> None:
    plain = device(smooth)
    table = measure_refined(SPACE, 1000, plain.measure)
    assert plain.spaces == [SPACE]
    assert len(table.rows) == GRID + 8


@pytest.mark.parametrize(
    ("op", "axis", "level"),
    [("mlp", "mlp", 320), ("mlp", "embed", 40), ("attention", "heads", 4), ("attention", "v", 32)],
)
def test_a_spike_at_a_known_place_gets_its_level(
    op: str, axis: str, level: int, device: Callable[[Cost], Device]
) -> None:
    spiky = device(lambda b: smooth(b) * (1.3 if b.op == op and b[axis] == level else 1))
    table = measure_refined(SPACE, 1000, spiky.measure)
    assert spiky.added[0] == (op, axis, level)
    assert {(o, a) for o, a, _ in spiky.added} == {(op, axis)}
    measured = [b for b in SPACE.blocks() if b.op == op]
    spike = Block.of(op, **{**measured[-1].as_dict(), axis: level})
    assert table.predict_block(spike).ms == pytest.approx(1.3 * smooth(spike))


def test_a_step_is_closed_in_upon(device: Callable[[Cost], Device]) -> None:
    steep = device(stepped)
    table = measure_refined(SPACE, 200, steep.measure)
    assert {(op, axis) for op, axis, _ in steep.added} == {("mlp", "mlp")}
    levels = steep.spaces[-1].levels["mlp"]["mlp"]
    below, above = max(x for x in levels if x < 400), min(x for x in levels if x >= 400)
    assert above - below < 32, "no gap around the step is wide enough to be cut again"
    for width in range(64, 577, 8):
        if not below < width < above:
            block = Block.of("mlp", embed=40, mlp=width, tokens=5)
            assert table.predict_block(block).ms == pytest.approx(stepped(block), rel=0.03)


def test_the_error_in_milliseconds_decides_not_the_relative_one(
    device: Callable[[Cost], Device],
) -> None:
    """A spike of 10 % of a large block before one of 40 % of a small one."""

    def cost(block: Block) -> float:
        large = block.op == "mlp" and block["mlp"] == 320
        small = block.op == "attention" and block["heads"] == 4
        base = 100 * smooth(block) if block.op == "mlp" else smooth(block) / 100
        return base * (1.1 if large else 1.4 if small else 1.0)

    spiky = device(cost)
    measure_refined(SPACE, 1000, spiky.measure)
    added = [(op, axis) for op, axis, _ in spiky.added]
    assert added.index(("mlp", "mlp")) < added.index(("attention", "heads"))


def test_noise_is_not_refined(device: Callable[[Cost], Device]) -> None:
    """Ten per cent up and down, and intervals that say so."""
    rng = random.Random(3)
    noise: dict[Block, float] = {}
    noisy = device(lambda b: smooth(b) * noise.setdefault(b, rng.uniform(0.95, 1.05)))
    noisy.half_width = 0.15
    measure_refined(SPACE, 1000, noisy.measure)
    assert noisy.spaces == [SPACE]


@settings(max_examples=40)
@given(points=st.integers(GRID, 120), seed=st.integers(0, 99), wild=st.integers(0, 99))
def test_it_never_measures_more_blocks_than_allowed_and_ends(
    points: int, seed: int, wild: int, row_of: Callable[..., Row], setting: Setting
) -> None:
    noise: dict[Block, float] = {}
    rng = random.Random(wild)
    device = Device(
        lambda b: smooth(b) * noise.setdefault(b, rng.choice([1, 1.5, 3])), row_of, setting
    )
    table = measure_refined(SPACE, points, device.measure, seed)
    assert len(device.measured) <= points
    assert {row.subject for row in table.rows} == device.measured
    assert set(SPACE.blocks()) <= device.measured
    for row in table.rows:
        assert table.predict_block(row.subject).ms == pytest.approx(row.latency_ms, rel=1e-12)


def test_points_are_spent_where_something_errs(device: Callable[[Cost], Device]) -> None:
    """A slab that no longer fits does not keep a smaller one from being added."""

    def cost(block: Block) -> float:
        attention = block.op == "attention" and block["heads"] == 4
        mlp = block.op == "mlp" and block["mlp"] == 320
        return smooth(block) * (3.0 if attention else 1.2 if mlp else 1.0)

    spiky = device(cost)
    measure_refined(SPACE, GRID + 8 + 4, spiky.measure)
    assert ("mlp", "mlp", 320) in spiky.added
    assert ("attention", "heads", 4) not in spiky.added, "its slab has eight points"


def test_a_staircase_is_kept_exactly_at_what_was_measured(
    device: Callable[[Cost], Device],
) -> None:
    """Kernels work in tiles: a width costs what the next multiple of 96 costs."""

    def staircase(block: Block) -> float:
        if block.op != "mlp":
            return smooth(block)
        tiles = math.ceil(block["mlp"] / 96)
        return 0.2 * tiles * math.ceil(block["embed"] / 32)

    steps = device(staircase)
    table = measure_refined(SPACE, 90, steps.measure)
    assert {op for op, _, _ in steps.added} == {"mlp"}
    assert len(steps.added) > 3
    for row in table.rows:
        assert table.predict_block(row.subject).ms == staircase(row.subject)
    coarse = device(staircase).measure(SPACE, [])
    asked = [
        Block.of("mlp", embed=embed, mlp=width, tokens=5)
        for embed in (16, 40, 64)
        for width in range(64, 577, 16)
    ]

    def worst(of: LatencyTable) -> float:
        return max(abs(of.predict_block(b).ms / staircase(b) - 1) for b in asked)

    assert worst(table) < worst(coarse)


def test_each_step_is_told_with_its_error(device: Callable[[Cost], Device]) -> None:
    steep, told = device(stepped), []
    measure_refined(SPACE, 60, steep.measure, on_step=told.append)
    assert [(e.gap.op, e.gap.axis, e.gap.level) for e in told] == steep.added
    assert all(error.matters for error in told)


def test_it_is_repeatable(device: Callable[[Cost], Device]) -> None:
    first, second = device(stepped), device(stepped)
    for one in (first, second):
        measure_refined(SPACE, 60, one.measure, seed=7)
    assert first.spaces == second.spaces
    assert first.measured == second.measured


def test_a_refined_table_is_measured_into_one_file_each_block_once(
    new_backend: Callable[..., Any],
    run_of: Any,
    toy_setting: Setting,
    quick: Callable[..., Protocol],
    out: Path,
) -> None:
    """The MLP of 320 takes as long again; its levels are found through a runtime and a journal."""
    slow = {Block.of("mlp", embed=embed, mlp=320, tokens=5).params for embed in range(16, 65, 8)}
    backend = new_backend(
        runs_of=lambda a, _: [run_of(a["params"] / 1e3 * (1 + (a["params"] in slow)))]
    )
    steps: list[GapError] = []

    def measure(space: ViTSlabs, probes: Sequence[Block]) -> LatencyTable:
        plan = Plan.of_blocks([*space.blocks(), *probes])
        protocol = quick(sessions=1)
        return measure_table(
            plan, Target(backend, toy_setting), out, protocol=protocol, clock=backend.clock
        )

    table = measure_refined(SPACE, GRID + 14, measure, on_step=steps.append)
    assert steps[0].gap.axis == "mlp"
    assert steps[0].gap.level == 320
    assert len(backend.built) == len(table.rows) <= GRID + 14
    read = LatencyTable.read_csv(out)
    assert {row.subject for row in read.rows} == {row.subject for row in table.rows}
    assert 320 in read.grids("mlp").parts[0].levels[1]
    assert all(row.sessions == 1 for row in read.rows)
