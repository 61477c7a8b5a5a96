"""What a table is to hold: options of `measure` and `build`, handed on to `vitprof.plan`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...verbs.plan import plan
from .completed import complete_model
from .download import download_option
from .family import family_and_space, space_option
from .renamed import RenamedOption
from .shapes import shape_option

if TYPE_CHECKING:
    from ...profiler.plan import Plan

F = TypeVar("F", bound=Callable[..., Any])
MakePlan = Callable[..., "Plan"]

# The parameters that say what to measure; the order of measuring is a question of its own.
PLAN_NAMES = tuple(name for name in inspect.signature(plan).parameters if name != "seed")

_OPTIONS = (
    click.option(
        "--family",
        help="Family of blocks: vit, efficientvit, autovit, swin, bert or vgg (default: the "
        "model's, or vit).",
    ),
    space_option(
        "Cover every model of this search space: a name (vitprof space) or a .toml or .json file."
    ),
    click.option(
        "--model",
        shell_complete=complete_model,
        help="Cover this model and everything narrower, instead of DeiT-Ti to DeiT-B: a name "
        "(vitprof models), a spec's JSON file or a Hugging Face folder.",
    ),
    click.option("--resolution", type=click.IntRange(1, 4096), help="Image side (default 224)."),
    click.option("--patch", type=click.IntRange(1, 4096), help="Patch side (default 16)."),
    click.option("--classes", type=click.IntRange(1, 65536), help="Classes (default 1000)."),
    click.option("--tokens", help="Sequence lengths, e.g. 197,148,99 (default: the image's own)."),
    click.option(
        "--merging",
        is_flag=True,
        help="Also cover models that merge tokens (prune --method optin --merge-tokens).",
    ),
    click.option("--grid", help='Levels of axes, e.g. "embed=192,384;attention.heads=1,3,6".'),
    click.option(
        "--points",
        type=click.IntRange(1, 1_000_000),
        help="Measure at most this many blocks: fewer than the default grid, or more of them "
        "where interpolation errs most.",
    ),
    click.option(
        "--whole-models",
        cls=RenamedOption,
        old=["--models"],
        type=click.IntRange(0, 1000),
        help="Also measure this many whole models, and fit the line from blocks to models on "
        "them.  "
        "[default: 8; 24 for efficientvit and autovit, whose models are small, and with --merging]",
    ),
    click.option(
        "--context",
        default="alone",
        show_default=True,
        help="Measure a block alone, or what it adds in_network (a chain of its repeats).",
    ),
    click.option(
        "--in-model",
        help="Measure every block of this model in its place: the model with and without it.",
    ),
    click.option(
        "--ablations",
        cls=RenamedOption,
        old=["--variants"],
        help="Also cover the variants of this model that vitprof variants compares.",
    ),
    click.option(
        "--for",
        "for_models",
        multiple=True,
        metavar="MODEL",
        help="Cover this model: the blocks of a known one and everything narrower, or the "
        "kernels of an ONNX file or module; may be repeated.",
    ),
    click.option(
        "--kernels",
        is_flag=True,
        help="Measure kernels (the runtime's fused nodes) instead of blocks: those of the models "
        "of --for, or a default choice.",
    ),
    shape_option,
    download_option,
    click.option(
        "--seed",
        default=0,
        show_default=True,
        help="Seed of the whole models, and of the order of measuring.",
    ),
)


def plan_options(function: F) -> F:
    """Add --family, --model, --grid and the others, as `make_plan`: the call of `vitprof.plan`."""

    @functools.wraps(function)
    def with_plan(**given: Any) -> Any:
        given["family"], given["space"] = family_and_space(
            given["family"], given["space"], given.pop("old_space")
        )
        asked = {name: given.pop(name) for name in PLAN_NAMES}
        return function(make_plan=functools.partial(plan, **asked, seed=given["seed"]), **given)

    decorated: Any = with_plan
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
