"""How far a table can be trusted: whole models it never saw, measured twice, beside its rivals."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UserError
from ...models import Spec
from ...progress import OnProgress, no_progress
from ...results import Result
from ...tables import LatencyTable, Setting
from ...tables.comparison import rivals
from ...tables.comparison.errors_of_prediction import PredictionErrors
from ..measure import measure_models
from ..sampling.protocol import Protocol
from ..target import Target
from ..workshop import Workshop
from .drawing import Draw
from .rival import Rival

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ValidationResult(Result):
    """What came of it; all latencies in milliseconds, one value a model.

    `measured_ms` is the first measurement, `again_ms` the second; `coverage` the share of models
    whose measurement lies in the table's 95 % interval. `noise_floor` compares the two
    measurements. With drift correction both are at the speed that the table is stated at;
    `raw_errors` and `raw_noise_floor` say what comes out without it.
    """

    models: Sequence[str]
    predicted_ms: Sequence[float]
    low_ms: Sequence[float]
    high_ms: Sequence[float]
    measured_ms: Sequence[float]
    again_ms: Sequence[float]
    errors: PredictionErrors
    noise_floor: PredictionErrors
    raw_errors: PredictionErrors
    raw_noise_floor: PredictionErrors
    coverage: float
    rivals: Mapping[str, Rival]
    setting: Setting

    @property
    def title(self) -> str:
        """How far the table errs, and how far a second measurement does."""
        return (
            f"{len(self.models)} unseen models on {self.setting.device}: the table errs by "
            f"{self.errors.mape:.2%}, a second measurement by {self.noise_floor.mape:.2%}; "
            f"{self.coverage:.0%} lie in its 95 % interval"
        )

    def report(self) -> dict[str, Any]:
        """Return the errors of the table and its rivals as fractions."""
        return {
            "samples": len(self.models),
            "table": self.errors.as_dict(),
            "noise_floor": self.noise_floor.as_dict(),
            "coverage": self.coverage,
            "table_raw": self.raw_errors.as_dict(),
            "noise_floor_raw": self.raw_noise_floor.as_dict(),
            "rivals": {
                name: {
                    **rival.errors.as_dict(),
                    "trained_on": rival.trained_on,
                    "training_s": rival.training_s,
                }
                for name, rival in self.rivals.items()
            },
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a model: measured twice, predicted, and what the rivals say, in ms."""
        import pandas as pd

        columns = {
            "model": self.models,
            "measured_ms": self.measured_ms,
            "again_ms": self.again_ms,
            "predicted_ms": self.predicted_ms,
            "low_ms": self.low_ms,
            "high_ms": self.high_ms,
            **{f"{name}_ms": rival.predicted_ms for name, rival in self.rivals.items()},
        }
        return pd.DataFrame(columns)

    def figure(self) -> Figure:
        """Return predicted against measured, and the errors beside those of the rivals."""
        from .plot import draw_validation

        return draw_validation(
            self.measured_ms,
            self.predicted_ms,
            (self.low_ms, self.high_ms),
            self.errors,
            self.noise_floor,
            self.rivals,
            self.setting,
        )


def validate_table(
    table: LatencyTable,
    sample: Draw,
    target: Target,
    *,
    samples: int = 50,
    training_samples: int = 0,
    seed: int = 0,
    protocol: Protocol | None = None,
    on_progress: OnProgress = no_progress,
) -> ValidationResult:
    """Measure `samples` random models twice and compare; `sample(rng, name)` makes one.

    The linear rivals are fitted on the table's own whole models. The learned ones (MLP, forest,
    and AutoViT's operator model) get `training_samples` further random models, measured in the
    same rounds; 0 leaves them out.
    """
    if training_samples:
        rivals.check_learned_available()
    rng = random.Random(f"validate {seed}")  # noqa: S311 - reproducible models, not secrets
    taken = {row.subject for row in table.model_rows}
    unseen = _distinct(sample, rng, samples, taken, "unseen")
    training = _distinct(sample, rng, training_samples, {*taken, *unseen}, "training")
    predictions = [table.predict(spec) for spec in unseen]  # refused before anything is measured
    protocol = protocol or Protocol(seed=seed)
    with Workshop(target) as workshop:

        def measure(stage: str, specs: Sequence[Spec]) -> tuple[np.ndarray, np.ndarray]:
            measured = measure_models(
                specs,
                target,
                protocol=protocol,
                references=table.references,
                speed_ms=table.header.reference_ms(),
                on_progress=lambda _, done, total, detail: on_progress(stage, done, total, detail),
                workshop=workshop,
            )
            for row in measured.rows:
                if row.verdict == "failed":
                    raise UserError(f"{row.name} cannot be run here: {row.error}.")
            return (
                np.array([row.latency_ms for row in measured.rows]),
                np.array([float(np.median(row.session_ms)) for row in measured.rows]),
            )

        first, first_raw = measure("measuring", unseen)
        again, again_raw = measure("measuring again", unseen)
        started = time.perf_counter()
        training_ms = measure("measuring for the rivals", training)[0] if training else np.array([])
        training_s = time.perf_counter() - started
    predicted = np.array([p.ms for p in predictions])
    low, high = (
        np.array([p.low_ms for p in predictions]),
        np.array([p.high_ms for p in predictions]),
    )
    return ValidationResult(
        [spec.name for spec in unseen],
        predicted.tolist(),
        low.tolist(),
        high.tolist(),
        first.tolist(),
        again.tolist(),
        PredictionErrors.of(predicted, first),
        PredictionErrors.of(first, again),
        PredictionErrors.of(predicted, first_raw),
        PredictionErrors.of(first_raw, again_raw),
        float(np.mean((first >= low) & (first <= high))),
        _rivals(table, unseen, first, training, training_ms, training_s),
        table.setting,
    )


def _distinct(
    sample: Draw,
    rng: random.Random,
    count: int,
    taken: Collection[object],
    name: str,
) -> list[Spec]:
    """Return `count` models that are neither taken nor equal to each other, by what they are."""
    seen = {tuple(spec.blocks()) for spec in taken if isinstance(spec, Spec)}
    found: list[Spec] = []
    for _ in range(100 * count):
        if len(found) == count:
            break
        spec = sample(rng, f"{name}-{len(found)}")
        if tuple(spec.blocks()) not in seen:
            seen.add(tuple(spec.blocks()))
            found.append(spec)
    if len(found) < count:
        raise UserError(
            f"the table's range holds fewer than {count} different models; ask for fewer samples."
        )
    return found


def _rivals(
    table: LatencyTable,
    unseen: Sequence[Spec],
    measured: np.ndarray,
    training: Sequence[Spec],
    training_ms: np.ndarray,
    training_s: float,
) -> dict[str, Rival]:
    """Return every rival's errors on the unseen models."""
    own = [row for row in table.model_rows if row.verdict != "failed"]
    own_specs = [row.subject for row in own if isinstance(row.subject, Spec)]
    own_ms = np.array([row.latency_ms for row in own])
    own_s = sum(sum(row.session_ms) * row.samples / max(row.sessions, 1) for row in own) / 1e3
    found: dict[str, Rival] = {}

    def add(name: str, predicted: np.ndarray, trained_on: int, seconds: float) -> None:
        errors = PredictionErrors.of(predicted, measured)
        found[name] = Rival(errors, predicted.tolist(), trained_on, seconds)

    naive = np.array([table.predict(spec, calibrated=False).ms for spec in unseen])
    add("naive_sum", naive, 0, 0.0)
    if len(own_specs) >= 3:
        add("macs_line", rivals.macs_line(own_specs, own_ms)(unseen), len(own_specs), own_s)
        line = rivals.macs_blocks_line(own_specs, own_ms)
        add("macs_blocks_line", line(unseen), len(own_specs), own_s)
    if training:
        for name, fit in (
            ("operator_model", rivals.operator_model),
            ("mlp", rivals.mlp),
            ("random_forest", rivals.random_forest),
        ):
            add(name, fit(training, training_ms)(unseen), len(training), training_s)
    return found
