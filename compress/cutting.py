"""Taking units out of a model for good: the smaller model, and what becomes of everything else.

A model that is being pruned has no masks, except without head alignment: there a head may have lost
more dims than another, and its surplus stays as zeros.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..models import Spec, create_model
from ..models.modules.spec_model import spec_of
from ..models.structures.prunable import prunable_of
from ..models.structures.structure import Remaining, Structure, remaining, take


@dataclass(frozen=True)
class Cut:
    """A smaller model, and what is left of what belonged to the larger one.

    `left`: of every weight; `units`: of every structure, the units that are still there; `gone`: a
    flag for each of those, set where it is held at zero.
    """

    spec: Spec
    left: Remaining
    units: dict[str, Tensor]
    gone: dict[str, Tensor]


def cut(
    spec: Spec,
    structures: Sequence[Structure],
    gone: Mapping[str, Tensor],
    shapes: Mapping[str, Sequence[int]],
) -> Cut:
    """Return what is left of a model of `spec` once the units flagged in `gone` are taken out."""
    removed = {s.name: _removable(s, gone[s.name]) for s in structures}
    widths = {s.name: s.width_without(gone[s.name]) for s in structures}
    units = {}
    for s in structures:
        staying = torch.ones(s.units, dtype=torch.bool)
        staying[removed[s.name]] = False
        if s.lanes > 1:
            heads = torch.ones(s.lanes, dtype=torch.bool)
            heads[removed[s.heads]] = False
            staying &= heads.repeat_interleave(s.units // s.lanes)
        units[s.name] = torch.nonzero(staying).flatten()
    return Cut(
        prunable_of(spec).with_units(spec, widths),
        remaining(structures, removed, shapes),
        units,
        {s.name: gone[s.name][units[s.name]] for s in structures},
    )


def keeping(model: nn.Module, staying: Mapping[str, Tensor]) -> Cut:
    """Return what is left of a model if of each structure named only these units stay."""
    spec = spec_of(model)
    structures = prunable_of(spec).structures(spec, True)
    gone = {s.name: torch.zeros(s.units, dtype=torch.bool) for s in structures}
    for name, units in staying.items():
        gone[name][:] = True
        gone[name][units] = False
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    return cut(spec, structures, gone, shapes)


def _removable(structure: Structure, gone: Tensor) -> Tensor:
    """Return the units that go: of every lane as many, its first ones that are flagged."""
    by_lane = gone.reshape(structure.lanes, -1)
    count = by_lane.shape[1] - structure.width_without(gone)
    first = by_lane & (by_lane.cumsum(dim=1) <= count)
    return torch.nonzero(first.reshape(-1)).flatten()


def smaller_model(model: nn.Module, result: Cut) -> nn.Module:
    """Return the model of the cut's spec with what is left of the weights, in the same mode."""
    device = next(model.parameters()).device
    smaller = create_model(result.spec).to(device)
    weights: dict[str, Tensor] = {
        name: take(tensor, result.left.get(name, {})) for name, tensor in model.state_dict().items()
    }
    smaller.load_state_dict(weights)
    return smaller.train(model.training)


def hold_at_zero(
    model: nn.Module, structures: Sequence[Structure], gone: Mapping[str, Tensor]
) -> None:
    """Set all weights of the units flagged to 0, in place."""
    weights = dict(model.named_parameters())
    with torch.no_grad():
        for structure in structures:
            flags = gone[structure.name]
            if not bool(flags.any()):
                continue
            for part in structure.parts:
                if part.weight not in weights:  # a batch norm's statistics
                    continue
                places = part.index[flags].reshape(-1).to(weights[part.weight].device)
                weights[part.weight].index_fill_(part.axis, places, 0.0)


def with_fixed_scale(model: nn.Module) -> nn.Module:
    """Return the same function as a model whose attention's scale does not follow QK.

    NViT's heads keep the scale that they were trained with. Where the spec gives none, it becomes
    that of the first layer, and what another layer's differs by goes into its queries.
    """
    spec = spec_of(model)
    if getattr(spec, "attention_scale_dim", 0) is not None:
        return model
    structures = prunable_of(spec).structures(spec, True)
    widths = {s.name: s.units for s in structures if s.kind == "qk"}
    if not widths:
        return model
    scale_dim = next(iter(widths.values()))
    changed: dict[str, Any] = {"attention_scale_dim": scale_dim}
    fixed = create_model(replace(spec, **changed))
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for s in structures:
        if s.kind == "qk" and s.units != scale_dim:
            for part in s.parts:
                queries = part.index[:, : part.index.shape[1] // 2].reshape(-1)
                weights[part.weight][queries] *= (scale_dim / s.units) ** 0.5
    fixed.load_state_dict(weights)
    return fixed.to(next(model.parameters()).device).train(model.training)
