"""The choice of heads and neurons against all choices there are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from vitprof.compress.groups import Groups
from vitprof.compress.optin.mask_search import MaskSearch
from vitprof.errors import UserError
from vitprof.models import ViTSpec
from vitprof.models.families.vit.structures import vit_structures, vit_with_units

SPEC = ViTSpec.uniform(16, 2, 3, mlp=4, qk=4, v=4, resolution=8, patch=4, classes=3, name="tiny")
ONE_BY_ONE = Groups({"embed": 1, "heads": 1, "qk": 1, "v": 1, "mlp": 1})


def scores_of(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        s.name: torch.rand(s.units, generator=generator) * (4 if s.kind == "heads" else 1)
        for s in vit_structures(SPEC)
        if s.kind in ("heads", "mlp")
    }


def search(scores, cost_of, groups=ONE_BY_ONE) -> MaskSearch:
    structures = [s for s in vit_structures(SPEC) if s.name in scores]
    return MaskSearch.of(
        structures, scores, groups, lambda widths: vit_with_units(SPEC, widths), cost_of
    )


def total(staying, scores) -> float:
    return float(sum(scores[name][units].sum() for name, units in staying.items()))


def widths_of(staying) -> dict[str, int]:
    return {name: len(units) for name, units in staying.items()}


def macs(specs) -> np.ndarray:
    return np.array([spec.macs for spec in specs], dtype=float)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.55, 0.7, 0.9])
def test_no_other_choice_scores_higher_where_units_of_a_kind_cost_the_same(seed, share) -> None:
    scores = scores_of(seed)
    budget = share * SPEC.macs
    found = {order: search(scores, macs).choose(budget, order) for order in ("heads", "neurons")}
    best = 0.0
    for kept in itertools.product(*(subsets(len(scores[name])) for name in scores)):
        staying = {n: torch.tensor(units) for n, units in zip(scores, kept, strict=True)}
        # The best unit of every structure stays, so that no layer is ever empty.
        has_best = all(int(scores[n].argmax()) in u for n, u in zip(scores, kept, strict=True))
        if has_best and vit_with_units(SPEC, widths_of(staying)).macs <= budget:
            best = max(best, total(staying, scores))
    for staying in found.values():
        assert vit_with_units(SPEC, widths_of(staying)).macs <= budget
        assert total(staying, scores) == pytest.approx(best)


def subsets(count: int):
    return [
        units
        for size in range(1, count + 1)
        for units in itertools.combinations(range(count), size)
    ]


def test_a_budget_in_the_tables_latency_is_kept(linear_table) -> None:
    # A staircase: four neurons more cost nothing, the fifth a lot.
    def cost_of(specs):
        return np.array(
            [sum(-(-layer.mlp // 4) * 3.0 + layer.heads for layer in s.layers) for s in specs]
        )

    scores = scores_of(1)
    for budget in (8.0, 9.0, 11.5, 13.0):
        staying = search(scores, cost_of).choose(budget)
        assert cost_of([vit_with_units(SPEC, widths_of(staying))])[0] <= budget


def test_groups_stay_or_go_together() -> None:
    groups = Groups({"embed": 1, "heads": 1, "qk": 1, "v": 1, "mlp": 2})
    staying = search(scores_of(0), macs, groups).choose(0.7 * SPEC.macs)
    assert all(len(units) % 2 == 0 for name, units in staying.items() if name.endswith("mlp"))


def test_one_head_and_one_group_a_layer_stay_or_the_budget_is_refused() -> None:
    scores = scores_of(2)
    least = vit_with_units(SPEC, dict.fromkeys(scores, 1)).macs
    assert widths_of(search(scores, macs).choose(least)) == dict.fromkeys(scores, 1)
    with pytest.raises(UserError, match="one head and one group of neurons a layer"):
        search(scores, macs).choose(least - 1)


def test_a_budget_that_all_fits_keeps_all() -> None:
    scores = scores_of(3)
    assert widths_of(search(scores, macs).choose(SPEC.macs)) == {
        name: len(score) for name, score in scores.items()
    }
