"""Scoring in pieces that do not need each other, so that several workers can share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from ...models.modules.words import Words
from .fast_errors import neurons_of
from .predicted_errors import DRAWS, SHARES, added_up, shares_of_errors
from .trajectory_score import Scoring, trajectory_errors
from .walk import LinearSource, Walk

# Units of one structure that are one piece: a worker runs the unpruned model again for each piece.
MOST_UNITS = 64


@dataclass(frozen=True)
class Job:
    """What is scored: everything that a worker needs."""

    walk: Walk
    images: Tensor | Words
    scoring: Scoring


class Piece(Protocol):
    """A part of the work. `key` names it; `units` is how many units' work it is about."""

    @property
    def key(self) -> str: ...

    @property
    def units(self) -> float: ...

    def errors(self, job: Job) -> dict[str, Tensor]:
        """Return errors by the structure's name, 2 x units, as `trajectory_errors` does."""


@dataclass(frozen=True)
class SomeUnits:
    """Units `first` to `last` of the walk's source at `place`, one by one."""

    place: int
    first: int
    last: int

    @property
    def key(self) -> str:
        return f"units {self.place} {self.first} {self.last}"

    @property
    def units(self) -> float:
        return self.last - self.first

    def errors(self, job: Job) -> dict[str, Tensor]:
        source = job.walk.sources[self.place]
        if self.units < source.structure.units:
            assert isinstance(source, LinearSource)
            source = source.only(torch.arange(self.first, self.last))
        return trajectory_errors(replace(job.walk, sources=[source]), job.images, job.scoring)


@dataclass(frozen=True)
class SomeDraws:
    """A share of the random functions that predict the errors of all hidden neurons."""

    share: int
    units: float

    @property
    def key(self) -> str:
        return f"draws {self.share}"

    def errors(self, job: Job) -> dict[str, Tensor]:
        walk = replace(job.walk, sources=neurons_of(job.walk))
        trajectory = job.scoring.trajectory
        found = shares_of_errors(walk, job.images, trajectory, DRAWS, [self.share])
        return found[self.share]


def pieces_of(job: Job) -> list[Piece]:
    """Return the work as pieces, the longest first."""
    neurons = neurons_of(job.walk) if job.scoring.fast else []
    predicted = {source.structure.name for source in neurons}
    pieces: list[Piece] = []
    if neurons:
        count = sum(source.structure.units for source in neurons)
        pieces += [SomeDraws(share, count / SHARES) for share in range(SHARES)]
    for place, source in enumerate(job.walk.sources):
        if source.structure.name in predicted:
            continue
        units = source.structure.units
        step = MOST_UNITS if isinstance(source, LinearSource) else units
        pieces += [
            SomeUnits(place, first, min(first + step, units)) for first in range(0, units, step)
        ]
    return pieces


def put_together(
    job: Job, pieces: Sequence[Piece], found: Mapping[str, Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    """Return the errors of every source from those of all pieces, by their keys."""
    errors: dict[str, Any] = {}
    draws = {p.share: found[p.key] for p in pieces if isinstance(p, SomeDraws)}
    if draws:
        errors |= added_up(draws)
    parts: dict[str, list[Tensor]] = {}
    for piece in pieces:
        if isinstance(piece, SomeUnits):
            for name, some in found[piece.key].items():
                parts.setdefault(name, []).append(some)
    errors |= {name: torch.cat(some, dim=1) for name, some in parts.items()}
    return {source.structure.name: errors[source.structure.name] for source in job.walk.sources}
