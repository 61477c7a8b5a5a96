"""What an instrumented run tells: each node's time, merged over runs and sessions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from ..errors import UserError
from .breakdown_work import UNKNOWN_WORK, Work


@dataclass(frozen=True)
class Node:
    """One node of the graph that a runtime executes.

    `ms` is its median time in the instrumented run; `kind` one of the classes of operations.
    """

    name: str
    op: str
    kind: str
    ms: float
    work: Work = UNKNOWN_WORK


@dataclass(frozen=True)
class Profile:
    """The instrumented run of one model: its total in ms, and its nodes in order of execution.

    `recording_ms` is what recording one node adds to its time, as far as the profile shows it.
    """

    total_ms: float
    nodes: tuple[Node, ...]
    recording_ms: float = 0.0

    @property
    def nodes_ms(self) -> float:
        """Time inside nodes."""
        return math.fsum(node.ms for node in self.nodes)

    @property
    def outside_ms(self) -> float:
        """Time in no node: the session's own, and what recording costs between the nodes."""
        return self.total_ms - self.nodes_ms

    def net_ms(self, node: Node) -> float:
        """Return the node's time without what recording it cost."""
        return max(node.ms - self.recording_ms, 0.0)


def merged(runs: Sequence[Profile]) -> Profile:
    """Return the median of several profiles of the same model, node by node.

    Raises UserError if they are not of the same nodes, or none are given.
    """
    if not runs:
        raise UserError("there is no profiled run to divide; ask for at least one.")
    first = runs[0]
    for other in runs[1:]:
        if [node.op for node in other.nodes] != [node.op for node in first.nodes]:
            raise UserError(
                f"the runtime executed {len(first.nodes)} nodes in one run and "
                f"{len(other.nodes)} others in the next, so no node has a median; a breakdown "
                "needs a model that computes the same every time."
            )
    nodes = tuple(
        replace(node, ms=median(run.nodes[position].ms for run in runs))
        for position, node in enumerate(first.nodes)
    )
    return Profile(
        median(run.total_ms for run in runs), nodes, median(run.recording_ms for run in runs)
    )
