"""Widths of one structure, and the units that stay at each."""

from __future__ import annotations

import pytest
import torch
from vitprof.compress.optin.ladder import Ladder
from vitprof.models.structures.structure import Structure, WeightSlice

SCORES = torch.tensor([1.0, 5.0, 2.0, 4.0, 3.0])
STRUCTURE = Structure(
    "layers.0.mlp", "mlp", (WeightSlice("mlp.fc1.weight", 0, torch.arange(5)[:, None]),)
)


@pytest.mark.parametrize(
    ("size", "floor", "widths", "scores"),
    [
        (1, 1, [1, 2, 3, 4, 5], [5, 9, 12, 14, 15]),
        (2, 1, [2, 4, 5], [9, 14, 15]),
        (2, 3, [4, 5], [14, 15]),
        (2, 5, [5], [15]),
        (8, 1, [5], [15]),
    ],
)
def test_widths_and_the_scores_of_their_best_units(size, floor, widths, scores) -> None:
    ladder = Ladder.of(STRUCTURE, SCORES, size, floor)
    assert ladder.widths.tolist() == widths
    assert ladder.scores.tolist() == scores
    for step, width in enumerate(widths):
        units = ladder.staying(step)
        assert len(units) == width
        assert units.tolist() == sorted(units.tolist())
        assert float(SCORES[units].sum()) == scores[step]
