"""From a space of blocks to the points that a table of it needs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import UserError, did_you_mean
from ..models import Block, Spec
from ..models.families.foreign.spec import ForeignSpec
from ..notes import warn
from ..tables.row import Context
from .kernel_plan import default_kernels, further_kernels, kernels_of_models
from .plan import Plan
from .refinement import Refinement

if TYPE_CHECKING:
    from ..spaces.slabs import MeasuringSpace

REPRESENTATIVES = 32
_CONTEXTS: dict[str, Context] = {"alone": "alone", "in_network": "in_network"}


def plan_for_space(
    space: MeasuringSpace,
    *,
    exact: Sequence[Block] = (),
    points: int | None = None,
    whole_models: int | None = None,
    context: str = "alone",
    seed: int = 0,
) -> Plan:
    """Return the plan of a space's blocks, of `exact` ones besides, and of whole models.

    With fewer `points` than the space has blocks, levels are left out; with more, the plan is
    refined while it is measured. `whole_models` None is the number that the space needs. Raises
    UserError for too few points.
    """
    in_context = context_of(context)
    refined = points is not None and points > space.points
    if points and not refined:
        space = space.limited_to(points)
    count = space.models_to_fit if whole_models is None else whole_models
    models = space.calibration_models(count, seed)
    plan = Plan.of_blocks([*space.blocks(), *exact], in_context, models)
    refinement = Refinement(space, points, in_context) if points and refined else None
    rng = random.Random(f"representatives {seed}")  # noqa: S311 - models to weigh, not secrets
    standing = [space.sample(rng, f"typical-{n}") for n in range(REPRESENTATIVES)] if count else []
    return replace(
        plan,
        refinement=refinement,
        seed=seed,
        representatives=standing,
        may_grow=points is None,
    )


def plan_for_models(
    models: Sequence[Spec],
    *,
    points: int | None = None,
    whole_models: int | None = None,
    context: str = "alone",
    seed: int = 0,
) -> Plan:
    """Return what predicts these models: their blocks, kernels, and the models themselves.

    Of each family the largest model and everything narrower, and the other models' blocks as they
    are where these lie outside; of foreign models the kernels that matter (`kernel_plan.py`).
    `points` limits the kernels, and the blocks of a family. `whole_models` limits the foreign
    models that are measured as a whole; of families it is as for a space.
    """
    in_context = context_of(context)
    foreign = [one for one in dict.fromkeys(models) if isinstance(one, ForeignSpec)]
    blocks: list[Block] = kernels_of_models(foreign, points)
    if foreign and points is None:
        blocks += further_kernels()
    # The line would take the time of operators without a price for that of the others.
    fitted = [one for one in foreign if not one.unknown]
    for one in foreign:
        if one.unknown:
            warn(
                f"warning: {one.name} has operators that no kernel stands for "
                f"({', '.join(dict.fromkeys(one.unknown))}): its kernels are measured, but not the "
                "whole model."
            )
    whole: list[Spec] = list(fitted[:whole_models])
    standing: list[Spec] = list(fitted[:REPRESENTATIVES])
    families: dict[str, list[Spec]] = {}
    for spec in dict.fromkeys(models):
        if not isinstance(spec, ForeignSpec):
            families.setdefault(spec.family, []).append(spec)
    for of_family in families.values():
        largest = max(of_family, key=lambda spec: spec.macs)
        of_space = plan_for_space(
            family_space(model=largest),
            exact=[block for spec in of_family for block in spec.blocks()],
            points=points,
            whole_models=whole_models,
            context=context,
            seed=seed,
        )
        blocks += of_space.blocks
        whole += [*of_family, *of_space.models]
        standing += [*of_family, *of_space.representatives]
    found = Plan.of_blocks(blocks, in_context, list(dict.fromkeys(whole)))
    return replace(found, seed=seed, representatives=standing)


def plan_for_kernels(points: int | None = None, seed: int = 0) -> Plan:
    """Return the plan of a default choice of kernels; every nth of them with fewer `points`."""
    kernels = default_kernels()
    if points is not None and points < len(kernels):
        kernels = [kernels[n * len(kernels) // points] for n in range(points)]
    return replace(Plan.of_blocks(kernels), seed=seed)


def family_space(
    family: str | None = None,
    model: Spec | None = None,
    *,
    resolution: int | None = None,
    patch: int | None = None,
    classes: int | None = None,
) -> MeasuringSpace:
    """Return the blocks of a family (by default the model's), or of `model` and all narrower.

    Raises UserError for an unknown family, a model of another one, and for an image, patch and
    classes that do not fit.
    """
    from ..spaces.registry import slabs_class

    name = family or (model.family if model else "vit")
    kind = slabs_class(name)
    if model is not None and model.family != name:
        raise UserError(
            f"{model.name or 'the model'} is of the family '{model.family}', and `family` is "
            f"'{name}'; omit `family`."
        )
    return kind.create(model, resolution=resolution, patch=patch, classes=classes)


def context_of(name: str) -> Context:
    """Return the context of that name in which the blocks of a space can be measured."""
    if name not in _CONTEXTS:
        raise UserError(f"unknown context '{name}'{did_you_mean(name, _CONTEXTS)}.")
    return _CONTEXTS[name]
