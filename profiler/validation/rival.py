"""Another way to predict, beside the table that is validated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...tables.comparison.errors_of_prediction import PredictionErrors


@dataclass(frozen=True)
class Rival:
    """Another way to predict: its errors, and what it was given."""

    errors: PredictionErrors
    predicted_ms: Sequence[float]
    trained_on: int  # whole models measured
    training_s: float  # seconds to measure them
