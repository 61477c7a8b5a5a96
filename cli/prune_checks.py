"""Which options of `vitprof prune` go together, with each other and with a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..errors import UserError
from ..models.families.registry import find_family
from .options.prune import NViTOptions, OptinOptions, TargetOptions
from .options.text import refuse_texts
from .prune_methods import eta_of, parts_of

if TYPE_CHECKING:
    from ..compress.targets import Target
    from ..tables import LatencyTable

# By method; the first is the default.
SCORES = {
    "nvit": ("hessian", "taylor", "magnitude", "random"),
    "optin": ("trajectory", "taylor", "magnitude", "random"),
}
# Options about tokens, and about heads, of which a CNN has none.
_OF_TRANSFORMERS = (
    ("tokens", "tokens"), ("tokens_only", "tokens"), ("schedule", "tokens"),
    ("random_merging", "tokens"), ("order", "heads"),
)  # fmt: skip


def score_of(method: str, score: str | None) -> str:
    """Return the score, the method's default where none is given; UserError for another's."""
    if score is None:
        return SCORES[method][0]
    if score not in SCORES[method]:
        raise UserError(
            f"--method {method} has no --score {score}; it has {', '.join(SCORES[method])}."
        )
    return score


def check_options(method: str, nvit: NViTOptions, optin: OptinOptions) -> None:
    """Raise UserError for an option that the method would pass over in silence."""
    if method == "optin" and not (optin.tokens or optin.tokens_only):
        for name in ("random_merging", "schedule"):
            if _is_given(name):
                raise UserError(f"{_written(name)} goes with --tokens or --tokens-only.")
    eta_of(nvit.eta)
    others = (OptinOptions, "optin") if method == "nvit" else (NViTOptions, "nvit")
    names = set(others[0].__dataclass_fields__)
    if method == "optin":
        names |= {"epochs", "learning_rate", "weight_decay", "augment", "precision", "batch"}
    for parameter in click.get_current_context().command.params:
        if parameter.name in names and _is_given(parameter.name):
            raise UserError(
                f"{parameter.opts[0]} belongs to --method {others[1]}, not to {method}."
            )


def check_family(method: str, spec: Any, optin: OptinOptions) -> None:
    """Raise UserError for a method or an option that a VGG or a BERT has no use for."""
    if method == "nvit":
        refuse_texts(spec, "--method nvit", "; take --method optin")
    elif optin.tokens or optin.tokens_only:
        refuse_texts(spec, "--tokens-only" if optin.tokens_only else "--tokens")
    family = find_family(spec.family)
    if family.steps is None:  # no model of convolutions
        return
    if method == "nvit":
        raise UserError(
            f"{spec.name} is a {family.title}, whose channels --method optin prunes; --method nvit "
            "prunes transformers."
        )
    for name, what in _OF_TRANSFORMERS:
        if _is_given(name):
            raise UserError(
                f"{_written(name)} is for transformers: {spec.name} is a {family.title} and has no "
                f"{what}."
            )


def check_one_shot(spec: Any, data: Any, optin: OptinOptions) -> None:
    """Raise UserError, before a folder is made, where `OptinRun` would."""
    from ..compress.optin.optin import check_merges
    from ..compress.optin.sample import check_enough

    if parts_of(optin) != "units":
        check_merges(spec)
    check_enough(data, max(optin.score_images, optin.reconstruct))


def written_target(wanted: TargetOptions) -> tuple[str, Any]:
    """Return the target as it was written, and its unit; UserError unless there is one."""
    every = (
        (wanted.target_latency, "latency"),
        (wanted.target_macs, "macs"),
        (wanted.target_params, "params"),
    )
    given = [(text, unit) for text, unit in every if text is not None]
    if len(given) != 1:
        raise UserError(
            "give one of --target-latency, --target-macs and --target-params"
            f"{', not several' if given else ', e.g. --target-latency 0.5x'}."
        )
    return given[0]


def targets_of(
    spec: Any, table: LatencyTable, wanted: TargetOptions, optin: OptinOptions
) -> tuple[list[Target], Any]:
    """Return the targets and their unit; a schedule of numbers needs none and is one itself."""
    from dataclasses import replace

    from ..compress.budget import Budget
    from ..compress.merging.token_schedule import parse_schedule
    from ..compress.targets import Target, parse_targets

    if parts_of(optin) != "units":
        schedule = parse_schedule(optin.schedule, spec)
        if isinstance(schedule, tuple):
            if not optin.tokens_only:
                raise UserError(f"--schedule {optin.schedule} goes with --tokens-only.")
            if not any(vars(wanted).values()):
                cost = float(Budget(table).of([replace(spec, merges=schedule)])[0])
                return [Target(f"merging-{optin.schedule.replace(',', '-')}", cost)], "latency"
    text, unit = written_target(wanted)
    return parse_targets(text, float(Budget(table, unit).of([spec])[0]), unit), unit


def check_targets(
    method: str, spec: Any, targets: list[Target], unit: Any, table: LatencyTable, groups: Any,
    only: tuple[str, ...], optin: OptinOptions,
) -> None:  # fmt: skip
    """Raise UserError for a target out of reach, before images are read and a folder is made."""
    from ..compress.budget import Budget
    from ..compress.optin import walk
    from ..compress.targets import check_reachable, floors_of
    from ..models.structures import structure as structures

    kinds = structures.KINDS if method == "nvit" else walk.ONE_SHOT
    floors = floors_of(spec, table, groups, only, kinds)
    if method == "nvit" or parts_of(optin) == "units":
        check_reachable(spec, targets, Budget(table, unit), floors)


def groups_of(text: str | None, spec: Any, sparsity: str) -> Any:
    """Return how many units leave at once."""
    from ..compress.cutting import prunable_of
    from ..compress.groups import Groups

    structures = prunable_of(spec).structures(spec, True)
    # Sparse kernels want multiples of 16 inputs, and the projection has heads x V of them.
    first = "v=16," if sparsity == "2:4" else ""
    heads = max((s.units for s in structures if s.kind == "heads"), default=1)
    return Groups.of(first + (text or ""), heads)


def _is_given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source == ParameterSource.COMMANDLINE


def _written(name: str) -> str:
    return f"--{name.replace('_', '-')}"
