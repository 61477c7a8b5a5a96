"""Ablation tables of papers: their rows as specs, with the paper's accuracy and throughput."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import UserError
from .ablations import choices_of
from .families.registry import families_with, find_of
from .spec import Spec


@dataclass(frozen=True)
class PublishedRow:
    """One row of a paper's ablation table.

    changed: options by choice that make the row's model of the table's first. depths: layers of
    each stage. top1: per cent; gpu_images_per_s, cpu_images_per_s: throughput, on the paper's own
    machines. note: what the paper leaves open and is assumed here.
    """

    number: int
    words: str
    changed: Mapping[str, str]
    depths: tuple[int, ...]
    top1: float
    gpu_images_per_s: float
    cpu_images_per_s: float
    note: str = ""


@dataclass(frozen=True)
class PublishedTable:
    """A paper's ablation of one model: `title` names the paper and its table, `runtime` the CPU's.

    with_depths: (spec, depths) -> the spec with so many layers in each stage.
    """

    title: str
    model: str
    runtime: str
    rows: Sequence[PublishedRow]
    with_depths: Callable[[Spec, tuple[int, ...]], Spec]

    def specs(self, base: Spec) -> list[Spec]:
        """Return the model of each row; `base` is the spec that `model` names."""
        options = {choice.name: choice.options for choice in choices_of(base)}
        found = []
        for row in self.rows:
            spec = base
            for choice, option in row.changed.items():
                spec = options[choice][option](spec)
            spec = self.with_depths(spec, row.depths)
            found.append(replace(spec, name=f"{base.name} #{row.number}: {row.words}"))
        return found


def published_table(family: str) -> PublishedTable:
    """Return the ablation table of the family's paper; raises UserError where none is known."""
    found: PublishedTable | None = find_of(family, "published")
    if found is None:
        known = " or ".join(families_with("published"))
        raise UserError(
            f"no published ablation table of the family '{family}' is known; use {known}."
        )
    return found
