"""`vitprof compare` with several tables: the same models, device beside device."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UserError
from .output import giga, milliseconds, note, print_json, print_table

if TYPE_CHECKING:
    from ..models import Spec
    from ..tables import LatencyTable
    from ..tables.comparison.across import Across, PairOfTables

MOST_LISTED = 5


def read_tables(paths: Sequence[Path]) -> dict[str, LatencyTable]:
    """Return the tables by label: the file's name, or its whole path where names are alike."""
    from ..tables import LatencyTable

    if len(set(paths)) < len(paths):
        raise UserError("one --table is given twice; give each once.")
    stems = [path.stem for path in paths]
    labels = [
        path.stem if stems.count(path.stem) == 1 else str(path.with_suffix("")) for path in paths
    ]
    return {label: LatencyTable.read_csv(path) for label, path in zip(labels, paths, strict=True)}


def covered(
    tables: Mapping[str, LatencyTable], specs: Sequence[Spec], named: bool, extrapolate: bool
) -> list[Spec]:
    """Return the specs that every table covers.

    One that was `named` and is not covered is a UserError; another is left out, and told.
    """
    kept = []
    for spec in specs:
        try:
            for table in tables.values():
                table.predict(spec, extrapolate)
        except UserError as error:
            if named:
                raise
            note(f"left out: {spec.name}: {error}")
            continue
        kept.append(spec)
    if len(kept) < 2:
        raise UserError(
            "fewer than two models are covered by all tables; name some with --model, or accept "
            "guesses with --extrapolate."
        )
    return kept


def report(across: Across, out: Path | None, plot: Path | None, as_json: bool) -> None:
    """Write and print what came of it."""
    if out:
        _write_csv(across, out)
    if plot:
        from ..tables.comparison.across_plot import plot_across

        plot_across(across, plot)
    if as_json:
        print_json(_as_json(across))
        return
    _print(across)
    for path in filter(None, (out, plot)):
        note(f"written: {path}")


def _print(across: Across) -> None:
    columns = ["model", "GMACs", "rank MACs"]
    for each in across.on:
        columns += [f"{each.label} ms", "rank"]
    rows = []
    for i, spec in enumerate(across.models):
        line = [spec.name, giga(spec.macs), str(i + 1)]
        for each in across.on:
            line += [milliseconds(float(each.ms[i])), str(each.rank[i])]
        rows.append(tuple(line))
    print_table(tuple(columns), rows)
    for label, tau in across.macs_tau.items():
        click.echo(f"Kendall tau of MACs and {label}: {tau:.3f}")
    for pair in across.pairs:
        _print_pair(pair, across)


def _print_pair(pair: PairOfTables, across: Across) -> None:
    order = [each.label for each in across.on]
    if order.index(pair.a) < order.index(pair.b):
        click.echo(
            f"\n{pair.a} and {pair.b}: Kendall tau {pair.kendall_tau:.3f}; latencies on {pair.b} "
            f"are {pair.scale:.3g} x those on {pair.a}."
        )
        certain = [swap for swap in pair.swaps if swap.certain]
        click.echo(
            f"  {len(pair.swaps)} pairs of models change places, {len(certain)} of them for "
            "certain (95 % intervals apart on both)."
        )
        for swap in (certain or pair.swaps)[:MOST_LISTED]:
            click.echo(
                f"  {'' if swap.certain else 'perhaps: '}{swap.first} is "
                f"{1 - swap.ratio_a:.0%} faster than {swap.second} on {pair.a}, and takes "
                f"{swap.ratio_b - 1:.0%} longer on {pair.b}."
            )
        for deviation in pair.deviations[:MOST_LISTED]:
            click.echo(
                f"  {deviation.model} is {deviation.relative:+.1%} off that scale: "
                f"{deviation.op} is {deviation.share_a:.0%} of it on {pair.a} and "
                f"{deviation.share_b:.0%} on {pair.b}."
            )
    for choice in pair.choices:
        if choice.by_a == choice.by_b:
            continue
        cost = (
            f"{choice.over_budget:.1%} over it"
            if choice.over_budget
            else f"with {choice.macs_lost:.1%} fewer MACs than there could be"
        )
        click.echo(
            f"  choosing by {pair.a} for {milliseconds(choice.budget_ms)} ms on {pair.b}: "
            f"{choice.by_a}, {cost} (by {pair.b} itself: {choice.by_b})."
        )


def _as_json(across: Across) -> dict[str, Any]:
    labels = [each.label for each in across.on]
    return {
        "tables": {
            each.label: {"path": each.table.source, **each.table.setting.as_dict()}
            for each in across.on
        },
        "models": [
            {
                "model": spec.name,
                "macs": spec.macs,
                "latency_ms": {each.label: float(each.ms[i]) for each in across.on},
                "low_ms": {each.label: float(each.low_ms[i]) for each in across.on},
                "high_ms": {each.label: float(each.high_ms[i]) for each in across.on},
                "rank": {"macs": i + 1, **{each.label: each.rank[i] for each in across.on}},
            }
            for i, spec in enumerate(across.models)
        ],
        "macs_kendall_tau": dict(across.macs_tau),
        "pairs": [
            {
                "a": pair.a,
                "b": pair.b,
                "kendall_tau": pair.kendall_tau,
                "scale": pair.scale,
                "inversions": [vars(swap) for swap in pair.swaps],
                "certain_inversions": sum(swap.certain for swap in pair.swaps),
                "deviations": [vars(deviation) for deviation in pair.deviations],
                "choices": [vars(choice) for choice in pair.choices],
            }
            for pair in across.pairs
        ],
        "order": labels,
    }


def _write_csv(across: Across, out: Path) -> None:
    from ..atomic_write import write_atomically

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ["model", "macs", "rank_macs"]
    for each in across.on:
        columns += [f"{each.label}_{name}" for name in ("ms", "low_ms", "high_ms", "rank")]
    writer.writerow(columns)
    for i, spec in enumerate(across.models):
        line: list[object] = [spec.name, spec.macs, i + 1]
        for each in across.on:
            for value in (each.ms[i], each.low_ms[i], each.high_ms[i]):
                line.append("" if math.isnan(value) else f"{value:.6g}")
            line.append(each.rank[i])
        writer.writerow(line)
    write_atomically(out, text.getvalue())
