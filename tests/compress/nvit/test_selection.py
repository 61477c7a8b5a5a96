"""What goes first, against an exhaustive search and by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from vitprof.compress.budget import Budget
from vitprof.compress.cutting import prunable_of
from vitprof.compress.groups import Groups
from vitprof.compress.nvit.importance import Importance
from vitprof.compress.nvit.selection import Chooser
from vitprof.errors import UserError

from ..conftest import VIT

SMALL = Groups({"embed": 16, "heads": 1, "qk": 8, "v": 8, "mlp": 16})


def chooser(table, eta=None, unit="latency", **others) -> Chooser:
    budget = Budget(table, unit)
    return Chooser(SMALL, budget.of, budget.of, float(budget.of([VIT])[0]), eta, **others)


def start(seed: int = 0):
    prunable = prunable_of(VIT)
    structures = prunable.structures(VIT, True)
    generator = torch.Generator().manual_seed(seed)
    importance = Importance("magnitude")
    importance.of = {s.name: torch.rand(s.units, generator=generator) for s in structures}
    gone = {s.name: torch.zeros(s.units, dtype=torch.bool) for s in structures}
    return (lambda widths: prunable.with_units(VIT, widths)), structures, importance, gone


def test_the_cheapest_group_for_what_it_saves_goes_first(linear_table) -> None:
    """One removal, against trying every structure's least important units."""
    spec_of, structures, importance, gone = start()
    made = chooser(linear_table)
    budget = Budget(linear_table)
    full = float(budget.of([VIT])[0])
    best = {}
    for s in structures:
        count = SMALL.next_group(s.kind, s.units)
        if not count:
            continue
        lost = float(importance.of[s.name].sort().values[:count].sum())
        saved = full - float(budget.of([spec_of({s.name: s.units - count})])[0])
        best[s.name] = lost / saved
    found, _ = made.choose(spec_of, structures, importance, gone, full * 0.999)
    assert [name for name, flags in found.items() if flags.any()] == [min(best, key=best.get)]


def test_without_eta_latency_plays_no_part(linear_table) -> None:
    spec_of, structures, importance, gone = start()
    full = float(Budget(linear_table).of([VIT])[0])
    found, _ = chooser(linear_table, eta=0.0).choose(
        spec_of, structures, importance, gone, full * 0.999
    )
    sums = {
        s.name: float(
            importance.of[s.name].sort().values[: SMALL.next_group(s.kind, s.units)].sum()
        )
        for s in structures
        if SMALL.next_group(s.kind, s.units)
    }
    assert [name for name, flags in found.items() if flags.any()] == [min(sums, key=sums.get)]


def test_a_large_eta_takes_what_saves_most(linear_table) -> None:
    spec_of, structures, importance, gone = start()
    full = float(Budget(linear_table).of([VIT])[0])
    found, _ = chooser(linear_table, eta=1e6).choose(
        spec_of, structures, importance, gone, full * 0.999
    )
    assert [name for name, flags in found.items() if flags.any()] == ["embed"]


@pytest.mark.parametrize("share", [0.9, 0.6, 0.4])
@pytest.mark.parametrize("eta", [None, 0.0, 1.0])
def test_the_target_is_met_and_not_missed_by_far(linear_table, share, eta) -> None:
    spec_of, structures, importance, gone = start()
    full = float(Budget(linear_table).of([VIT])[0])
    found, cost = chooser(linear_table, eta).choose(
        spec_of, structures, importance, gone, share * full, exactly=True
    )
    widths = {s.name: s.width_without(found[s.name]) for s in structures}
    assert cost == pytest.approx(float(Budget(linear_table).of([spec_of(widths)])[0]))
    assert share * 0.96 * full < cost <= share * full
    for s in structures:
        assert widths[s.name] % SMALL.sizes[s.kind] == 0
        assert widths[s.name] >= SMALL.sizes[s.kind]


def test_inside_a_structure_the_least_important_go(linear_table) -> None:
    spec_of, structures, importance, gone = start(3)
    full = float(Budget(linear_table).of([VIT])[0])
    found, _ = chooser(linear_table).choose(spec_of, structures, importance, gone, 0.5 * full)
    for name, flags in found.items():
        if flags.any():
            assert importance.of[name][flags].max() <= importance.of[name][~flags].min()


def test_floors_are_kept(linear_table) -> None:
    spec_of, structures, importance, gone = start()
    full = float(Budget(linear_table).of([VIT])[0])
    floors = {s.name: s.units for s in structures if s.kind == "mlp"}
    found, _ = chooser(linear_table, floors=floors).choose(
        spec_of, structures, importance, gone, 0.6 * full
    )
    assert not any(found[s.name].any() for s in structures if s.kind == "mlp")


def test_a_target_below_everything_is_refused(linear_table) -> None:
    spec_of, structures, importance, gone = start()
    with pytest.raises(UserError, match="no group is left"):
        chooser(linear_table).choose(spec_of, structures, importance, gone, 1e-9)


def test_without_alignment_heads_differ_and_width_is_the_widest(linear_table) -> None:
    prunable = prunable_of(VIT)
    structures = [s for s in prunable.structures(VIT, False) if s.kind == "qk"]
    assert {s.lanes for s in structures} == {4}
    generator = torch.Generator().manual_seed(1)
    importance = Importance("magnitude")
    importance.of = {s.name: torch.rand(s.units, generator=generator) for s in structures}
    gone = {s.name: torch.zeros(s.units, dtype=torch.bool) for s in structures}
    budget = Budget(linear_table)
    full = float(budget.of([VIT])[0])
    made = Chooser(SMALL, budget.of, budget.of, full)
    found, _ = made.choose(
        lambda widths: prunable.with_units(VIT, widths), structures, importance, gone, 0.97 * full
    )
    for s in structures:
        left = (~found[s.name]).reshape(4, -1).sum(dim=1)
        assert s.width_without(found[s.name]) == int(left.max())
    assert len({int(n) for s in structures for n in (~found[s.name]).reshape(4, -1).sum(dim=1)}) > 1


def test_few_groups_exhaustively(linear_table) -> None:
    """Greedy by importance for what is saved is the best of all subsets, or close to it."""
    prunable = prunable_of(VIT)
    structures = [s for s in prunable.structures(VIT, True) if s.kind == "mlp"]
    importance = Importance("magnitude")
    importance.of = {
        s.name: torch.arange(1.0, s.units + 1) * (n + 1) for n, s in enumerate(structures)
    }
    gone = {s.name: torch.zeros(s.units, dtype=torch.bool) for s in structures}
    budget = Budget(linear_table)
    full = float(budget.of([VIT])[0])
    target = 0.9 * full
    made = Chooser(SMALL, budget.of, budget.of, full)
    found, _ = made.choose(
        lambda widths: prunable.with_units(VIT, widths), structures, importance, gone, target
    )
    lost = sum(float(importance.of[name][flags].sum()) for name, flags in found.items())
    least = np.inf
    for counts in itertools.product(range(0, 64, 16), repeat=len(structures)):
        widths = {s.name: s.units - n for s, n in zip(structures, counts, strict=True)}
        if float(budget.of([prunable.with_units(VIT, widths)])[0]) <= target:
            losses = [
                float(importance.of[s.name][:n].sum())
                for s, n in zip(structures, counts, strict=True)
            ]
            least = min(least, sum(losses))
    assert lost <= 1.3 * least
