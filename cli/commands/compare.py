"""`vitprof compare`: FLOPs against latency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError
from ..options.common import check_picture, check_writable, extrapolate_option
from ..output import giga, json_option, milliseconds, note, print_json, print_table

if TYPE_CHECKING:
    from ...models import Spec
    from ...tables import LatencyTable
    from ...tables.comparison.comparison import Comparison

CSV_COLUMNS = (
    "model",
    "macs",
    "params",
    "predicted_ms",
    "low_ms",
    "high_ms",
    "measured_ms",
    "gmacs_per_s",
    "rank_macs",
    "rank_latency",
)


@click.command(
    epilog="Example: vitprof compare --table lut.csv --model deit-tiny --model deit-small "
    "--measure --out compare.csv --plot compare.png"
)
@click.option("--table", "table_paths", required=True, multiple=True,
              type=click.Path(path_type=Path),
              help="A table (vitprof measure). Several: the same models on each.")  # fmt: skip
@click.option(
    "--model", "models", multiple=True,
    help="A name, a spec's JSON file or a Hugging Face folder; may be repeated. "
    "Default: every named model that the table covers.",
)  # fmt: skip
@click.option("--samples", default=0, type=click.IntRange(0, 10000),
              help="Add so many random models from the table's range.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Seed of --samples.")
@click.option("--measure", "measure_too", is_flag=True,
              help="Measure the models on this machine too.")  # fmt: skip
@extrapolate_option
@click.option("--out", type=click.Path(path_type=Path), help="Write the comparison as CSV.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw it (png, svg or pdf).")
@json_option
def compare(
    table_paths: tuple[Path, ...], models: tuple[str, ...], samples: int, seed: int,
    measure_too: bool, extrapolate: bool, out: Path | None, plot: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Compare models by MACs and by latency, and show which pairs MACs get wrong.

    With several tables, compare the tables: which pairs of models change places from one device
    to another, and what choosing by the wrong table costs.
    """
    from ...tables import LatencyTable
    from ...tables.comparison.across import compare_tables
    from ...tables.comparison.comparison import block_speeds, compare_models
    from .. import compare_across

    for path in filter(None, (out, plot)):
        check_writable(path)
    if plot:
        check_picture(plot)
    if len(table_paths) > 1:
        if measure_too:
            raise UserError(
                "--measure works with one --table: this machine is one device; measure its table "
                "and compare that one."
            )
        tables = compare_across.read_tables(table_paths)
        first = next(iter(tables.values()))
        specs = _chosen_specs(first, models, samples, seed, extrapolate)
        named = not samples and bool(models)
        specs = compare_across.covered(tables, specs, named, extrapolate)
        compare_across.report(compare_tables(tables, specs, extrapolate), out, plot, as_json)
        return 0
    table = LatencyTable.read_csv(table_paths[0])
    specs = _chosen_specs(table, models, samples, seed, extrapolate)
    measured, stable = None, True
    if measure_too:
        from ..measured_models import measured_like

        what = f"vitprof compare --table {table.source} --measure"
        measured, stable = measured_like(table, specs, what, as_json, wait=None)
    comparison = compare_models(table, specs, measured, extrapolate)
    if out:
        _write_csv(comparison, out)
    if plot:
        from ...tables.comparison.plot import plot_comparison

        plot_comparison(comparison, block_speeds(table), table.setting, plot)
    if as_json:
        print_json(_as_json(comparison, table))
    else:
        _print(comparison, table)
        for path in filter(None, (out, plot)):
            note(f"written: {path}")
    return 0 if stable else 1


def _chosen_specs(
    table: LatencyTable, models: Sequence[str], samples: int, seed: int, extrapolate: bool
) -> list[Spec]:
    import random

    from ...models import create_spec, spec_names
    from ...profiler.spaces_of_table import spaces_of_table

    chosen = [create_spec(model) for model in models]
    if not models and not samples:
        for name in spec_names():
            spec = create_spec(name)
            try:
                table.predict(spec, extrapolate)
            except UserError:
                continue
            chosen.append(spec)
    if samples:
        spaces = spaces_of_table(table)
        rng = random.Random(seed)  # noqa: S311 - reproducible models, not secrets
        chosen += [spaces[i % len(spaces)].sample(rng, f"random-{i}") for i in range(samples)]
    if not chosen:
        raise UserError(
            f"{table.source} covers none of the named models; name one with --model and accept a "
            "guess with --extrapolate, or measure a table for it (vitprof measure --model)."
        )
    return chosen


def _write_csv(comparison: Comparison, out: Path) -> None:
    import csv
    import io
    import math

    from ...atomic_write import write_atomically

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for model in comparison.models:
        values = [getattr(model, column) for column in CSV_COLUMNS]
        writer.writerow(
            ["" if isinstance(v, float) and math.isnan(v) else
             f"{v:.6g}" if isinstance(v, float) else v for v in values]
        )  # fmt: skip
    write_atomically(out, text.getvalue())


def _as_json(comparison: Comparison, table: LatencyTable) -> dict[str, Any]:
    return {
        "models": [
            {column: getattr(model, column) for column in CSV_COLUMNS}
            for model in comparison.models
        ],
        "kendall_tau": comparison.kendall_tau,
        "inversions": [
            {
                "slower": i.slower,
                "faster": i.faster,
                "macs_ratio": i.macs_ratio,
                "latency_ratio": i.latency_ratio,
            }
            for i in comparison.inversions
        ],
        "setting": table.setting.as_dict(),
    }


def _print(comparison: Comparison, table: LatencyTable) -> None:
    from ...tables.comparison.comparison import block_speeds

    print_table(
        ("model", "GMACs", "M params", "predicted ms", "95 % interval", "measured ms", "error",
         "GMAC/s", "rank MACs", "rank ms"),
        [
            (
                m.model,
                giga(m.macs),
                f"{m.params / 1e6:.3g}",
                milliseconds(m.predicted_ms),
                f"{milliseconds(m.low_ms)} .. {milliseconds(m.high_ms)}",
                milliseconds(m.measured_ms),
                f"{m.predicted_ms / m.measured_ms - 1:+.1%}" if m.measured_ms > 0 else "-",
                f"{m.gmacs_per_s:.3g}",
                str(m.rank_macs),
                str(m.rank_latency),
            )
            for m in comparison.models
        ],
    )  # fmt: skip
    speeds = block_speeds(table)
    rows = []
    for op in table.ops:
        of_op = sorted((s for s in speeds if s.block.op == op), key=lambda s: s.gmacs_per_s)
        if of_op:
            rows.append((op, f"{of_op[0].gmacs_per_s:.3g}", f"{of_op[-1].gmacs_per_s:.3g}",
                         str(of_op[0].block), str(of_op[-1].block)))  # fmt: skip
    print_table(("op", "least GMAC/s", "most GMAC/s", "least: at", "most: at"), rows)
    if len(comparison.models) > 1:
        click.echo(f"Kendall tau of MACs and latency: {comparison.kendall_tau:.3f}")
    for i in comparison.inversions[:10]:
        click.echo(
            f"MACs get it wrong: {i.slower} has {1 - i.macs_ratio:.0%} fewer MACs than {i.faster} "
            f"and takes {i.latency_ratio - 1:.0%} longer."
        )
    if len(comparison.inversions) > 10:
        click.echo(f"... and {len(comparison.inversions) - 10} more such pairs.")
