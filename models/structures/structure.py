"""What can be taken out of a model, and where it lies in the weights.

The prunable structures of Yang et al. 2023 (NViT), section 3.1: the embedding (EMB), and in every
layer the heads (H), the QK and V dims of a head, the same of every head (head alignment), and the
hidden neurons of the MLP; of a CNN, the convolutions' output channels. Each is a list of units;
taking a unit out takes its rows or columns out of every weight that has some.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["embed", "heads", "qk", "v", "mlp", "channels"]
KINDS: tuple[Kind, ...] = ("embed", "heads", "qk", "v", "mlp", "channels")


@dataclass(frozen=True)
class WeightSlice:
    """Where the units of a structure lie in one weight: unit u at `index[u]` along `axis`.

    `index` is units x places, whole numbers.
    """

    weight: str
    axis: int
    index: Tensor


@dataclass(frozen=True)
class Structure:
    """One width of a model that can shrink; `name` is unique in it, e.g. "layers.3.qk".

    Of QK and V without head alignment each dim of each head is a unit, head by head, in as many
    `lanes` as there are heads; the width is that of the widest head.
    """

    name: str
    kind: Kind
    parts: tuple[WeightSlice, ...]
    lanes: int = 1

    @property
    def units(self) -> int:
        return len(self.parts[0].index)

    @property
    def heads(self) -> str:
        """Name of the heads of the same layer, whose entries are the lanes."""
        return f"{self.name.rpartition('.')[0]}.heads"

    def width_without(self, gone: Tensor) -> int:
        """Return the width once the units marked (one flag a unit) are gone."""
        return int(self._left(gone).max())

    def counted_without(self, gone: Tensor) -> int:
        """Return the width that what is left would fill if the heads shared it evenly."""
        left = self._left(gone)
        heads = max(int((left > 0).sum()), 1)  # those that are gone altogether share nothing
        return -(-int(left.sum()) // heads)

    def _left(self, gone: Tensor) -> Tensor:
        """Return how many units are left in every lane."""
        return (~gone).reshape(self.lanes, -1).sum(dim=1)


# For every axis of a weight that loses something, the indices that remain, in their order.
Remaining = dict[str, dict[int, Tensor]]


def remaining(
    structures: Iterable[Structure],
    removed: Mapping[str, Tensor],
    shapes: Mapping[str, Sequence[int]],
) -> Remaining:
    """Return what is left of each weight once these units are gone; whole weights are left out.

    removed: indices of units, by the structure's name. shapes: those of the weights. A row that
    belongs to two structures (of a head, and of a dim of all heads) goes with either.
    """
    gone: dict[tuple[str, int], list[Tensor]] = {}
    for structure in structures:
        units = removed.get(structure.name)
        if units is None or not len(units):
            continue
        for part in structure.parts:
            gone.setdefault((part.weight, part.axis), []).append(part.index[units].reshape(-1))
    left: Remaining = {}
    for (weight, axis), indices in gone.items():
        keep = torch.ones(shapes[weight][axis], dtype=torch.bool)
        keep[torch.cat(indices)] = False
        left.setdefault(weight, {})[axis] = torch.nonzero(keep).flatten()
    return left


def take(tensor: Tensor, left: Mapping[int, Tensor]) -> Tensor:
    """Return what is left of a weight, or of anything of its shape."""
    for axis, indices in left.items():
        tensor = tensor.index_select(axis, indices.to(tensor.device))
    return tensor
