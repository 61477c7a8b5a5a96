"""Taking inputs of a linear layer away one after another, with the others fitted anew each time.

This is the optimal brain surgeon (Hassibi and Stork 1993, eq. 5) for one linear layer, whose
squared error is quadratic, so that it is exact: of all units, that one goes whose loss the others
make up for best.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from torch import Tensor

# Called with the number of units that stay and the fitted weights, inputs x outputs.
OnMark = Callable[[int, Tensor], None]


@dataclass(frozen=True)
class Elimination:
    """Units in the order in which they went, and what each added to the layer's squared error."""

    order: list[int]
    costs: list[float]


def eliminated(
    gram: Tensor,
    weights: Tensor,
    units: Tensor,
    least: int,
    marks: Collection[int],
    on_mark: OnMark,
) -> Elimination:
    """Take units away until `least` stay; at each of `marks` that many stay, and `on_mark` is told.

    gram: XᵀX of the inputs, of full rank, n x n; weights: n x outputs, whose outputs XW are to stay
    as they are; units: units x the inputs that are a unit's. Inputs of no unit always stay. All in
    doubles. The squared error is that of all rows and outputs together.
    """
    inverse, fitted = torch.linalg.inv(gram), weights.clone()
    # What is left of the inputs and units: both become fewer at every mark.
    inputs = torch.arange(len(gram), device=gram.device)
    numbers = torch.arange(len(units), device=gram.device)
    places = units.to(gram.device)
    alive = torch.ones(len(units), dtype=torch.bool, device=gram.device)
    order: list[int] = []
    costs: list[float] = []
    for staying in range(len(units) - 1, least - 1, -1):
        added = _added(inverse, fitted, places)
        added[~alive] = torch.inf
        worst = int(added.argmin())
        order.append(int(numbers[worst]))
        costs.append(max(float(added[worst]), 0.0))
        alive[worst] = False
        inverse, fitted = _without(inverse, fitted, places[worst])
        if staying in marks:
            kept = torch.ones(len(inputs), dtype=torch.bool, device=gram.device)
            kept[places[~alive].reshape(-1)] = False
            inverse, fitted = inverse[kept][:, kept], fitted[kept]
            inputs, numbers = inputs[kept], numbers[alive]
            places = (kept.cumsum(0) - 1)[places[alive]]
            alive = alive[alive]
            whole = torch.zeros_like(weights)
            whole[inputs] = fitted
            on_mark(staying, whole)
    return Elimination(order, costs)


def _added(inverse: Tensor, fitted: Tensor, places: Tensor) -> Tensor:
    """Return by how much the squared error rises without each unit: tr(WᵤᵀPᵤᵤ⁻¹Wᵤ), P = inverse."""
    of_units = fitted[places]
    if places.shape[1] == 1:
        own = inverse.diagonal()[places[:, 0]]
        return of_units[:, 0].square().sum(dim=1) / own
    blocks = inverse[places.unsqueeze(2), places.unsqueeze(1)]
    # Units that are gone have rows of zeros; what comes out for them does not count.
    blocks = blocks + torch.diag_embed((blocks.diagonal(dim1=1, dim2=2) == 0).to(blocks.dtype))
    return (of_units * torch.linalg.solve(blocks, of_units)).sum(dim=(1, 2))


def _without(inverse: Tensor, fitted: Tensor, gone: Tensor) -> tuple[Tensor, Tensor]:
    """Return the inverse and the fitted weights without some inputs, whose rows become zeros."""
    rows = inverse[gone]
    share = torch.linalg.solve(rows[:, gone], torch.cat([rows, fitted[gone]], dim=1))
    columns = inverse[:, gone]
    fitted = fitted - columns @ share[:, len(inverse) :]
    inverse = inverse - columns @ share[:, : len(inverse)]
    # Exactly zero, and not what rounding leaves.
    inverse[gone], inverse[:, gone], fitted[gone] = 0.0, 0.0, 0.0
    return inverse, fitted
