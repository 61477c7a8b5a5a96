"""What an instrumented run tells: each node's time, merged over runs and sessions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from ...errors import UserError
from .work import UNKNOWN_WORK, Work


@dataclass(frozen=True)
class Node:
    """One node of the graph that a runtime executes.

    `ms` is its median time in the instrumented run; `kind` one of the classes of operations.
    `source` is where it stands in the graph that was executed: a place, or a name.
    """

    name: str
    op: str
    kind: str
    ms: float
    work: Work = UNKNOWN_WORK
    source: str = ""


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

    Sessions of one model may order what does not depend on each other differently, so a node is
    found by its name and operation, or by its operation where names were made up. Raises UserError
    if the profiles are not of the same nodes, or none are given.
    """
    if not runs:
        raise UserError("there is no profiled run to divide; ask for at least one.")
    first = runs[0]
    for by_name in (True, False):
        keys = [_keys(run, by_name) for run in runs]
        if all(sorted(one) == sorted(keys[0]) for one in keys):
            break
    else:
        other = next(run for run in runs if sorted(_ops(run)) != sorted(_ops(first)))
        raise UserError(
            f"the runtime executed {len(first.nodes)} nodes in one run and {len(other.nodes)} "
            "others in another, so no node has a median; a breakdown needs a model that computes "
            "the same every time."
        )
    times: dict[_Key, list[float]] = {key: [] for key in keys[0]}
    for run, keys_of_run in zip(runs, keys, strict=True):
        for key, node in zip(keys_of_run, run.nodes, strict=True):
            times[key].append(node.ms)
    nodes = tuple(
        replace(node, ms=median(times[key])) for key, node in zip(keys[0], first.nodes, strict=True)
    )
    return Profile(
        median(run.total_ms for run in runs), nodes, median(run.recording_ms for run in runs)
    )


_Key = tuple[str, str, int]


def _keys(profile: Profile, by_name: bool) -> list[_Key]:
    """Return operation, name (if wanted) and which one of those each node is."""
    seen: Counter[tuple[str, str]] = Counter()
    keys = []
    for node in profile.nodes:
        called = (node.op, node.name if by_name else "")
        keys.append((*called, seen[called]))
        seen[called] += 1
    return keys


def _ops(profile: Profile) -> list[str]:
    return [node.op for node in profile.nodes]
