"""`vitprof.plan`: which points a table needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import UserError
from ..progress import shown_wait
from .inputs import Shapes, fetched, spec_of, specs_of

if TYPE_CHECKING:
    from ..models import Block, Spec
    from ..profiler.plan import Plan
    from ..spaces.space import SearchSpace

# Levels of axes: {"embed": [192, 384], "attention.heads": [1, 3]}, or "embed=192,384;...".
Grid = Mapping[str, Sequence[int]] | str


@shown_wait("planning what to measure")
def plan(
    family: str | None = None,
    *,
    space: str | SearchSpace | None = None,
    model: str | Spec | None = None,
    resolution: int | None = None,
    patch: int | None = None,
    classes: int | None = None,
    tokens: str | Sequence[int] | None = None,
    merging: bool = False,
    grid: Grid | None = None,
    points: int | None = None,
    whole_models: int | None = None,
    context: str = "alone",
    in_model: str | Spec | None = None,
    ablations: str | Spec | None = None,
    for_models: Sequence[str | Spec] = (),
    kernels: bool = False,
    shapes: Shapes | None = None,
    download: bool = False,
    seed: int = 0,
) -> Plan:
    """Say what to measure: the blocks of a family, of a search space, or of models.

    Args:
        family: Family of the blocks, e.g. "vit" (default: the model's, or vit).
        space: Cover every model of this search space instead: a name, a file, or a SearchSpace.
        model: Cover this model and everything narrower, instead of the family's own range.
        resolution: Side of the square image in pixels.
        patch: Side of a patch in pixels.
        classes: Number of classes.
        tokens: Sequence lengths.
        merging: Cover models that merge tokens too.
        grid: Levels of axes: {"embed": [192, 384]} or "embed=192,384;attention.heads=1,3".
        points: At most so many blocks; more than the grid has are placed where interpolation errs.
        whole_models: So many whole models beside the blocks (default: as many as the space needs).
        context: Blocks "alone", or "in_network": what one adds to a chain of its repeats.
        in_model: Instead of all this, every block of this model in its place.
        ablations: Cover the variants of this model in one choice too (`vitprof.variants`).
        for_models: Instead of all this, what these models need: of a family's model its blocks and
            everything narrower, of a foreign model (an ONNX file, a module) its kernels.
        kernels: Measure the runtime's fused nodes and no blocks: those of `for_models`, models of
            families too (which torch exports), or without it a default choice.
        shapes: Sizes of the foreign models' inputs, by name, where they are open.
        download: Fetch ids of Hugging Face that the local cache lacks.
        seed: Of the whole models, and of the order of measuring.

    Returns:
        The plan, which `vitprof.measure` and `vitprof.build` take; `to_frame()` lists its points.

    Raises:
        UserError: An unknown name, parameters that contradict each other, or too few points.

    Example:
        >>> import vitprof
        >>> points = vitprof.plan(model="vit-micro-8", points=24, whole_models=3)
        >>> points.report()["models"]
        3
    """
    from ..profiler.plan import Plan
    from ..profiler.plan_for import (
        family_space,
        plan_for_kernels,
        plan_for_models,
        plan_for_space,
    )
    from ..spaces.registry import blocks_of_variants, with_merging, with_variants

    what: dict[str, object] = {
        "family": family,
        "model": model,
        "resolution": resolution,
        "patch": patch,
        "classes": classes,
        "tokens": tokens,
        "ablations": ablations,
        "merging": merging or None,
    }
    fetched([model, in_model, ablations, *for_models], download)
    if space == "kernels":
        space, kernels = None, True
    if kernels or for_models:
        beside = {"grid": grid, "tokens": tokens, "space": space, "in_model": in_model}
        _refuse(what | beside, "`for_models` and `kernels` say what is measured")
        if not for_models:
            return plan_for_kernels(points, seed)
        models = specs_of(list(for_models), shapes)
        if kernels:
            from ..foreign.by_kernels import by_kernels

            models = [by_kernels(spec) for spec in models]
        return plan_for_models(
            models,
            points=points,
            whole_models=whole_models,
            context=context,
            seed=seed,
        )
    if space is not None:
        _refuse(what | {"in_model": in_model}, "`space` says what its models are")
        return _plan_for_search_space(
            space,
            _levels(grid),
            points=points,
            whole_models=whole_models,
            context=context,
            seed=seed,
        )
    if in_model is not None:
        others: dict[str, object] = {
            "grid": grid,
            "points": points,
            "context": None if context == "alone" else context,
        }
        _refuse(
            what | {"family": None} | others, "`in_model` measures the blocks of one model as it is"
        )
        return replace(Plan.in_model(spec_of(in_model)), seed=seed)
    blocks = family_space(
        family,
        None if model is None else spec_of(model),
        resolution=resolution,
        patch=patch,
        classes=classes,
    )
    exact: Sequence[Block] = ()
    if ablations is not None:
        varied = spec_of(ablations)
        blocks, exact = with_variants(blocks, varied), blocks_of_variants(varied)
    if merging:
        blocks = with_merging(blocks)
    return plan_for_space(
        blocks.with_levels(f"{_levels(grid)};{_lengths(tokens)}"),
        exact=exact,
        points=points,
        whole_models=whole_models,
        context=context,
        seed=seed,
    )


def plan_of(points: Plan | str | None) -> Plan:
    """Return a plan; a family's name stands for all of its blocks, None for vit's."""
    return plan(points) if points is None or isinstance(points, str) else points


def _plan_for_search_space(
    space: str | SearchSpace,
    levels: str,
    *,
    points: int | None,
    whole_models: int | None,
    context: str,
    seed: int,
) -> Plan:
    from ..profiler.plan_for import plan_for_space
    from ..spaces.registry import find_search_space

    searched = find_search_space(space) if isinstance(space, str) else space
    found = plan_for_space(
        searched.measured().with_levels(levels),
        points=points,
        whole_models=whole_models,
        context=context,
        seed=seed,
    )
    return replace(found, search_space=searched.to_dict())


def _refuse(others: Mapping[str, object], reason: str) -> None:
    """Raise UserError where any of these is given."""
    given = [f"`{name}`" for name, value in others.items() if value is not None]
    if given:
        raise UserError(f"{reason}; remove {', '.join(given)}.")


def _levels(grid: Grid | None) -> str:
    """Return a grid as text: "embed=192,384;heads=1,3"."""
    if grid is None or isinstance(grid, str):
        return grid or ""
    return ";".join(f"{axis}={_numbers(levels)}" for axis, levels in grid.items())


def _lengths(tokens: str | Sequence[int] | None) -> str:
    if tokens is None or tokens == "":
        return ""
    return f"tokens={tokens if isinstance(tokens, str) else _numbers(tokens)}"


def _numbers(values: Sequence[int]) -> str:
    return ",".join(map(str, values))
