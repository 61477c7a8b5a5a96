"""The paper's search: heads and neurons by score alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from vitprof.compress.optin.ladder import Ladder
from vitprof.compress.optin.score_order import Ranked, widths_by_score


def ladder(name: str, scores: list[float]) -> Ladder:
    return Ladder(name, torch.arange(len(scores)), np.arange(1, len(scores) + 1), np.cumsum(scores))


HEADS = [ladder("0.heads", [9.0, 4.0]), ladder("1.heads", [8.0, 5.0, 1.0])]
NEURONS = [ladder("0.mlp", [3.0, 2.5, 0.5]), ladder("1.mlp", [3.0, 2.0, 1.0])]


def test_groups_come_by_score_whatever_structure_they_are_of() -> None:
    ranked = Ranked.of(NEURONS)
    assert ranked.least == {"0.mlp": 1, "1.mlp": 1}
    assert list(zip(ranked.names, ranked.widths, strict=True)) == [
        ("0.mlp", 2),
        ("1.mlp", 2),
        ("1.mlp", 3),
        ("0.mlp", 3),
    ]
    assert ranked.scores.tolist() == [0.0, 2.5, 4.5, 5.5, 6.0]
    assert ranked.with_best(3) == {"0.mlp": 2, "1.mlp": 3}


def cost_of(choices) -> np.ndarray:
    """A head costs four, a neuron one in the first layer and three in the second."""
    price = {"0.heads": 4.0, "1.heads": 4.0, "0.mlp": 1.0, "1.mlp": 3.0}
    return np.array([sum(price[n] * width for n, width in each.items()) for each in choices])


@pytest.mark.parametrize("order", ["heads", "neurons", "both"])
@pytest.mark.parametrize("budget", [12, 15, 17, 20, 24, 28, 32])
def test_no_other_pair_of_numbers_scores_higher(order, budget) -> None:
    pair = Ranked.of(HEADS), Ranked.of(NEURONS)
    best = 0.0
    for n, k in itertools.product(*(range(len(each) + 1) for each in pair)):
        widths = {**pair[0].with_best(n), **pair[1].with_best(k)}
        if cost_of([widths])[0] <= budget:
            best = max(best, pair[0].scores[n] + pair[1].scores[k])
    widths = widths_by_score(HEADS, NEURONS, cost_of, budget, order)
    assert cost_of([widths])[0] <= budget
    found = sum(each.scores[widths[each.name] - 1] - each.scores[0] for each in HEADS + NEURONS)
    assert found == pytest.approx(best)
