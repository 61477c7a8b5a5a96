"""The choice of heads and neurons against all choices there are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_masks import KINDS, SmallMasks
from vitprof.compress.groups import Groups
from vitprof.compress.optin.mask_search import MaskSearch
from vitprof.errors import UserError
from vitprof.models import ViTSpec
from vitprof.models.families.vit.structures import vit_structures, vit_with_units

SPEC = ViTSpec.uniform(16, 2, 3, mlp=4, qk=4, v=4, resolution=8, patch=4, classes=3, name="tiny")
ORDERS = ("best", "heads", "neurons", "both")
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
@pytest.mark.few("0.55-*", "*-0")
def test_no_other_choice_scores_higher_where_units_of_a_kind_cost_the_same(seed, share) -> None:
    scores = scores_of(seed)
    budget = share * SPEC.macs
    found = {order: search(scores, macs).choose(budget, order) for order in ORDERS}
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


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_of_all_masks_is_found_whatever_units_cost(kind) -> None:
    """The figure of docs/results/mask-search.md is 58 of 60; none of these may be missed."""
    for seed in range(12):
        case = SmallMasks.drawn(kind, seed)
        staying = case.search().choose(case.budget)
        widths = widths_of(staying)
        assert case.cost_of([case.search().spec_of(widths)])[0] <= case.budget
        assert case.total(staying) == pytest.approx(case.best)


WHOLE = st.integers(1, 9)


@settings(max_examples=60, deadline=None)
@given(st.lists(WHOLE, min_size=14, max_size=14), WHOLE, WHOLE, st.integers(0, 100))
def test_never_below_the_order_of_scores_and_never_over_budget(drawn, head, neuron, share) -> None:
    scores = dict(zip(scores_of(0), torch.tensor(drawn).float().split([3, 4, 3, 4]), strict=True))

    def cost_of(specs):
        return np.array([sum(head * x.heads + neuron * x.mlp for x in s.layers) for s in specs])

    least, full = 2 * (head + neuron), 2 * (3 * head + 4 * neuron)
    budget = least + share * (full - least) // 100
    masks = search(scores, cost_of)
    best, by_score = masks.choose(budget), masks.choose(budget, "both")
    assert cost_of([vit_with_units(SPEC, widths_of(best))])[0] <= budget
    assert total(best, scores) >= total(by_score, scores)


def of_whole_layers(specs) -> np.ndarray:
    """Heads and neurons in one block, as an imported table has them: no sum over the two."""
    return np.array(
        [
            sum((1 + 0.3 * n) * (x.heads + 1) * (x.mlp + 2) for n, x in enumerate(s.layers))
            for s in specs
        ]
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [0.4, 0.6, 0.8])
def test_where_costs_are_no_sum_the_choice_is_near_the_best(seed, share) -> None:
    scores, budget = scores_of(seed), share * of_whole_layers([SPEC])[0]
    staying = search(scores, of_whole_layers).choose(budget)
    ordered = {name: score.sort(descending=True).values for name, score in scores.items()}
    best = 0.0
    for counts in itertools.product(*(range(1, len(score) + 1) for score in scores.values())):
        widths = dict(zip(scores, counts, strict=True))
        if of_whole_layers([vit_with_units(SPEC, widths)])[0] <= budget:
            best = max(best, sum(float(ordered[n][:count].sum()) for n, count in widths.items()))
    assert of_whole_layers([vit_with_units(SPEC, widths_of(staying))])[0] <= budget
    assert total(staying, scores) >= 0.97 * best


def test_a_dear_unit_stays_only_for_a_higher_score() -> None:
    """The second layer's neurons cost four times as much; by score alone they stay as well."""
    names = list(scores_of(0))
    scores = dict(
        zip(names, (torch.ones(3), torch.ones(4), torch.ones(3), 1.1 * torch.ones(4)), strict=True)
    )

    def cost_of(specs):
        return np.array([s.layers[0].mlp + 4.0 * s.layers[1].mlp for s in specs])

    masks = search(scores, cost_of)
    assert widths_of(masks.choose(12.0)) == dict(zip(names, (3, 4, 3, 2), strict=True))
    assert widths_of(masks.choose(12.0, "both"))[names[1]] < 4


def test_many_budgets_ask_for_every_width_once() -> None:
    asked = 0

    def cost_of(specs):
        nonlocal asked
        asked += len(specs)
        return macs(specs)

    masks = search(scores_of(0), cost_of)
    masks.choose(0.7 * SPEC.macs)
    first = asked
    assert first < 14 + 10
    masks.choose(0.6 * SPEC.macs)
    assert asked - first < 10


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
