"""`vitprof breakdown`: where the run time of whole models goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import UserError
from ..options.completed import complete_model
from ..options.download import download_option
from ..options.renamed import RenamedOption
from ..options.shapes import shape_option
from ..options.table_and_setting import check_picture, check_writable
from ..options.waiting import wait_option
from ..output import json_option, note, print_json
from ..reports.breakdown import print_breakdown, write_rows

if TYPE_CHECKING:
    from ...verbs.breakdown import BreakdownResult


@click.command(
    epilog="Example: vitprof breakdown --model swin-tiny --model deit-tiny --plot breakdown.png "
    " |  vitprof breakdown --model deit-tiny --backend torch --json"
)
@click.option(
    "--model",
    "models",
    required=True,
    multiple=True,
    shell_complete=complete_model,
    help="A name (vitprof models), a spec's JSON file, a folder, an ONNX file or another foreign "
    "model (docs/foreign.md); may be repeated.",
)
@click.option(
    "--device", default="cpu", show_default=True, help="Only cpu reports the times of nodes."
)
@click.option(
    "--backend",
    default="onnxruntime",
    show_default=True,
    help="onnxruntime, or torch: PyTorch, eager.",
)
@click.option(
    "--batch", default=1, show_default=True, type=click.IntRange(1, 65536), help="Images per run."
)
@click.option(
    "--threads",
    default=1,
    show_default=True,
    type=click.IntRange(1, 1024),
    help="Threads of the runtime; timings are most repeatable with one.",
)
@click.option("--dtype", default="fp32", show_default=True, help="fp32 or fp16; bf16 with torch.")
@click.option(
    "--sessions",
    default=3,
    show_default=True,
    type=click.IntRange(1, 99),
    help="Fresh sessions, with the profiler and without.",
)
@click.option(
    "--runs",
    default=20,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Timed runs per session.",
)
@click.option(
    "--warmup",
    default=3,
    show_default=True,
    type=click.IntRange(0, 1000),
    help="Untimed runs per session.",
)
@click.option(
    "--top",
    default=5,
    show_default=True,
    type=click.IntRange(0, 100000),
    help="Show this many of each model's slowest nodes.",
)
@click.option(
    "--out",
    "csv_path",
    cls=RenamedOption,
    old=["--csv"],
    type=click.Path(path_type=Path),
    help="Write a CSV with a row for each model and class; with --nodes, for each node.",
)
@click.option(
    "--nodes",
    is_flag=True,
    help="Show every block and node, by the module or ONNX node that it came from.",
)
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    help="Write one run, block by block, as a JSON file that Perfetto opens.",
)
@click.option(
    "--model-explorer",
    "model_explorer",
    type=click.Path(path_type=Path),
    help="Write each node's ms as node data of Google's Model Explorer, for one ONNX model.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="Draw it (png, svg or pdf); with --nodes and one model, its blocks.",
)
@shape_option
@download_option
@wait_option
@json_option
def breakdown(
    models: tuple[str, ...],
    device: str,
    backend: str,
    batch: int,
    threads: int,
    dtype: str,
    sessions: int,
    runs: int,
    warmup: int,
    top: int,
    csv_path: Path | None,
    nodes: bool,
    trace: Path | None,
    model_explorer: Path | None,
    plot: Path | None,
    shapes: Mapping[str, tuple[int, ...]] | None,
    download: bool,
    as_json: bool,
) -> int:
    """Divide the run time of whole models by class of operation, and by block and node.

    Matrix multiplications and convolutions are limited by arithmetic; reshapes, transposes, copies,
    element-wise operations, normalisations and softmax are limited by memory. Shares come from a
    run under the runtime's profiler, which slows it down, and are scaled to the latency without it.
    """
    from ...verbs.breakdown import breakdown as break_down

    for path in filter(None, (csv_path, trace, model_explorer, plot)):
        check_writable(path)
    if plot:
        check_picture(plot)
    if model_explorer and (len(models) > 1 or backend == "torch"):
        raise UserError(
            "`model_explorer` is of one ONNX model; give one `model`, and a `backend` that runs "
            "ONNX files (onnxruntime, openvino)."
        )
    result = break_down(
        models,
        device=device,
        backend=backend,
        batch=batch,
        threads=threads,
        dtype=dtype,
        sessions=sessions,
        runs=runs,
        warmup=warmup,
        top=top,
        download=download,
        nodes=nodes or trace is not None or model_explorer is not None,
        shapes=shapes,
        progress=not as_json,
    )
    if csv_path:
        write_rows(result, csv_path, "node" if nodes else "class")
    if trace:
        result.save_trace(trace)
    if model_explorer:
        result.save_model_explorer(model_explorer)
    if plot:
        result.plot(plot)
    if as_json:
        print_json(result.report())
    else:
        print_breakdown(result, nodes)
        for path in filter(None, (csv_path, trace, model_explorer, plot)):
            note(f"written: {path}")
    _note_what_to_doubt(result)
    return int(any(one.verdict != "stable" for one in result.models))


def _note_what_to_doubt(result: BreakdownResult) -> None:
    for one in result.models:
        if one.unattributed_share:
            note(
                f"warning: {one.unattributed_share:.1%} of the time of {one.model} is that of "
                "nodes that could not be traced (unattributed)"
            )
        if one.other_ops:
            note(f"warning: {one.model} has operations of no class: {', '.join(one.other_ops)}")
        if one.verdict != "stable":
            note(f"{one.verdict}: {one.model}: {one.error}")
