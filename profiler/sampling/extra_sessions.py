"""Where further sessions go: to the points that lower the error of predictions most.

A point's interval may be wide and not matter, because no model leans on it, or be narrow and in
every prediction. With influences (`tables.leaning`) the variance of predictions is the sum over
points of influence · variance of the point. One more of its n sessions takes about 1 / (n + 1) of a
point's share away; points are taken in the order of that gain over what a session costs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...models import Block, Spec
from ...tables import Row
from ...tables.row import NORMAL_95
from ..plan import Point, is_kernel, kernel_repeats
from .protocol import Protocol

# Loading a session and warming it, besides its runs; what a weight adds to loading.
SESSION_MS = 20.0
MS_A_MILLION_WEIGHTS = 2.0


@dataclass(frozen=True)
class Extra:
    """What to measure once more, and how far predictions are expected to err as things stand.

    `expected_error` is the relative standard deviation of a prediction by the sessions' scatter;
    what the line through whole models and interpolation miss comes on top.
    """

    points: Sequence[Point]
    expected_error: float


def expected_error(rows: Mapping[object, Row], influence: Mapping[object, float]) -> float:
    """Return the relative standard deviation that the rows' scatter gives predictions."""
    return math.sqrt(sum(_share(row, influence) for row in rows.values()))


def extra_points(
    points: Sequence[Point],
    rows: Mapping[object, Row],
    influence: Mapping[object, float],
    protocol: Protocol,
    within_budget: bool,
) -> Extra:
    """Return a group of points to give one more session; none where all is done.

    `rows` are as judged now. It is done once the expected error is at most the protocol's. Unless
    `within_budget` it is done too once further sessions cost `extra_share` of what the first
    ones did. Only the rows' own numbers of sessions count, so a run that was interrupted ends
    with as many sessions as one that was not.
    """
    now = expected_error(rows, influence)
    open_points = [point for point in points if _is_open(rows.get(point.key))]
    spent = sum(_extra(rows[p.key], p, protocol) for p in open_points)
    allowed = protocol.extra_share * sum(
        wanted_sessions(p, protocol) * cost_ms(rows[p.key], protocol) for p in open_points
    )
    if now <= protocol.expected_error or not (within_budget or spent < allowed):
        return Extra((), now)

    def gain(point: Point) -> float:
        row = rows[point.key]
        return _share(row, influence) / (row.sessions + 1) / cost_ms(row, protocol)

    best = sorted((point for point in open_points if gain(point) > 0), key=gain, reverse=True)
    # At least a share of all, so that the number of passes does not grow with the points.
    return Extra(best[: max(protocol.group, len(points) // 20)], now)


def wanted_sessions(point: Point, protocol: Protocol) -> int:
    """Return how many sessions a point gets before any extra ones."""
    if point.is_kernel:
        return protocol.kernel_sessions
    return protocol.model_sessions if isinstance(point.subject, Spec) else protocol.sessions


def cost_ms(row: Row, protocol: Protocol) -> float:
    """Return about how long one session of a row takes, in ms."""
    subject = row.subject
    kernels = isinstance(subject, Block) and is_kernel(subject)
    plan = protocol.sampling_of(kernels)
    run_ms = row.latency_ms * (kernel_repeats(subject) if isinstance(subject, Block) else 1)
    runs = plan.runs_for(run_ms)
    turns = math.ceil(runs / plan.runs_per_turn)
    weights = MS_A_MILLION_WEIGHTS * row.subject.params / 1e6
    return SESSION_MS + weights + (runs + turns + 1) * run_ms


def _extra(row: Row, point: Point, protocol: Protocol) -> float:
    extra = max(row.sessions - wanted_sessions(point, protocol), 0)
    return extra * cost_ms(row, protocol)


def _is_open(row: Row | None) -> bool:
    return row is not None and row.verdict != "failed" and row.sessions > 0


def _share(row: Row, influence: Mapping[object, float]) -> float:
    """Return the row's part of the variance of predictions."""
    if row.verdict == "failed":
        return 0.0
    sd = (row.high_ms - row.low_ms) / (2 * NORMAL_95 * row.latency_ms)
    return influence.get(row.key, 0.0) * sd**2
