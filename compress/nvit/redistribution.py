"""Where pruning took what: widths layer by layer, and what a unit of each kind matters and costs.

Yang et al. 2023 (NViT), Fig. 4 (dims of every block), Table 5 (sensitivity and latency a neuron).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from ...models import Spec
from ...models.structures.structure import KINDS, Kind
from ..budget import Budget
from ..cutting import prunable_of


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
    """What a unit of one structure, or of all of a kind, matters and costs in the unpruned model.

    structure: its name, "" for all of the kind; units: how many there are; importance: mean of
    their scores (NViT eq. 6, OPTIN eq. 3); latency_ms: what the model takes less without a group of
    units, per unit (None where no group can be spared).
    """

    structure: str
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
    """Return one line a structure; `importance` has one number a unit, by the structure's name.

    groups, floors: how many units go at once, and the widths that always stay.
    """
    prunable = prunable_of(spec)
    structures = [s for s in prunable.structures(spec, True) if s.name in importance]
    going = [min(groups[s.kind], s.units - floors.get(s.name, 1)) for s in structures]
    smaller = [
        prunable.with_units(spec, {s.name: s.units - n}) if n else spec
        for s, n in zip(structures, going, strict=True)
    ]
    whole, *without = latency.of([spec, *smaller])
    return [
        Sensitivity(
            s.name,
            s.kind,
            s.units,
            float(importance[s.name].mean()),
            float(whole - ms) / n if n else None,
        )
        for s, n, ms in zip(structures, going, without, strict=True)
    ]


def by_kind(found: Sequence[Sensitivity]) -> list[Sensitivity]:
    """Return one line a kind: importance a unit, latency the mean of the structures."""
    lines = []
    for kind in KINDS:
        of_kind = [each for each in found if each.kind == kind]
        if not of_kind:
            continue
        units = sum(each.units for each in of_kind)
        importance = sum(each.importance * each.units for each in of_kind) / units
        ms = [each.latency_ms for each in of_kind if each.latency_ms is not None]
        lines.append(Sensitivity("", kind, units, importance, sum(ms) / len(ms) if ms else None))
    return lines


def sensitivities_to_csv(found: Sequence[Sensitivity]) -> str:
    """Return the lines as CSV text: structure, kind, units, and a unit's importance and ms."""
    return _csv(
        ("structure", "kind", "units", "importance", "latency_ms"),
        (
            (
                each.structure,
                each.kind,
                each.units,
                f"{each.importance:.6g}",
                "" if each.latency_ms is None else f"{each.latency_ms:.6g}",
            )
            for each in found
        ),
    )


def to_csv(found: Sequence[Width]) -> str:
    """Return the widths as CSV text: structure, kind, before, after, share."""
    lines = [
        (w.structure, w.kind, w.before, w.after, f"{w.after / w.before:.4f}" if w.before else "")
        for w in found
    ]
    return _csv(("structure", "kind", "before", "after", "share"), lines)


def _csv(names: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(lines)
    return text.getvalue()
