"""Models measured twice, in turns: what they take, how sure that is, and what a table says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...models import Spec
from ...tables import LatencyTable, Row
from ...tables.comparison.errors_of_prediction import PredictionErrors
from ...tables.comparison.interval_of_mean import interval_of_mean
from ..measure import rows_of_models, with_threads
from ..plan import Point
from ..sampling.clock import Clock
from ..sampling.exponents import exponents_of
from ..sampling.group_by_group import GroupByGroup
from ..sampling.protocol import Protocol
from ..sampling.statistics import median_variance_factor
from ..target import Target

# One more round does not matter where it is expected to change the MAPE by less than this share of
# its interval's width.
SETTLED_SHARE = 0.1


def point_of(spec: Spec) -> Point:
    return Point(spec, "in_model")


@dataclass(frozen=True)
class Answer:
    """Milliseconds predicted and measured, one value a model; `sessions` are all of a model's.

    `first` and `again` are the two measurements by themselves, NaN where a model lacks one;
    `raw_` are medians that nothing corrected.
    """

    predicted: np.ndarray
    measured: np.ndarray
    first: np.ndarray
    again: np.ndarray
    raw_measured: np.ndarray
    raw_first: np.ndarray
    raw_again: np.ndarray
    sessions: np.ndarray
    sessions_again: np.ndarray
    seed: int = 0

    @cached_property
    def mape(self) -> float:
        return float(np.abs(self.predicted / self.measured - 1).mean())

    @cached_property
    def errors(self) -> PredictionErrors:
        return PredictionErrors.of(self.predicted, self.measured)

    @cached_property
    def raw_errors(self) -> PredictionErrors:
        return PredictionErrors.of(self.predicted, self.raw_measured)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the MAPE, over models."""
        return interval_of_mean(np.abs(self.predicted / self.measured - 1), self.seed)

    @property
    def noise_floor(self) -> PredictionErrors:
        return self._floor(self.first, self.again)

    @property
    def raw_noise_floor(self) -> PredictionErrors:
        return self._floor(self.raw_first, self.raw_again)

    def _floor(self, first: np.ndarray, again: np.ndarray) -> PredictionErrors:
        """Return how far two measurements would differ, each of as many sessions as both have.

        The variance of the median of n sessions goes as `median_variance_factor(n)`, and so ln of
        the ratio of the two, of fewer sessions each, is brought to the size it would have.
        """
        of_again = self.sessions_again
        apart = _median_variance(self.sessions - of_again) + _median_variance(of_again)
        share = np.sqrt(2 * _median_variance(self.sessions) / apart)
        return PredictionErrors.of(first, first * (again / first) ** share)

    @property
    def is_settled(self) -> bool:
        """Whether one more round is not expected to change the MAPE materially.

        Noise of the size s adds to errors of the size e: MAPE² ≈ e² + s². The noise floor is √2 s,
        and after n sessions another one lowers s² to s² n / (n + 1).
        """
        mape, noise = self.mape, self.noise_floor.mape / math.sqrt(2)
        lowered = max(mape**2 - noise**2 / (float(self.sessions.mean()) + 1), 0.0)
        low, high = self.interval
        return mape - math.sqrt(lowered) <= SETTLED_SHARE * (high - low)

    def in_words(self) -> str:
        """Return the MAPE with its interval, and of how many models."""
        low, high = self.interval
        return f"{len(self.measured)} models, MAPE {self.mape:.2%} ({low:.2%} to {high:.2%})"


def _median_variance(sessions: np.ndarray) -> np.ndarray:
    return np.array([median_variance_factor(int(n)) for n in sessions])


@dataclass(frozen=True)
class Twice:
    """Two measurements of the same models, brought to the speed that a table is stated at."""

    table: LatencyTable
    protocol: Protocol
    first: GroupByGroup
    again: GroupByGroup
    exponents: Mapping[str, float]

    @classmethod
    def of(cls, table: LatencyTable, target: Target, protocol: Protocol, clock: Clock) -> Twice:
        """Prepare both, each with sessions of the reference and an order of its own."""
        protocol = with_threads(protocol, target.setting.threads)
        speed_ms = table.header.reference_ms()

        def measurement(seed: int) -> GroupByGroup:
            return GroupByGroup(
                target,
                replace(protocol, seed=seed),
                references=table.references,
                clock=clock,
                speed_ms=speed_ms,
            )

        first, again = measurement(protocol.seed), measurement(protocol.seed + 1)
        return cls(table, protocol, first, again, exponents_of(table.model_rows))

    def has_measured(self, spec: Spec) -> bool:
        """Tell whether the model has had a session."""
        return bool(self.first.journal.partial.get(point_of(spec).key))

    def failed_row(self, spec: Spec) -> Row | None:
        """Return the failed row of a model that cannot be compiled or run."""
        for measurement in (self.first, self.again):
            if measurement.has_failed(point_of(spec)):
                return measurement.journal.done[point_of(spec).key]
        return None

    def measured_ms(self, specs: Sequence[Spec]) -> np.ndarray:
        """Return what the models take by all their sessions."""
        return _latencies(self._rows(specs, self.first, self.again))

    def answer(self, specs: Sequence[Spec], predicted_ms: Sequence[float]) -> Answer:
        """Compare predictions with what is known by now; each model has had a session."""
        both = self._rows(specs, self.first, self.again)
        first = self._rows(specs, self.first)
        seen_again = [s for s in specs if self.again.journal.partial.get(point_of(s).key)]
        again = dict(zip(seen_again, self._rows(seen_again, self.again), strict=True))
        rows_again = [again.get(spec) for spec in specs]
        return Answer(
            np.array(predicted_ms),
            _latencies(both),
            _latencies(first),
            _latencies(rows_again),
            _raw(both),
            _raw(first),
            _raw(rows_again),
            np.array([row.sessions for row in both]),
            np.array([row.sessions if row else 0 for row in rows_again]),
            self.protocol.seed,
        )

    def _rows(self, specs: Sequence[Spec], *measurements: GroupByGroup) -> list[Row]:
        return rows_of_models(
            specs,
            [measurement.journal for measurement in measurements],
            self.protocol,
            references=self.table.references,
            speed_ms=self.first.speed_ms,
            exponents=self.exponents,
        ).rows


def _latencies(rows: Sequence[Row | None]) -> np.ndarray:
    return np.array([row.latency_ms if row else math.nan for row in rows])


def _raw(rows: Sequence[Row | None]) -> np.ndarray:
    return np.array([float(np.median(row.session_ms)) if row else math.nan for row in rows])
