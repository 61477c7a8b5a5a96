"""The options of one-shot pruning, of whatever is pruned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..methods import option

if TYPE_CHECKING:
    from .trajectory_score import Scoring


@dataclass(frozen=True)
class ScoreOptions:
    """How units are scored (Khaki et al. 2024, eq. 3)."""

    score_images: int | None = option(32, "training images that units are scored on", at_least=1)
    logits_weight: float | None = option(
        None,
        "weight of the logits' error",
        at_least=0,
        spelling="lambda",
        shown="0.01; 1 for a VGG",
    )
    temperature: float = option(4.0, "of the logits' error", above=0)
    aggregation: Literal["sum", "mean"] = option("sum", "of the layers' errors")
    trajectory_depth: int | None = option(
        None, "how many later layers count", at_least=0, shown="all"
    )
    units_at_once: int | None = option(
        None, "units scored side by side", at_least=1, shown="as memory allows"
    )

    def scoring(self, logits_weight: float | None = None) -> Scoring:
        """Return how units are scored; logits_weight: λ where the options give none."""
        from .trajectory import Trajectory
        from .trajectory_score import Scoring

        given = (self.logits_weight, logits_weight, Trajectory.weight)
        weight = next(value for value in given if value is not None)
        trajectory = Trajectory(weight, self.temperature, self.aggregation, self.trajectory_depth)
        return Scoring(trajectory, self.units_at_once)
