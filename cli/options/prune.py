"""Options of `vitprof prune`, by method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .common import grouped_options

if TYPE_CHECKING:
    from ...compress.optin.trajectory import Trajectory

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class NViTOptions:
    """What only `--method nvit` takes."""

    prune_epochs: float
    prune_every: int
    prune_learning_rate: float
    alpha: float
    tau: float
    teacher: Path | None
    eta: str
    allocation: Any
    no_head_alignment: bool
    sparsity: str


@dataclass(frozen=True)
class OptinOptions:
    """What only `--method optin` takes."""

    score_images: int
    logits_weight: float | None
    temperature: float
    aggregation: Any
    trajectory_depth: int | None
    units_at_once: int | None
    order: Any
    reconstruct: int
    tokens: bool
    tokens_only: bool
    schedule: Any
    random_merging: bool

    def of_scores(self) -> dict[str, Any]:
        """Return the options that scores depend on."""
        names = (
            "score_images", "logits_weight", "temperature", "aggregation", "trajectory_depth",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def trajectory(self, weight: float | None = None) -> Trajectory:
        """Return what the score adds up; weight: λ where the command line gives none."""
        from ...compress.optin.trajectory import Trajectory

        given = self.logits_weight
        if given is None:
            given = Trajectory.weight if weight is None else weight
        return Trajectory(given, self.temperature, self.aggregation, self.trajectory_depth)


@dataclass(frozen=True)
class TargetOptions:
    """What the model has to come down to: one of them."""

    target_latency: str | None
    target_macs: str | None
    target_params: str | None


def target_options(function: F) -> F:
    """Add --target-latency, --target-macs and --target-params, as `wanted`."""
    return grouped_options(function, "wanted", TargetOptions, (
        click.option("--target-latency",
                     help="What to come down to: 0.54x of the model's, 12ms; or several."),
        click.option("--target-macs", help="The same in MACs: 0.5x, 300M."),
        click.option("--target-params", help="The same in parameters: 0.5x, 5M."),
    ))  # fmt: skip


def nvit_options(function: F) -> F:
    """Add the options of `--method nvit`, as `nvit`."""
    return grouped_options(function, "nvit", NViTOptions, (
        click.option("--prune-epochs", default=1.0, show_default=True,
                     type=click.FloatRange(0, min_open=True),
                     help="nvit: how long it shrinks, before finetuning."),
        click.option("--prune-every", default=10, show_default=True, type=click.IntRange(1),
                     help="nvit: training steps between two removals."),
        click.option("--prune-learning-rate", default=2e-4, show_default=True,
                     type=click.FloatRange(0, min_open=True), help="nvit: while it shrinks."),
        click.option("--alpha", default=1.0, show_default=True, type=click.FloatRange(0),
                     help="nvit: weight of the distillation from the unpruned model; 0: none."),
        click.option("--tau", default=3.0, show_default=True,
                     type=click.FloatRange(0, min_open=True), help="nvit: its temperature."),
        click.option("--teacher", type=click.Path(path_type=Path),
                     help="nvit: folder of a model whose answers count as labels too."),
        click.option("--eta", default="auto", show_default=True,
                     help="nvit: what a share of latency is worth in shares of importance; 0: "
                     "nothing; auto: the least that lets a group go."),
        click.option("--allocation", default="global", show_default=True,
                     type=click.Choice(("global", "uniform")),
                     help="nvit: all structures compete, or all shrink alike."),
        click.option("--no-head-alignment", is_flag=True,
                     help="nvit: take QK and V dims from each head by itself."),
        click.option("--sparsity", default="dense", show_default=True,
                     type=click.Choice(("dense", "2:4")),
                     help="nvit: 2:4 sets 2 of 4 weights to 0 after pruning, and keeps them so."),
    ))  # fmt: skip


def optin_options(function: F) -> F:
    """Add the options of `--method optin`, as `optin`."""
    return grouped_options(function, "optin", OptinOptions, (
        click.option("--score-images", default=32, show_default=True, type=click.IntRange(1),
                     help="optin: training images that units are scored on."),
        click.option("--lambda", "logits_weight", type=click.FloatRange(0),
                     help="optin: weight of the logits' error (default: 0.01; 1 for a VGG)."),
        click.option("--temperature", default=4.0, show_default=True,
                     type=click.FloatRange(0, min_open=True), help="optin: of the logits' error."),
        click.option("--aggregation", default="sum", show_default=True,
                     type=click.Choice(("sum", "mean")), help="optin: of the layers' errors."),
        click.option("--trajectory-depth", type=click.IntRange(0),
                     help="optin: how many later layers count (default: all)."),
        click.option("--units-at-once", type=click.IntRange(1),
                     help="optin: units scored side by side (default: as memory allows)."),
        click.option("--order", default="both", show_default=True,
                     type=click.Choice(("heads", "neurons", "both")),
                     help="optin: what the search tries every number of."),
        click.option("--reconstruct", default=512, show_default=True, type=click.IntRange(0),
                     help="optin: images that last layers are fitted to; 0: they are not."),
        click.option("--tokens", is_flag=True,
                     help="optin: merge tokens too (ToMe), under the same target."),
        click.option("--tokens-only", is_flag=True,
                     help="optin: merge tokens, and leave heads and neurons."),
        click.option("--schedule", default="trajectory", show_default=True,
                     help="optin: how many tokens a layer merges: trajectory (by patches' scores), "
                     "constant, decreasing; or, with --tokens-only, 8 or 8,8,6,4,2,0."),
        click.option("--random-merging", is_flag=True,
                     help="optin: tell the accuracy with tokens merged at random beside it."),
    ))  # fmt: skip
