"""What a table is to hold, from the command line's words: options of `measure` and `build`."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...errors import UserError, did_you_mean

if TYPE_CHECKING:
    from ...models import Block, Spec
    from ...profiler.plan import Plan
    from ...spaces.measuring_space import Space
    from ...tables.row import Context

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class PlanWanted:
    """What the command line says of the points; None is the space's own."""

    space: str | None = None
    search_space: str | None = None
    model: str | None = None
    resolution: int | None = None
    patch: int | None = None
    classes: int | None = None
    tokens: str | None = None
    merging: bool = False
    grid: str | None = None
    points: int | None = None
    whole_models: int | None = None
    context: str = "alone"
    in_model: str | None = None
    variants: str | None = None
    seed: int = 0

    def planned(self) -> Planned:
        """Return what that comes to; raises UserError where it does not make sense."""
        if self.search_space is not None:
            return self._planned_search(self.search_space)
        from ...models import create_spec
        from ...spaces.measuring_spaces import (
            blocks_of_variants,
            space_class,
            with_merging,
            with_variants,
        )

        spec = create_spec(self.model) if self.model else None
        name = self.space or (spec.family if spec else "vit")
        kind = space_class(name)
        if spec is not None and spec.family != name:
            raise UserError(
                f"{self.model} is of the family '{spec.family}', and the space is '{name}'; leave "
                "--space away."
            )
        chosen: Space = kind.create(
            spec, resolution=self.resolution, patch=self.patch, classes=self.classes
        )
        exact: list[Block] = []
        if self.variants:
            varied = create_spec(self.variants)
            chosen, exact = with_variants(chosen, varied), blocks_of_variants(varied)
        if self.merging:
            chosen = with_merging(chosen)
        tokens = f"tokens={self.tokens}" if self.tokens else ""
        chosen = chosen.with_levels(f"{self.grid or ''};{tokens}")
        self._check_in_model()
        in_context = _context(self.context)
        refine = self.points is not None and self.points > len(chosen.blocks())
        if self.points and not refine:
            chosen = chosen.limited_to(self.points)
        if self.in_model is not None:
            return Planned(chosen, in_context, [], in_model=create_spec(self.in_model))
        wanted = chosen.models_to_fit if self.whole_models is None else self.whole_models
        models = chosen.calibration_models(wanted, self.seed)
        refine_to = self.points if refine else None
        return Planned(chosen, in_context, models, exact, refine_to)

    def _planned_search(self, name_or_path: str) -> Planned:
        """Return what every model of a search space needs."""
        from ...spaces.named_spaces import find_search_space
        from ..space_of_search import measuring_space

        others = {"--space": self.space, "--model": self.model, "--in-model": self.in_model,
                  "--resolution": self.resolution, "--patch": self.patch,
                  "--classes": self.classes, "--tokens": self.tokens,
                  "--variants": self.variants, "--merging": self.merging or None}  # fmt: skip
        given = [option for option, value in others.items() if value is not None]
        if given:
            raise UserError(
                f"--search-space says what its models are; take {', '.join(given)} away."
            )
        searched = find_search_space(name_or_path)
        chosen: Space = measuring_space(searched).with_levels(self.grid or "")
        refine_to = self.points if self.points and self.points > chosen.points else None
        if self.points and not refine_to:
            chosen = chosen.limited_to(self.points)
        wanted = chosen.models_to_fit if self.whole_models is None else self.whole_models
        return Planned(
            chosen,
            _context(self.context),
            chosen.calibration_models(wanted, self.seed),
            refine_to=refine_to,
            search_space=searched.to_dict(),
        )

    def _check_in_model(self) -> None:
        others = {"--model": self.model, "--grid": self.grid, "--points": self.points,
                  "--tokens": self.tokens, "--resolution": self.resolution, "--patch": self.patch,
                  "--classes": self.classes, "--variants": self.variants,
                  "--merging": self.merging or None}  # fmt: skip
        given = [option for option, value in others.items() if value is not None]
        if self.in_model is not None and (given or self.context != "alone"):
            raise UserError(
                "--in-model measures the blocks of one model as it is; take "
                f"{', '.join(given) or '--context'} away."
            )


@dataclass(frozen=True)
class Planned:
    """The blocks of a space, and whole models beside them; or the blocks of one model in place.

    `exact` are blocks that are measured as they are, whatever the space has around them.
    `refine_to` is the number of points up to which the space is to be refined while it is measured.
    `search_space` is what the search space says, where they are of one.
    """

    space: Space
    context: Context
    models: Sequence[Spec]
    exact: Sequence[Block] = ()
    refine_to: int | None = None
    in_model: Spec | None = None
    search_space: Mapping[str, Any] | None = None

    def plan(self, space: Space | None = None, probes: Sequence[Block] = ()) -> Plan:
        """Return the points; `space` stands in for the own one, `probes` are further blocks."""
        from ...profiler.plan import Plan

        if self.in_model is not None:
            return Plan.in_model(self.in_model)
        blocks = (space or self.space).blocks()
        plan = Plan.of_blocks([*blocks, *self.exact, *probes], self.context, self.models)
        return dataclasses.replace(plan, search_space=self.search_space)


def check_space(name: str | None) -> None:
    """Raise UserError for a family of blocks that is not known."""
    if name is not None:
        from ...spaces.measuring_spaces import space_class

        space_class(name)


def _context(name: str) -> Context:
    known: dict[str, Context] = {"alone": "alone", "in_network": "in_network"}
    if name not in known:
        raise UserError(f"unknown context '{name}'{did_you_mean(name, known)}.")
    return known[name]


PLAN_NAMES = tuple(field.name for field in dataclasses.fields(PlanWanted))


def plan_options(function: F) -> F:
    """Add --space, --model, --grid and the others of what is measured, as `planning`."""

    @functools.wraps(function)
    def with_planning(**given: Any) -> Any:
        planning = PlanWanted(**{name: given.pop(name) for name in PLAN_NAMES})
        return function(planning=planning, **given)

    decorated: Any = with_planning
    for option in reversed(
        (
            click.option(
                "--space",
                help="Family of blocks: vit, efficientvit, autovit, swin, bert or vgg (default: "
                "the model's, or vit).",
            ),
            click.option(
                "--search-space",
                help="Cover every model of this search space: a name (vitprof space) or a .toml or "
                ".json file.",
            ),
            click.option(
                "--model",
                help="Cover this model and everything narrower, instead of DeiT-Ti to DeiT-B: a "
                "name (vitprof models), a spec's JSON file or a Hugging Face folder.",
            ),
            click.option(
                "--resolution", type=click.IntRange(1, 4096), help="Image side (default 224)."
            ),
            click.option("--patch", type=click.IntRange(1, 4096), help="Patch side (default 16)."),
            click.option(
                "--classes", type=click.IntRange(1, 65536), help="Classes (default 1000)."
            ),
            click.option(
                "--tokens",
                help="Sequence lengths, e.g. 197,148,99 (default: the image's own).",
            ),
            click.option(
                "--merging",
                is_flag=True,
                help="Cover models that merge tokens too (prune --method optin --tokens).",
            ),
            click.option(
                "--grid", help='Levels of axes, e.g. "embed=192,384;attention.heads=1,3,6".'
            ),
            click.option(
                "--points",
                type=click.IntRange(1),
                help="Measure at most so many blocks: fewer levels than the default grid, or more "
                "where interpolation errs most.",
            ),
            click.option(
                "--models",
                "whole_models",
                type=click.IntRange(0, 1000),
                help="Measure so many whole models too, and fit the line from blocks to models on "
                "them.  [default: 8; 24 for efficientvit and autovit, whose models are small, and "
                "with --merging]",
            ),
            click.option(
                "--context",
                default="alone",
                show_default=True,
                help="Measure a block alone, or what it adds in_network (a chain of its repeats).",
            ),
            click.option(
                "--in-model",
                help="Measure every block of this model in its place: the model with and without "
                "it.",
            ),
            click.option(
                "--variants",
                help="Cover the variants of this model too: what vitprof variants compares.",
            ),
            click.option(
                "--seed",
                default=0,
                show_default=True,
                help="Seed of the whole models, and of the order of measuring.",
            ),
        )
    ):
        decorated = option(decorated)
    return decorated
