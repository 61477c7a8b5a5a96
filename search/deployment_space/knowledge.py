"""What is known of every deployment: accuracies in fp32, tables' latencies, and measurements.

Latency, memory and size are predicted as logarithms, which makes ratios sums: of a way, of a family
in that way, of a variant. A table that covers a deployment leaves little to learn; one of another
way tells the shape and not the ratio; without any the MACs do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .deployment import Deployment, Variant, Way
from .limits import Figures, Limits
from .process import Effect, Posterior, posterior

# How sure the mean of a latency is, as a factor of all deviations: by a table of the very way, by
# one of another way, by MACs.
BY_TABLE, BY_OTHER_TABLE, BY_MACS = 0.15, 0.5, 1.0
# MACs a millisecond of one thread in fp32, where nothing else is known.
MACS_A_MS = 2e7
# What a number format is expected to cost of the accuracy, before any is measured, and how sure.
LOSSES = {
    "fp16": (0.0, 0.001),
    "bf16": (0.001, 0.002),
    "int8": (0.005, 0.015),
    "int8-static": (0.01, 0.02),
}
BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}
# The peak resident set of a process that has loaded a runtime and no model.
RUNTIME_BYTES = 1e8
# The power of a processor, before any energy is measured.
WATTS = 15.0


@dataclass(frozen=True)
class Predicted:
    """Of each of n deployments: accuracy, and logarithms of the other figures."""

    accuracy: Posterior
    of_log: Mapping[str, Posterior]

    def figures(self, place: int, hope: float = 0.0) -> Figures:
        """Return the means as figures, each better by so many deviations."""
        logs = {
            name: math.exp(found.mean[place] - hope * found.deviation[place])
            for name, found in self.of_log.items()
        }
        accuracy = self.accuracy.mean[place] + hope * self.accuracy.deviation[place]
        return Figures(float(accuracy), **logs)

    def chance(self, limits: Limits) -> np.ndarray:
        """Return the probability that each keeps the limits, n."""
        found = np.ones(len(self.accuracy.mean))
        for name, limit in limits.given():
            if name == "accuracy":
                found *= _below(-limit, -self.accuracy.mean, self.accuracy.deviation)
            elif name in self.of_log:
                one = self.of_log[name]
                found *= _below(math.log(limit), one.mean, one.deviation)
        return found


def _below(limit: float, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Return the probability of a normal variable to be at most the limit."""
    away = (limit - mean) / np.maximum(deviation, 1e-9)
    return 0.5 * np.array([math.erfc(-one / math.sqrt(2)) for one in away])


@dataclass
class Knowledge:
    """All deployments of a question, and what is known of them.

    accuracies: of each variant in fp32, from 0 to 1; table_ms: milliseconds of one image by a table
    of the deployment's way, where one covers it. measured: by place, what was measured; refused: by
    place, why it cannot be run.
    """

    deployments: Sequence[Deployment]
    accuracies: Mapping[Variant, float]
    table_ms: Mapping[Deployment, float] = field(default_factory=dict)
    measured: dict[int, Figures] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._place = {one: place for place, one in enumerate(self.deployments)}
        self._priors = {
            "accuracy": _accuracy_prior(self.deployments, self.accuracies),
            "latency_ms": _latency_prior(self.deployments, self.table_ms),
            "memory_bytes": _memory_prior(self.deployments),
            "file_bytes": _size_prior(self.deployments),
        }

    def place_of(self, deployment: Deployment) -> int | None:
        return self._place.get(deployment)

    @property
    def left(self) -> np.ndarray:
        """The places that are neither measured nor refused."""
        return np.array(
            [
                place
                for place in range(len(self.deployments))
                if place not in self.measured and place not in self.refused
            ],
            dtype=int,
        )

    def refuse(self, place: int, reason: str) -> None:
        """Take a deployment out, and with it what runs the same file otherwise.

        Where two variants of a family were refused by a runtime in a number format, the rest of the
        family is out there too.
        """
        asked = self.deployments[place]
        self.refused[place] = reason
        kin = _kin(asked)
        of_kin = {self.deployments[one].variant for one in self.refused if self._kin_of(one) == kin}
        for other in self.left:
            one = self.deployments[other]
            if _kin(one) != kin:
                continue
            if one.variant == asked.variant and one.way.batch == asked.way.batch:
                self.refused[int(other)] = reason
            elif len(of_kin) > 1:
                self.refused[int(other)] = f"not tried, two of its family were refused: {reason}"

    def predicted(self) -> Predicted:
        """Return what every deployment comes to by all that is known."""
        seen = list(self.measured)
        found = {}
        for name, prior in self._priors.items():
            values = [getattr(self.measured[place], name) for place in seen]
            if name != "accuracy":
                values = [math.log(value) for value in values]
            found[name] = posterior(prior.mean, prior.effects, seen, values, prior.noise)
        accuracy = found.pop("accuracy")
        metered = {p: f.energy_mj for p, f in self.measured.items() if f.energy_mj is not None}
        if metered:
            found["energy_mj"] = self._energy(found["latency_ms"].mean, metered)
        return Predicted(accuracy, found)

    def _energy(self, log_ms: np.ndarray, metered: Mapping[int, float]) -> Posterior:
        """Return the logarithm of the energy: that of the time, and of each way's power."""
        ways = [one.way for one in self.deployments]
        families = [one.variant.family for one in self.deployments]
        effects = [
            Effect.of([0] * len(ways), 1.0),
            Effect.of(ways, 0.3),
            Effect.of(list(zip(ways, families, strict=True)), 0.1),
            Effect.of(list(range(len(ways))), 0.03),
        ]
        mean = log_ms + math.log(WATTS)
        values = [math.log(value) for value in metered.values()]
        return posterior(mean, effects, list(metered), values, 0.03)

    def _kin_of(self, place: int) -> tuple[str, str, str]:
        return _kin(self.deployments[place])


def _kin(one: Deployment) -> tuple[str, str, str]:
    return one.variant.family, one.way.runtime, one.way.dtype


@dataclass(frozen=True)
class _Prior:
    mean: np.ndarray
    effects: Sequence[Effect]
    noise: float


def _accuracy_prior(
    deployments: Sequence[Deployment], accuracies: Mapping[Variant, float]
) -> _Prior:
    losses = [LOSSES.get(one.way.dtype, (0.0, 0.0)) for one in deployments]
    mean = np.array(
        [accuracies[one.variant] - loss[0] for one, loss in zip(deployments, losses, strict=True)]
    )
    doubt = np.array([loss[1] for loss in losses])
    files = [(one.way.runtime, one.way.dtype) for one in deployments]
    variants = [one.variant for one in deployments]
    families = [one.variant.family for one in deployments]
    models = [one.variant.model for one in deployments]
    effects = [
        Effect.of(files, doubt),
        Effect.of(list(zip(files, families, strict=True)), 0.7 * doubt),
        Effect.of(list(zip(files, models, strict=True)), 0.4 * doubt),
        Effect.of(list(zip(files, variants, strict=True)), 0.3 * doubt),
    ]
    return _Prior(mean, effects, 1e-4)


def _latency_prior(
    deployments: Sequence[Deployment], table_ms: Mapping[Deployment, float]
) -> _Prior:
    by_variant: dict[Variant, list[tuple[Way, float]]] = {}
    for one, ms in table_ms.items():
        by_variant.setdefault(one.variant, []).append((one.way, ms))
    means, doubts = [], []
    for one in deployments:
        ms, sure = _ms_before(one, table_ms.get(one), by_variant.get(one.variant, []))
        means.append(math.log(ms))
        doubts.append(sure)
    doubt = np.array(doubts)
    ways = [one.way for one in deployments]
    files = [(way.runtime, way.dtype) for way in ways]
    families = [one.variant.family for one in deployments]
    of_family = list(zip(ways, families, strict=True))
    variants = [one.variant for one in deployments]
    size = np.log([float(one.variant.macs) for one in deployments])
    slope = size - size.mean()
    merging = np.array([float(one.variant.tokens > 0) for one in deployments])
    own = np.sqrt(doubt) * 0.1
    effects = [
        Effect.of([0] * len(deployments), 0.3 * doubt),
        Effect.of(ways, 0.5 * doubt),
        Effect.of(files, 0.6 * doubt),
        Effect.of(families, 0.4 * doubt),
        Effect.of(of_family, 0.4 * doubt),
        Effect.of(of_family, 0.25 * doubt * slope),
        Effect.of(list(zip(files, merging, strict=True)), 0.2 * np.sqrt(doubt) * merging),
        Effect.of(variants, own),
        Effect.of(list(zip(files, variants, strict=True)), own),
        Effect.of(list(range(len(deployments))), np.full(len(deployments), 0.01)),
    ]
    return _Prior(np.array(means), effects, 0.01)


def _ms_before(
    one: Deployment, by_table: float | None, others: Sequence[tuple[Way, float]]
) -> tuple[float, float]:
    """Return the milliseconds of an image before any is measured, and how sure they are."""
    if by_table is not None:
        return by_table, BY_TABLE
    way = one.way
    if others:
        nearest, ms = max(others, key=lambda other: _likeness(way, other[0]))
        faster = math.sqrt(way.threads / nearest.threads)
        return ms * _format_factor(way) / _format_factor(nearest) / faster, BY_OTHER_TABLE
    faster = math.sqrt(way.threads)
    return one.variant.macs / MACS_A_MS * _format_factor(way) / faster, BY_MACS


def _likeness(one: Way, other: Way) -> tuple[bool, bool, bool, bool]:
    return (
        one.runtime == other.runtime,
        one.dtype == other.dtype,
        one.threads == other.threads,
        one.batch == other.batch,
    )


def _format_factor(way: Way) -> float:
    """Return what a number format takes of fp32's time, before any is measured."""
    return 0.6 if way.dtype.startswith("int8") or way.dtype == "bf16" else 1.0


def _memory_prior(deployments: Sequence[Deployment]) -> _Prior:
    mean = np.log([RUNTIME_BYTES + 3.0 * _weights_bytes(one) for one in deployments])
    files = [(one.way.runtime, one.way.dtype) for one in deployments]
    size = np.log([float(one.variant.params) for one in deployments])
    effects = [
        Effect.of([one.way.runtime for one in deployments], 0.6),
        Effect.of(files, 0.2),
        Effect.of(files, 0.1 * (size - size.mean())),
        Effect.of([one.variant for one in deployments], 0.05),
        Effect.of(list(range(len(deployments))), 0.02),
    ]
    return _Prior(mean, effects, 0.02)


def _size_prior(deployments: Sequence[Deployment]) -> _Prior:
    mean = np.log([float(_weights_bytes(one)) for one in deployments])
    files = [(one.way.runtime, one.way.dtype) for one in deployments]
    families = [one.variant.family for one in deployments]
    effects = [
        Effect.of(files, 0.2),
        Effect.of(list(zip(files, families, strict=True)), 0.2),
        Effect.of([one.variant for one in deployments], 0.05),
        Effect.of(
            [(file, one.variant) for file, one in zip(files, deployments, strict=True)], 0.05
        ),
    ]
    return _Prior(mean, effects, 0.001)


def _weights_bytes(one: Deployment) -> int:
    return one.variant.params * BYTES.get(one.way.dtype, 1)
