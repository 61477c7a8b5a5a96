"""The answer in words and rows: why others lost, what relaxed limits would buy, the front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .knowledge import Knowledge, Predicted
from .limits import PARAMETERS, Figures, Limits, in_words
from .policy import LIKELY

# By how much a limit is relaxed to see what that buys.
RELAXED = (1.1, 1.25, 1.5, 2.0)
# Less than this is not worth a sentence, from 0 to 1.
WORTH = 0.001
# What has a lower probability to keep the limits is not called possible.
POSSIBLE = 0.05
# A 95 % interval, in deviations.
WITHIN = 1.96


@dataclass(frozen=True)
class Relaxation:
    """What a relaxed limit would buy: the deployment at that place, measured or predicted."""

    limit: str
    value: float
    place: int
    name: str
    gain: float
    measured: bool

    def sentence(self) -> str:
        how = "measured" if self.measured else "predicted"
        return (
            f"`{PARAMETERS[self.limit]}` {in_words(self.limit, self.value)}: "
            f"{100 * self.gain:+.1f} points ({how}), by {self.name}"
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "limit": PARAMETERS[self.limit],
            "value": self.value,
            "deployment": self.name,
            "gain_points": round(100 * self.gain, 3),
            "measured": self.measured,
        }


def relaxations(
    knowledge: Knowledge, predicted: Predicted, limits: Limits, best: int
) -> list[Relaxation]:
    """Return for each limit what more of it would buy, each step only where it buys more."""
    found = []
    most = knowledge.measured[best].accuracy
    for name, limit in limits.given():
        if name == "accuracy":
            continue
        so_far = most
        for factor in RELAXED:
            relaxed = replace(limits, **{name: factor * limit})
            place = _best_known(knowledge, predicted, relaxed)
            if place is None or _accuracy(knowledge, predicted, place) <= so_far + WORTH:
                continue
            so_far = _accuracy(knowledge, predicted, place)
            found.append(
                Relaxation(
                    name,
                    factor * limit,
                    place,
                    knowledge.deployments[place].name,
                    so_far - most,
                    place in knowledge.measured,
                )
            )
    return found


def _accuracy(knowledge: Knowledge, predicted: Predicted, place: int) -> float:
    one = knowledge.measured.get(place)
    return float(predicted.accuracy.mean[place]) if one is None else one.accuracy


def _best_known(knowledge: Knowledge, predicted: Predicted, limits: Limits) -> int | None:
    """Return the most accurate deployment that keeps the limits, by measurement or prediction."""
    kept = predicted.chance(limits) > LIKELY
    for place, one in knowledge.measured.items():
        kept[place] = not limits.excess(one)
    kept[list(knowledge.refused)] = False
    places = np.flatnonzero(kept)
    if not len(places):
        return None
    return int(max(places, key=lambda one: _accuracy(knowledge, predicted, int(one))))


def why_lost(best: Figures, other: Figures) -> str:
    """Return why the other one is not the best."""
    points = 100 * (best.accuracy - other.accuracy)
    slower = other.latency_ms / best.latency_ms - 1
    speed = f"{abs(slower):.0%} {'slower' if slower > 0 else 'faster'}".replace("%", " %")
    if points >= 0.005:
        return f"{points:.2f} points less accurate, and {speed}"
    return f"as accurate, and {speed}"


def nothing_keeps(knowledge: Knowledge, limits: Limits) -> str:
    """Return the sentence for limits that nothing measured keeps: the nearest, and by how much."""
    if not knowledge.measured:
        reasons = "; ".join(sorted(set(knowledge.refused.values()))[:3])
        return f"none of the deployments could be run: {reasons}."
    nearest = min(
        knowledge.measured,
        key=lambda place: max(limits.excess(knowledge.measured[place]).values(), default=0.0),
    )
    figures = knowledge.measured[nearest]
    missed = ", ".join(
        f"{in_words(name, getattr(figures, name))} where `{PARAMETERS[name]}` is "
        f"{in_words(name, getattr(limits, name))} ({100 * share:.0f} % off)"
        for name, share in limits.excess(figures).items()
    )
    chance = knowledge.predicted().chance(limits)
    may = int((chance[knowledge.left] > POSSIBLE).sum())
    others = "and the others are not likely to"
    remedy = "Allow that much, or add smaller models"
    if may:
        others = f"but {may} of the others may"
        remedy = "Allow that much, or more `measurements`"
    return (
        f"none of the {len(knowledge.measured)} deployments that were measured keeps the limits, "
        f"{others}; the nearest is {knowledge.deployments[nearest].name}: {missed}. {remedy}."
    )


def rows(knowledge: Knowledge, predicted: Predicted) -> list[dict[str, Any]]:
    """Return every deployment with its figures and their 95 % intervals, on the front or not.

    `status` is measured, predicted or refused; figures that were measured have no interval.
    """
    found = []
    for place, one in enumerate(knowledge.deployments):
        row: dict[str, Any] = {
            "name": one.name,
            "model": one.variant.model,
            "family": one.variant.family,
            "tokens_merged": one.variant.tokens,
            "resolution": one.variant.resolution,
            "runtime": one.way.runtime,
            "dtype": one.way.dtype,
            "threads": one.way.threads,
            "batch": one.way.batch,
            "macs": one.variant.macs,
            "params": one.variant.params,
        }
        measured = knowledge.measured.get(place)
        figures = measured or predicted.figures(place)
        log = predicted.of_log["latency_ms"]
        away = 0.0 if measured else WITHIN * float(log.deviation[place])
        off = 0.0 if measured else WITHIN * float(predicted.accuracy.deviation[place])
        refused = knowledge.refused.get(place, "")
        row |= {
            "status": "refused" if refused else "measured" if measured else "predicted",
            "accuracy": figures.accuracy,
            "accuracy_low": max(figures.accuracy - off, 0.0),
            "accuracy_high": min(figures.accuracy + off, 1.0),
            "latency_ms": figures.latency_ms,
            "low_ms": figures.latency_ms * math.exp(-away),
            "high_ms": figures.latency_ms * math.exp(away),
            "memory_bytes": round(figures.memory_bytes),
            "file_bytes": round(figures.file_bytes),
            "energy_mj": figures.energy_mj,
            "reason": refused,
        }
        found.append(row)
    _mark_front(found)
    return found


def _mark_front(found: Sequence[dict[str, Any]]) -> None:
    """Set `on_front` where no other one is both faster and more accurate."""
    best = -math.inf
    for row in sorted(found, key=lambda row: (row["latency_ms"], -row["accuracy"])):
        row["on_front"] = row["status"] != "refused" and row["accuracy"] > best
        if row["on_front"]:
            best = row["accuracy"]
