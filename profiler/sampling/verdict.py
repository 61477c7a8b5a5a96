"""From sessions to a row: latency, interval, verdict, and the words for what is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from ...tables import Row
from ...tables.references import PRIOR_SESSION_SD
from ..plan import Point, Subject
from .correction import corrected_sessions, correction_sd
from .protocol import Protocol
from .sampler import SessionSamples
from .statistics import latency_interval, summarise_session

_TIMES = ("median_ms", "min_ms", "p10_ms", "p90_ms", "p99_ms")


def failed_row(point: Point, reason: str) -> Row:
    """Return the row of a point that cannot be measured, with the reason on one line."""
    words = " ".join(reason.split())[:500] or "no reason given"
    return Row(point.subject, point.context, "failed", error=words, measured_at=_now())


def session_row(point: Point, samples: Mapping[Subject, SessionSamples]) -> Row:
    """Return one session of a point as a row of verdict "partial".

    A point of several parts gets the weighted sum of their medians (and of their percentiles). A
    session disturbed throughout keeps all its samples for the median but counts none as good. A
    difference that is not above zero says only that noise is larger than the block: it is failed.
    """
    totals = dict.fromkeys(_TIMES, 0.0)
    in_references = 0.0  # the point's latency in units of the reference's
    good = set_aside = 0
    for part in point.parts:
        of_part = samples[part.subject]
        used = of_part.kept or of_part.all
        summary = summarise_session([sample.wall_ms for sample in used], len(of_part.set_aside))
        for name in _TIMES:
            totals[name] += part.weight * getattr(summary, name)
        ratios = [s.wall_ms / s.reference_ms for s in used if s.reference_ms > 0]
        in_references += part.weight * float(np.median(ratios)) if ratios else math.nan
        good += len(of_part.kept)
        set_aside += len(of_part.set_aside)
    median = totals["median_ms"]
    if median <= 0 and len(point.parts) == 1:
        return failed_row(
            point, f"the clock went back while it ran ({median:+.3g} ms): measure again"
        )
    if median <= 0:
        return failed_row(
            point,
            f"with and without it, the network takes the same time ({median:+.3g} ms): the block "
            "is smaller than the noise; measure it alone (context alone)",
        )
    ordered = {name: value if value > 0 else math.nan for name, value in totals.items()}
    return Row(
        point.subject,
        point.context,
        "partial",
        latency_ms=median,
        low_ms=min(ordered["p10_ms"], median),
        high_ms=max(ordered["p90_ms"], median),
        min_ms=ordered["min_ms"],
        p10_ms=ordered["p10_ms"],
        p90_ms=ordered["p90_ms"],
        p99_ms=ordered["p99_ms"],
        session_ms=(median,),
        reference_ms=(median / in_references,) if in_references > 0 else (),
        samples=good,
        set_aside=set_aside,
        measured_at=_now(),
        cores=_most(samples[part.subject].cores for part in point.parts),
    )


def point_row(
    point: Point,
    sessions: Sequence[Row],
    protocol: Protocol,
    shared_sd: float | None,
    speed_ms: float | None = None,
) -> Row:
    """Return the row of a point from the rows of its sessions; `speed_ms` as in `judged`."""
    row = Row(
        point.subject,
        point.context,
        min_ms=_least(row.min_ms for row in sessions),
        p10_ms=_middle(row.p10_ms for row in sessions),
        p90_ms=_middle(row.p90_ms for row in sessions),
        p99_ms=_middle(row.p99_ms for row in sessions),
        session_ms=tuple(row.latency_ms for row in sessions),
        reference_ms=tuple(ms for row in sessions for ms in row.reference_ms),
        samples=sum(row.samples for row in sessions),
        set_aside=sum(row.set_aside for row in sessions),
        measured_at=sessions[-1].measured_at,
        cores=_middle_known(row.cores for row in sessions),
        effective_dtype=next((row.effective_dtype for row in sessions if row.effective_dtype), ""),
        delegated=next((row.delegated for row in sessions if row.delegated is not None), None),
    )
    return judged(row, protocol, shared_sd, speed_ms)


def judged(
    row: Row, protocol: Protocol, shared_sd: float | None, speed_ms: float | None = None
) -> Row:
    """Return the row with latency, interval and verdict from its sessions' medians.

    `shared_sd` is the spread between sessions that all points share; None: it was not seen, and is
    assumed to be PRIOR_SESSION_SD. Medians are brought to the
    speed of the machine at which the reference takes `speed_ms` (None: they stay raw). A point is
    stable where its interval is narrow enough, however loud the machine was.
    """
    medians = corrected_sessions(row, speed_ms) or [row.latency_ms]
    latency, low, high = latency_interval(medians, shared_sd, correction_sd(row, speed_ms))
    causes = []
    if (high - low) / 2 > protocol.unstable_above * latency:
        differ = 100 * (max(medians) / min(medians) - 1)
        seen = f"its {len(medians)} sessions differ by {differ:.0f} %"
        if len(medians) == 1:
            seen = f"it has one session, and sessions {_differ(shared_sd)}"
        causes.append(f"{seen}: measure it with more sessions on a quiet machine")
    if row.set_aside and not row.samples:
        causes.append(
            f"each of its {row.set_aside} runs was disturbed by other work: stop other programs "
            "and measure again"
        )
    return replace(
        row,
        verdict="unstable" if causes else "stable",
        latency_ms=latency,
        low_ms=low,
        high_ms=high,
        error="; ".join(causes),
    )


def _differ(shared_sd: float | None) -> str:
    if shared_sd is None:
        return f"are assumed to differ by {100 * PRIOR_SESSION_SD:.1f} %"
    return f"here differ by {100 * shared_sd:.1f} %"


def _least(values: Iterable[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return min(known) if known else math.nan


def _middle(values: Iterable[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return float(np.median(known)) if known else math.nan


def _most(values: Iterable[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return round(max(known), 3) if known else None


def _middle_known(values: Iterable[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return round(float(np.median(known)), 3) if known else None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
