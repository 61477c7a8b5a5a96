"""`vitprof prune-heads`: a model at several levels of fewer heads, nothing trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError
from ..deployed_models import (
    Deployment,
    check_new,
    deployed,
    deployment_options,
    measured_facts,
    model_and_data,
    write_facts,
)
from ..options.training import data_option, resolution_option, step_bar
from ..output import json_option, note, print_json
from ..reports.facts_table import print_facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from ...compress.heads.head_levels import Level
    from ...training.data.images import Dataset, Normalisation


@click.command(
    "prune-heads",
    epilog="Example: vitprof prune-heads --model digits --data digits --levels 2 --out levels  |  "
    "vitprof prune-heads --model my-vit --data photos.zip --heads 12,12,24,24 --out levels",
)
@click.option("--model", required=True, type=click.Path(path_type=Path),
              help="The folder of a trained model.")  # fmt: skip
@data_option
@resolution_option
@click.option("--out", required=True, type=click.Path(path_type=Path),
              help="Folder to write: a model a level.")  # fmt: skip
@click.option("--levels", "count", type=click.IntRange(1, 1000), default=4, show_default=True,
              help="How many levels; four fifths of the heads that can go are shared out.",
              )  # fmt: skip
@click.option("--heads", "counts", help="Heads that each level takes out, e.g. 12,12,24: in place "
              "of --levels.")  # fmt: skip
@click.option("--norm", default="relative", show_default=True,
              type=click.Choice(("relative", "absolute")),
              help="relative: over the mean of the head's layer.")  # fmt: skip
@click.option("--reconstruct", default=512, show_default=True, type=click.IntRange(0),
              help="Training images that each level's last layers are fitted to, without labels; 0 "
              "leaves them, as in the paper.")  # fmt: skip
@deployment_options()
@click.option("--seed", default=0, show_default=True, help="Which images are fitted to.")
@json_option
def prune_heads(
    model: Path, source: str, resolution: int | None, out: Path, count: int, counts: str | None,
    norm: str, reconstruct: int, how: Deployment, seed: int, as_json: bool,
) -> int:  # fmt: skip
    """Take attention heads out of a model level by level: those whose weights have the least norm.

    Every level is a smaller model, with its spec and weights; all are tested and their latencies
    measured side by side.
    """
    from ...compress.heads.head_levels import check_counts, even_counts, levels
    from ...models import create_model

    weights, data, normalisation = model_and_data(model, source, resolution, as_json)
    base: Any = create_model(weights, checkpoint=weights)
    wanted = even_counts(base, count) if counts is None else _counts(counts)
    check_counts(base, wanted)
    check_new(out)
    with step_bar(not as_json) as show:
        files, made = {}, []
        show("pruning", 0, len(wanted), "")
        repair = _fitting(base, data, normalisation, reconstruct, seed)
        for level in levels(base, wanted, norm == "relative", repair):
            name = f"level-{level.number}" if level.number else "whole"
            made.append(_written(level, out / name, base.spec.name, normalisation))
            files[name] = deployed(out / name, "fp32", out / name, how)
            show("pruning", level.number, len(wanted), f"{level.heads_in_all} heads")
        facts = measured_facts(files, data, normalisation, how, show)
    report = write_facts(
        facts, out,
        {"model": str(model), "runtime": "onnxruntime", "norm": norm, "reconstruct": reconstruct,
         "levels": made},
        how,
    )  # fmt: skip
    if as_json:
        print_json(report)
    else:
        named = [
            replace(one, name=f"{one.name} ({level['heads_in_all']} heads)")
            for one, level in zip(facts, made, strict=True)
        ]
        print_facts(named, "level")
        for remark in report["remarks"]:
            note(remark)
        note(f"written: {out}")
    return int(any(one.disturbed for one in facts))


def _counts(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = [0]
    if min(found) < 1:
        raise UserError(
            f"--heads {text} is no list of heads to take out, one number a level; write 3,3,4."
        )
    return found


def _fitting(
    base: nn.Module, data: Dataset, norm: Normalisation, count: int, seed: int
) -> Callable[[nn.Module], None] | None:
    """Return what fits a level's last layers to so many training images, None for none."""
    if not count:
        return None
    from ...compress.optin.reconstruction import reconstruct
    from ...training.data.held_out import some_of
    from ...training.inputs import model_inputs

    images = model_inputs(some_of(data.train, count, seed), norm)
    return lambda smaller: reconstruct(smaller, base, images)


def _written(level: Level, folder: Path, name: str, norm: Normalisation) -> dict[str, Any]:
    """Write the level's model; return what the report says of it."""
    from ...training.model_folder import write_model

    model: Any = level.model
    if level.number:
        model.spec = replace(model.spec, name=f"{name}-heads-{level.number}")
    write_model(model, folder, norm)
    return {
        "level": level.number,
        "folder": str(folder),
        "heads_in_all": level.heads_in_all,
        "heads": level.heads,
        "gone": [list(one) for one in level.gone],
    }
