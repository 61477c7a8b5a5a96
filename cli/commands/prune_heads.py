"""`vitprof prune-heads`: a model at several levels of fewer heads, nothing trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..options.checkpoint import checkpoint_option
from ..options.completed import complete_model
from ..options.data import data_option, resolution_option
from ..options.download import download_option
from ..options.side_by_side import side_by_side_options
from ..options.waiting import wait_option
from ..output import json_option, note, print_json
from ..reports.facts_table import print_facts
from ..reports.loader import print_loader


@click.command(
    "prune-heads",
    epilog="Example: vitprof prune-heads --model digits --data digits --levels 2 --out levels  |  "
    "vitprof prune-heads --model my-vit --data photos.zip --heads 12,12,24,24 --out levels",
)
@click.option(
    "--model",
    required=True,
    shell_complete=complete_model,
    help="The folder of a trained model, or a name and --checkpoint.",
)
@checkpoint_option
@data_option
@resolution_option
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder to write, with one model per level.",
)
@click.option(
    "--levels",
    type=click.IntRange(1, 1000),
    default=4,
    show_default=True,
    help="Number of levels; together they remove four fifths of the heads that can be removed.",
)
@click.option("--heads", help="Heads that each level removes, e.g. 12,12,24, instead of --levels.")
@click.option(
    "--norm",
    default="relative",
    show_default=True,
    type=click.Choice(("relative", "absolute")),
    help="relative: over the mean of the head's layer.",
)
@click.option(
    "--reconstruct",
    default=512,
    show_default=True,
    type=click.IntRange(0),
    help="Training images to which each level's last layers are fitted, without labels; 0: not "
    "fitted, as in the paper.",
)
@side_by_side_options()
@click.option("--seed", default=0, show_default=True, help="Seed of the choice of these images.")
@download_option
@wait_option
@json_option
def prune_heads(as_json: bool, **given: Any) -> int:
    """Remove attention heads level by level: those whose weights have the smallest norm.

    Each level is a smaller model, with its spec and weights. All are tested, and their latencies
    are measured side by side.
    """
    from ...verbs.prune_heads import prune_heads as verb

    found = verb(**given, progress=not as_json)
    if as_json:
        print_json(found.report())
    else:
        named = [
            replace(one, name=f"{one.name} ({level.heads_in_all} heads)")
            for one, level in zip(found.facts, found.levels, strict=True)
        ]
        print_facts(named, "level")
        for remark in found.remarks:
            note(remark)
        note(f"written: {found.out}")
        print_loader(found.loader, found.levels[-1].path)
    return int(found.is_doubtful)
