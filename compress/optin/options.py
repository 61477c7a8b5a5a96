"""The options of one-shot pruning: of anything that is pruned, and of a classifier."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from ..methods import option

if TYPE_CHECKING:
    from ...models import Spec
    from ..merging.token_schedule import Schedule
    from .trajectory_score import Scoring


@dataclass(frozen=True)
class ScoreOptions:
    """How units are scored (Khaki et al. 2024, eq. 3)."""

    score_images: int | None = option(32, "training images that units are scored on", at_least=1)
    scoring: Literal["fast", "full"] = option(
        "fast",
        "fast predicts the scores of hidden neurons from a few gradients and reports the error "
        "of that. full runs the following layers without each of them",
    )
    logits_weight: float | None = option(
        None,
        "λ, the weight of the logits' error against that of the layers",
        at_least=0,
        spelling="lambda",
        shown="0.1; 1 for a VGG",
    )
    temperature: float = option(4.0, "temperature of the logits' error", above=0)
    aggregation: Literal["sum", "mean"] = option("sum", "how the errors of layers are combined")
    trajectory_depth: int | None = option(
        None, "how many later layers count", at_least=0, shown="all"
    )
    units_at_once: int | None = option(
        None, "units scored side by side", at_least=1, shown="as memory allows"
    )
    score_workers: int = option(
        1, "processes of Ray that score on this machine, side by side", at_least=1
    )
    ray: str | None = option(
        None, "score on a Ray cluster: auto, HOST:PORT or ray://HOST:PORT", shown="here"
    )

    def how(self, logits_weight: float | None = None) -> Scoring:
        """Return how units are scored; logits_weight: λ where the options give none."""
        from .trajectory import Trajectory
        from .trajectory_score import Scoring

        given = (self.logits_weight, logits_weight, Trajectory.weight)
        weight = next(value for value in given if value is not None)
        trajectory = Trajectory(weight, self.temperature, self.aggregation, self.trajectory_depth)
        return Scoring(trajectory, self.units_at_once, fast=self.scoring == "fast")

    def asked(self) -> dict[str, Any]:
        """Return what scores depend on, whoever computes them."""
        places = {"units_at_once", "score_workers", "ray"}
        names = {field.name for field in fields(ScoreOptions)} - places
        return {name: getattr(self, name) for name in sorted(names)}

    @contextmanager
    def workers(self) -> Iterator[Any]:
        """Yield the module `ray` with the workers that score, None where this process does."""
        if self.ray is None and self.score_workers == 1:
            yield None
            return
        from ...ray_connection import local_ray, ray_connection

        with local_ray(self.score_workers) if self.ray is None else ray_connection(self.ray) as ray:
            yield ray


@dataclass(frozen=True)
class OptinOptions(ScoreOptions):
    """How units are scored and chosen, and whether tokens merge."""

    score_images: int = option(32, "training images that units are scored on", at_least=1)
    order: Literal["best", "heads", "neurons", "both"] = option(
        "best",
        "best: the units with the highest total score within the target. heads, neurons, both: "
        "the paper's search, which ranks by score alone and tries every number of heads, of "
        "neurons, or both",
    )
    reconstruct: int = option(
        512, "images to which last layers are fitted; 0: not fitted", at_least=0
    )
    merge_tokens: bool = option(
        False, "also merge tokens (ToMe), under the same target", old=("tokens",)
    )
    merge_only: bool = option(
        False, "merge tokens only; keep heads and neurons", old=("tokens_only",)
    )
    schedule: str = option(
        "trajectory",
        "how many tokens a layer merges: trajectory (by patches' scores), constant, decreasing; "
        "or, with `merge_only`, 8 or 8,8,6,4,2,0",
    )
    random_merging: bool = option(False, "also report the accuracy with tokens merged at random")

    @property
    def parts(self) -> Literal["units", "tokens", "both"]:
        """What goes."""
        if self.merge_only:
            return "tokens"
        return "both" if self.merge_tokens else "units"

    def schedule_of(self, spec: Spec) -> Schedule | tuple[int, ...]:
        """Return how many tokens each layer of a model merges, or the rule that says it."""
        from ..merging.token_schedule import parse_schedule

        return parse_schedule(self.schedule, spec)
