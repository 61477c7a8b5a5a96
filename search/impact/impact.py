"""What each module of a trained model is worth: accuracy lost for every millisecond saved.

Kong et al. 2025 (AutoViT), section 3.5, equation 7:
L_impact(m) = (A(M) − A(M∖m)) / (L(M) − L(M∖m)), A being the accuracy and L the latency of the model
M with and without its module m. Here L is a table's answer for the whole model.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from ...errors import UserError
from ...models import Spec
from ...models.modules.spec_model import SpecModel
from ...models.removal import RemovableModule, removable, without
from ...progress import OnProgress, no_progress
from ...tables import LatencyTable
from ...training.data.images import Images, Normalisation
from ...training.evaluate import evaluate
from ..supernet.recalibration import recalibrate

# A share of the model's latency below which a difference is rounding.
NO_TIME = 1e-9


@dataclass(frozen=True)
class Impact:
    """A module, and the model with and without it: top-1 accuracy (0 to 1) and milliseconds."""

    module: RemovableModule
    accuracy: float
    accuracy_without: float
    ms: float
    ms_without: float

    @property
    def name(self) -> str:
        return self.module.name

    @property
    def points_lost(self) -> float:
        """Percentage points of top-1 that removing it costs; below 0 where it gains some."""
        return 100 * (self.accuracy - self.accuracy_without)

    @property
    def ms_saved(self) -> float:
        """Milliseconds that removing it saves; below 0 where the table says it costs time."""
        return self.ms - self.ms_without

    @property
    def saves_time(self) -> bool:
        return self.ms_saved > NO_TIME * self.ms

    @property
    def points_per_ms(self) -> float | None:
        """Equation 7 in points a millisecond; None where removing the module saves no time."""
        return self.points_lost / self.ms_saved if self.saves_time else None

    @property
    def ratio_in_words(self) -> str:
        """Equation 7 with three digits, or that no time is saved."""
        ratio = self.points_per_ms
        if ratio is None:
            return "costs time" if self.ms_saved < -NO_TIME * self.ms else "saves no time"
        return f"{ratio:.3g}" if abs(ratio) < 1000 else f"{ratio:.0f}"


def module_impacts(
    model: SpecModel,
    table: LatencyTable,
    images: Images,
    norm: Normalisation,
    calibration_images: Images | None = None,
    on_progress: OnProgress = no_progress,
    batch: int = 256,
) -> list[Impact]:
    """Return every removable module's impact on `images`, most worthwhile to remove first.

    First those that cost no accuracy, by the time they save: of them equation 7 would rank one
    that saves little before one that saves much. Then those that cost some, by equation 7; those
    that save no time come last. With `calibration_images` batch norms get their statistics again
    once a module is gone; the model itself stays as it was trained.

    Raises UserError for a model in which nothing can be removed, and a table that does not cover
    the model or what is left of it: before anything is evaluated.
    """
    modules = removable(model.spec)
    ms = _latency(table, model.spec, "")
    left_ms = [_latency(table, module.left, f" without {module.name}") for module in modules]
    total = 1 + len(modules)

    def accuracy_of(variant: nn.Module, done: int) -> float:
        found = evaluate(variant, images, norm, batch).correct[1] / len(images)
        on_progress("testing", done, total, "models")
        return found

    whole = accuracy_of(model, 1)
    impacts = []
    for number, (module, without_ms) in enumerate(zip(modules, left_ms, strict=True)):
        smaller = without(model, module)
        if calibration_images is not None and has_batch_norms(smaller):
            smaller = copy.deepcopy(smaller)
            recalibrate(smaller, calibration_images, norm, batch)
        impacts.append(Impact(module, whole, accuracy_of(smaller, 2 + number), ms, without_ms))
    return by_worth(impacts)


def by_worth(impacts: Sequence[Impact]) -> list[Impact]:
    """Return the impacts, those most worthwhile to remove first: see `module_impacts`."""

    def rank(impact: Impact) -> tuple[int, float, float]:
        lost, saved = impact.points_lost, impact.ms_saved
        if impact.points_per_ms is None:
            return 2, lost, -saved
        return (0, -saved, lost) if lost <= 0 else (1, impact.points_per_ms, -saved)

    return sorted(impacts, key=rank)


def has_batch_norms(model: nn.Module) -> bool:
    """Say whether any part of the model has statistics that depend on what comes before it."""
    return any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in model.modules())


def _latency(table: LatencyTable, spec: Spec, what: str) -> float:
    try:
        return table.predict(spec).ms
    except UserError as error:
        raise UserError(f"the table does not cover {spec.name}{what}: {error}") from None
