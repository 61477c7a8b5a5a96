"""Where pruning took what: widths layer by layer, and what a unit of each kind matters and costs.

Yang et al. 2023 (NViT), Fig. 4 (dims of every block), Table 5 (sensitivity and latency a neuron).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from ..models import Spec
from .budget import Budget
from .cutting import prunable_of
from .structures import KINDS, Kind


@dataclass(frozen=True)
class Width:
    """One structure's width before and after, in units (heads, dims of a head, neurons)."""

    structure: str
    kind: Kind
    before: int
    after: int

    @property
    def layer(self) -> str:
        """What the structure belongs to, e.g. "layers.3"; "" for the whole model."""
        return self.structure.rpartition(".")[0]


@dataclass(frozen=True)
class Sensitivity:
    """What a unit of one kind matters and costs on average over the unpruned model.

    importance: mean of eq. 6 over the units; latency_ms: what the model takes less without a group
    of units, per unit, on average over the structures of that kind (None where none can spare a
    group); units: how many there are.
    """

    kind: Kind
    units: int
    importance: float
    latency_ms: float | None


def widths(before: Spec, after: Spec) -> list[Width]:
    """Return the widths of all structures, in the order of the model."""
    prunable = prunable_of(before)
    left = {s.name: s.units for s in prunable.structures(after, True)}
    return [
        Width(s.name, s.kind, s.units, left.get(s.name, 0))
        for s in prunable.structures(before, True)
    ]


def sensitivities(
    spec: Spec,
    importance: Mapping[str, Tensor],
    latency: Budget,
    groups: Mapping[Kind, int],
    floors: Mapping[str, int],
) -> list[Sensitivity]:
    """Return one line a kind; `importance` has one number a unit of every structure of `spec`.

    groups, floors: how many units go at once, and the widths that always stay.
    """
    prunable = prunable_of(spec)
    structures = prunable.structures(spec, True)
    going = [min(groups[s.kind], s.units - floors.get(s.name, 1)) for s in structures]
    smaller = [
        prunable.with_units(spec, {s.name: s.units - n}) if n else spec
        for s, n in zip(structures, going, strict=True)
    ]
    whole, *without = latency.of([spec, *smaller])
    found = []
    for kind in KINDS:
        of_kind = [n for n, s in enumerate(structures) if s.kind == kind]
        if not of_kind:
            continue
        units = sum(structures[n].units for n in of_kind)
        scores = sum(float(importance[structures[n].name].sum()) for n in of_kind)
        each = [(whole - without[n]) / going[n] for n in of_kind if going[n]]
        mean = float(sum(each) / len(each)) if each else None
        found.append(Sensitivity(kind, units, scores / units, mean))
    return found


def to_csv(found: Sequence[Width]) -> str:
    """Return the widths as CSV text: structure, kind, before, after, share."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("structure", "kind", "before", "after", "share"))
    for width in found:
        share = f"{width.after / width.before:.4f}" if width.before else ""
        writer.writerow((width.structure, width.kind, width.before, width.after, share))
    return text.getvalue()
