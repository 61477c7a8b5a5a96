"""`vitprof compare`: FLOPs against latency."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..options.completed import complete_model
from ..options.download import download_option
from ..options.log import log_option, log_result
from ..options.renamed import RenamedOption
from ..options.runtimes import runtime_options
from ..options.shapes import shape_option
from ..options.table_and_setting import at_option, check_picture, extrapolate_option
from ..options.waiting import wait_option
from ..output import json_option, note, print_json

if TYPE_CHECKING:
    from ...tables.saved import LinesResult

R = TypeVar("R", bound="LinesResult")


@click.command(
    epilog="Example: vitprof compare --table lut.csv --model deit-tiny --model deit-small "
    "--verify --out compare.csv --plot compare.png  |  "
    "vitprof compare pixel6.csv s10.csv --blocks  |  "
    "vitprof compare --runtimes all --model deit-tiny --dtype fp32 --dtype int8"
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[TABLE]...")
@click.option(
    "--table",
    "tables",
    show_default="lut.csv",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A table (vitprof measure); may be repeated, to compare the same models on each.",
)
@at_option
@click.option(
    "--model",
    "models",
    multiple=True,
    shell_complete=complete_model,
    help="A name, a spec's JSON file, a folder, an ONNX file or another foreign model; may be "
    "repeated. Default: every named model that the table covers.",
)
@shape_option
@click.option(
    "--samples",
    default=0,
    type=click.IntRange(0, 10000),
    help="Add this many random models from the table's range.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of --samples.")
@click.option(
    "--verify",
    "measure",
    cls=RenamedOption,
    old=["--measure"],
    is_flag=True,
    help="Also measure the models on this machine.",
)
@click.option("--time", help="With --verify: start no further session after this time, e.g. 3m.")
@click.option("--blocks", is_flag=True, help="Compare two tables by the blocks that both have.")
@click.option(
    "--interpolated",
    is_flag=True,
    help="As --blocks, and also by blocks that one table has measured and the other can "
    "interpolate.",
)
@extrapolate_option
@click.option("--out", type=click.Path(path_type=Path), help="Write the comparison as CSV.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw it (png, svg or pdf).")
@runtime_options
@download_option
@wait_option
@log_option
@json_option
def compare(
    paths: tuple[Path, ...],
    tables: tuple[Path, ...],
    at: str | None,
    models: tuple[str, ...],
    shapes: Mapping[str, tuple[int, ...]] | None,
    samples: int,
    seed: int,
    measure: bool,
    time: str | None,
    extrapolate: bool,
    blocks: bool,
    interpolated: bool,
    out: Path | None,
    plot: Path | None,
    runtimes: str | None,
    of_runtimes: Mapping[str, Any],
    download: bool,
    as_json: bool,
) -> int:
    """Compare models by MACs and by latency, and show which pairs MACs get wrong.

    With several tables, compare the tables: which pairs of models change their order from one
    device to another, and what it costs to choose by the wrong table. With --blocks, or if the
    tables cover no models, compare the blocks that both have. With --runtimes, compare the runtimes
    of this machine, and say which one to take for each model.
    """
    from ...atomic_write import check_writable
    from ...tables.comparison.comparison import Comparison
    from ...tables.comparison.shared_blocks import SharedBlocks
    from ...verbs.compare import compare as compare_models
    from ..reports.across import print_across
    from ..reports.compared import print_comparison
    from ..reports.shared_blocks import print_shared_blocks

    for path in filter(None, (out, plot)):
        check_writable(path)
    if plot:
        check_picture(plot)
    if runtimes is not None:
        from ...verbs.compare_runtimes import compare_runtimes
        from ..reports.runtimes import print_runtimes

        by_runtime = compare_runtimes(
            models,
            runtimes,
            **of_runtimes,
            shapes=shapes,
            download=download,
            progress=not as_json,
        )
        _show(by_runtime, print_runtimes, out, plot, as_json)
        log_result(by_runtime)
        return int(by_runtime.is_doubtful)
    found = compare_models(
        models,
        [*paths, *tables] or ["lut.csv"],
        at=at,
        samples=samples,
        seed=seed,
        measure=measure,
        time=time,
        extrapolate=extrapolate,
        blocks=blocks,
        interpolated=interpolated,
        shapes=shapes,
        download=download,
        progress=not as_json,
    )
    if isinstance(found, Comparison):
        _show(found, print_comparison, out, plot, as_json)
    elif isinstance(found, SharedBlocks):
        _show(found, print_shared_blocks, out, plot, as_json)
    else:
        _show(found, print_across, out, plot, as_json)
    log_result(found)
    return int(found.is_doubtful)


def _show(
    found: R,
    report: Callable[[R], None],
    out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Write what is to be written, and print the comparison."""
    from ...atomic_write import write_atomically

    if out:
        write_atomically(out, found.to_csv())
    if plot:
        found.plot(plot)
    if as_json:
        print_json(found.report())
        return
    report(found)
    for path in filter(None, (out, plot)):
        note(f"written: {path}")
