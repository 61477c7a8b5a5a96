"""`vitprof predict`: what a model costs, by a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import click

from ..options.by_place import table_and_model_places
from ..options.completed import complete_model
from ..options.download import download_option
from ..options.renamed import RenamedOption
from ..options.shapes import shape_option
from ..options.table_and_setting import at_option, extrapolate_option, table_option
from ..output import json_option, note, print_json
from ..reports.predicted import print_prediction


@click.command(
    epilog="Example: vitprof predict lut.csv deit-small --max-latency 80ms  |  "
    "vitprof predict --table lut.csv --model pruned/spec.json --json"
)
@table_and_model_places
@table_option
@at_option
@click.option(
    "--model",
    shell_complete=complete_model,
    help="A name (vitprof models), a spec's JSON file, a folder, an ONNX file or another foreign "
    "model (docs/foreign.md), or a net.config of Once-for-All.",
)
@click.option(
    "--max-latency",
    help="Say whether the model is within this latency (80ms), and by how much. Exit code 1 if "
    "it is not, or if that is uncertain.",
)
@shape_option
@extrapolate_option
@click.option(
    "--partial",
    is_flag=True,
    help="Predict the blocks that the table has, and list the others.",
)
@click.option(
    "--require-device",
    cls=RenamedOption,
    old=["--device"],
    help="End with an error if the table is of another device.",
)
@click.option(
    "--require-batch",
    cls=RenamedOption,
    old=["--batch"],
    type=int,
    help="End with an error if the table is of another batch.",
)
@click.option(
    "--require-dtype",
    cls=RenamedOption,
    old=["--dtype"],
    help="End with an error if the table is of another dtype.",
)
@click.option(
    "--require-threads",
    cls=RenamedOption,
    old=["--threads"],
    type=int,
    help="End with an error if the table is of another thread count.",
)
@download_option
@json_option
def predict(
    table_path: Path,
    at: str | None,
    model: str,
    max_latency: str | None,
    shapes: Mapping[str, tuple[int, ...]] | None,
    extrapolate: bool,
    partial: bool,
    require_device: str | None,
    require_batch: int | None,
    require_dtype: str | None,
    require_threads: int | None,
    download: bool,
    as_json: bool,
) -> int:
    """Predict a model's latency from a table, and show where the time goes.

    Table and model may be given without options: vitprof predict lut.csv deit-small.
    """
    from ...verbs.predict import predict as predict_model

    answer = predict_model(
        model,
        table_path,
        max_latency=max_latency,
        shapes=shapes,
        at=at,
        extrapolate=extrapolate,
        partial=partial,
        require_device=require_device,
        require_batch=require_batch,
        require_dtype=require_dtype,
        require_threads=require_threads,
        download=download,
    )
    for block, count in Counter(answer.missing).items():
        note(f"missing: {f'{count} x ' if count > 1 else ''}{block}: the table has no such block.")
    for name, count in Counter(answer.unknown).items():
        note(f"unknown: {f'{count} x ' if count > 1 else ''}{name}: no kernel stands for it.")
    if as_json:
        print_json(answer.report())
    else:
        print_prediction(answer)
    return 0 if max_latency is None or answer.fits else 1
