"""Fit a table's calibration on the whole models that it holds."""

from __future__ import annotations

import math

from ..errors import UserError
from ..models import Spec
from .calibration import FEWEST_MODELS, Calibration, fit_calibration
from .table import LatencyTable


def calibrated(table: LatencyTable) -> LatencyTable:
    """Return the table with a line fitted on its whole models; unchanged with too few of them.

    A model that the blocks of the table do not cover is left out of the fit.
    """
    sums, measured = [], []
    for row in table.model_rows:
        if row.verdict == "failed" or not isinstance(row.subject, Spec):
            continue
        try:
            total = table.predict(row.subject, calibrated=False).ms
        except UserError:
            continue
        if math.isfinite(total):
            sums.append(total)
            measured.append(row.latency_ms)
    if len(sums) < FEWEST_MODELS:
        return table.with_calibration(None)
    return table.with_calibration(fit_calibration(sums, measured))


def without_models(table: LatencyTable) -> LatencyTable:
    """Return the table's blocks alone, uncalibrated."""
    return table.with_rows(table.block_rows)


__all__ = ["Calibration", "calibrated", "without_models"]
