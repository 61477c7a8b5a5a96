"""Other ways to predict, fitted and compared on the models that a table is validated on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...models import Spec
from ...models.families.foreign.spec import ForeignSpec
from ...tables import LatencyTable
from ...tables.comparison import rivals
from ...tables.comparison.errors_of_prediction import PredictionErrors
from .rival import Rival


def fitted_rivals(
    table: LatencyTable,
    unseen: Sequence[Spec],
    measured: np.ndarray,
    training: Sequence[Spec],
    training_ms: np.ndarray,
    training_s: float,
) -> dict[str, Rival]:
    """Return every rival's errors on the unseen models.

    The lines are fitted on the table's own whole models, the learned ones on `training` (none: they
    are left out), which took `training_ms` each and `training_s` seconds to measure.
    """
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
        if any(isinstance(spec, ForeignSpec) for spec in unseen):
            line = rivals.macs_activations_line(own_specs, own_ms)
            add("macs_activations_line", line(unseen), len(own_specs), own_s)
    if training:
        for name, fit in (
            ("operator_model", rivals.operator_model),
            ("mlp", rivals.mlp),
            ("random_forest", rivals.random_forest),
        ):
            add(name, fit(training, training_ms)(unseen), len(training), training_s)
    return found
