"""Fit a table's calibration on the whole models that it holds."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import TypeVar

from ...errors import UserError
from ...models import Spec
from ..row import Row
from ..table import LatencyTable
from .calibration import FEWEST_MODELS, PRIOR_RESIDUAL_SD, Calibration, LoneBlocks, fit_calibration

# How far a whole model lies from any such line, were it measured exactly: as seen on ViTs.
MISFIT_SD = 0.006
T = TypeVar("T", bound=LatencyTable)


@dataclass
class OfFamily:
    """The measured models of a family that a table covers: rows, lone blocks and ms of each."""

    family: str
    rows: list[Row] = field(default_factory=list)
    lone: list[LoneBlocks] = field(default_factory=list)

    @property
    def measured_ms(self) -> list[float]:
        return [row.latency_ms for row in self.rows]

    def noise_sd(self, table: LatencyTable) -> float:
        """Return the relative standard deviation that a measured model has about any line."""
        showed = table.header.readings.get(table.references.models_of(self.family))
        if showed is None or not showed.session_sd:
            return PRIOR_RESIDUAL_SD
        sessions = [row.sessions for row in self.rows]
        return math.hypot(_sd_of_median(showed.session_sd, sessions), MISFIT_SD)


def of_families(table: LatencyTable) -> dict[str, OfFamily]:
    """Return the table's whole models by family.

    A model that the blocks of the table do not cover is left out.
    """
    found: dict[str, OfFamily] = {}
    for row in table.model_rows:
        if row.verdict == "failed" or not isinstance(row.subject, Spec):
            continue
        try:
            parts = table.predict(row.subject, calibrated=False).by_block
        except UserError:
            continue
        family = row.subject.line_family
        of_family = found.setdefault(family, OfFamily(family))
        of_family.rows.append(row)
        of_family.lone.append(LoneBlocks.of((part.block, part.ms) for part in parts))
    return found


def calibrated(table: T) -> T:
    """Return the table with a line fitted on its whole models, one for each family of them.

    A family of which there are too few has none. A model that the blocks of the table do not cover
    is left out of the fit.
    """
    return table.with_calibrations(
        {
            family: fit_calibration(of.lone, of.measured_ms, of.noise_sd(table))
            for family, of in of_families(table).items()
            if len(of.lone) >= FEWEST_MODELS
        }
    )


def _sd_of_median(session_sd: float, sessions: list[int]) -> float:
    """Return the standard deviation of a median of so many sessions, as most models have.

    Var(median of n) / Var(one) = pi / (2 (n + pi/2 - 1)) for normal samples.
    """
    n = max(statistics.median(sessions), 1)
    return session_sd * math.sqrt(math.pi / (2 * (n + math.pi / 2 - 1)))


def in_words(line: Calibration) -> str:
    """Return the fit as "1.07 x attention + 1.02 x mlp +0.02 ms a block, ... +0.3 ms"."""
    parts = [f"{factor:.3f} x {op}" for op, factor in line.factors.items()]
    blocks = sum(line.per_block_ms.values()) / len(line.per_block_ms)
    return (
        f"{' + '.join(parts)} {blocks:+.3g} ms a block (each op has its own), "
        f"{line.per_mparam_ms:+.3g} ms a million weights, {line.offset_ms:+.3g} ms"
    )


__all__ = ["Calibration", "OfFamily", "calibrated", "in_words", "of_families"]
