"""Fit a table's calibration on the whole models that it holds."""

from __future__ import annotations

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
            by_op = table.predict(row.subject, calibrated=False).by_op
        except UserError:
            continue
        sums.append(by_op)
        measured.append(row.latency_ms)
    if len(sums) < FEWEST_MODELS:
        return table.with_calibration(None)
    return table.with_calibration(fit_calibration(sums, measured))


def in_words(line: Calibration) -> str:
    """Return the fit as "1.07 x attention + 1.02 x mlp + ... +0.3 ms"."""
    parts = [f"{factor:.3f} x {op}" for op, factor in line.factors.items()]
    return f"{' + '.join(parts)} {line.offset_ms:+.3g} ms"


__all__ = ["Calibration", "calibrated", "in_words"]
