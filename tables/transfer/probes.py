"""Which points of a new device are worth measuring, and how few are too few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import UserError
from ...models import Block, Spec
from ..table import LatencyTable
from .belief import Belief
from .prior import belief_of
from .sources import Key, Sources, key_of, key_of_model, side_by_side

# What measuring a point once in a while leaves of it (a relative standard deviation).
PROBE_SD = 0.015
# Blocks that stand for all where no whole models are known.
GOAL_BLOCKS = 256


@dataclass(frozen=True)
class Question:
    """What is to be predicted: `sources` hold the table's own points first, then models to ask of.

    `goals` are the positions of the points that probes are to predict, `candidates` of those that
    may be probes, and `rows` of those that become rows of the new table.
    """

    sources: Sources
    belief: Belief
    goals: Sequence[int]
    candidates: Sequence[int]
    rows: Sequence[int]

    @property
    def unknowns(self) -> list[str]:
        """What has to be learned of a device: each op, and whole models."""
        whole = any(isinstance(self.sources.keys[n][0], Spec) for n in self.rows)
        return [*self.sources.ops, *(["whole models"] if whole else [])]

    def check_enough(self, count: int, parameter: str) -> None:
        """Raise UserError where there are fewer probes than unknowns."""
        if count < len(self.unknowns):
            raise UserError(
                f"{count} probes are fewer than the {len(self.unknowns)} unknowns (what "
                f"{', '.join(self.unknowns)} cost on the new device); give {len(self.unknowns)} "
                f"or more: {parameter}."
            )

    def choose(self, count: int) -> list[Key]:
        """Return the points most worth measuring, the most telling one first.

        A point costs the root of its latency and a session, which is what a middling goal takes:
        by the whole latency large models, which alone show what size does, would never be taken.
        """
        noise = np.full(len(self.belief.mean), PROBE_SD)
        ms = np.exp(self.belief.mean - np.median(self.belief.mean[list(self.goals)]))
        cost = np.sqrt(1 + ms)
        chosen = self.belief.choose(count, self.candidates, self.goals, noise, cost=cost)
        return [self.sources.keys[n] for n in chosen]


def question_of(
    tables: Sequence[LatencyTable], goals: Sequence[Spec] = (), more: Sequence[Spec] = ()
) -> Question:
    """Return what transferring from these tables asks.

    `goals` are models that the new table will be asked of (default: its own whole models, or its
    blocks), and `more` whole models that may be probes beside the tables' own points.
    """
    sources = side_by_side(tables, [*goals, *more])
    own = {key_of(row) for table in sources.tables for row in table.rows}
    position = {key: n for n, key in enumerate(sources.keys)}
    rows = [n for n, key in enumerate(sources.keys) if key in own]
    models = [n for n in rows if isinstance(sources.keys[n][0], Spec)]
    asked = [position[key] for key in map(key_of_model, goals) if key in position]
    probes = [position[key] for key in map(key_of_model, more) if key in position]
    can = [n for n in rows if _can_be_measured(sources.keys[n])]
    blocks = can[:: max(len(can) // GOAL_BLOCKS, 1)]
    return Question(sources, belief_of(sources), asked or models or blocks, [*can, *probes], rows)


def _can_be_measured(key: Key) -> bool:
    """Tell whether a point can be run by itself: not a block that is a difference in its model."""
    subject, context = key
    return not isinstance(subject, Block) or context in ("alone", "in_network")
