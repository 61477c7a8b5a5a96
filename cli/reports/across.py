"""Tables compared with each other, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..output import giga, milliseconds, print_table, say
from .speed import print_speed

if TYPE_CHECKING:
    from ...tables.comparison.across import Across
    from ...tables.comparison.pair_of_tables import PairOfTables

MOST_LISTED = 5


def print_across(across: Across) -> None:
    """Print a line a model, and in sentences how each pair of tables differs."""
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
    print_speed(each.table.stated_at for each in across.on)
    for label, tau in across.macs_tau.items():
        say(f"Kendall tau of MACs and {label}: {tau:.3f} (1: the same order)")
    for pair in across.pairs:
        _print_pair(pair, across)


def _print_pair(pair: PairOfTables, across: Across) -> None:
    order = [each.label for each in across.on]
    if order.index(pair.a) < order.index(pair.b):
        click.echo()
        say(
            f"{pair.a} and {pair.b}: Kendall tau {pair.kendall_tau:.3f}; latencies on {pair.b} "
            f"are {pair.scale:.3g} x those on {pair.a}."
        )
        certain = [swap for swap in pair.swaps if swap.certain]
        say(
            f"  {len(pair.swaps)} pairs of models change places, {len(certain)} of them for "
            "certain (95 % intervals apart on both)."
        )
        for swap in (certain or pair.swaps)[:MOST_LISTED]:
            say(
                f"  {'' if swap.certain else 'perhaps: '}{swap.first} is "
                f"{1 - swap.ratio_a:.0%} faster than {swap.second} on {pair.a}, and takes "
                f"{swap.ratio_b - 1:.0%} longer on {pair.b}."
            )
        for deviation in pair.deviations[:MOST_LISTED]:
            say(
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
        say(
            f"  choosing by {pair.a} for {milliseconds(choice.budget_ms)} ms on {pair.b}: "
            f"{choice.by_a}, {cost} (by {pair.b} itself: {choice.by_b})."
        )
