"""`vitprof variants`: what each choice of an architecture costs on a table's device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError
from ..options.common import check_picture, check_writable, extrapolate_option, table_option
from ..output import giga, json_option, milliseconds, note, print_json, print_table

if TYPE_CHECKING:
    from ...tables.ablations.ablations import Ranked, Variants

# What a family's variants are of, unless --model says.
_BASES = {"efficientvit": "efficientvit-m4"}


@click.command(
    epilog="Example: vitprof variants --family efficientvit --table lut.csv --max-latency 5ms"
)
@click.option("--family", default="efficientvit", show_default=True, help="Family of the variants.")
@click.option("--model", help="The model to vary (default: efficientvit-m4).")
@table_option
@click.option("--max-latency", help="Keep variants up to this latency, e.g. 5ms or 0.01s.")
@click.option(
    "--choices",
    help="Combine only these choices, e.g. width,depth,activation (default: all that the table "
    "covers).",
)
@click.option(
    "--sort",
    default="latency",
    show_default=True,
    type=click.Choice(("latency", "macs", "params")),
    help="The fastest first, or those with most MACs or parameters.",
)
@click.option("--top", default=15, show_default=True, type=click.IntRange(1), help="Lines to show.")
@click.option("--out", type=click.Path(path_type=Path), help="Write every variant as CSV.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw what each choice costs.")
@extrapolate_option
@json_option
def variants(
    family: str, model: str | None, table_path: Path, max_latency: str | None,
    choices: str | None, sort: str, top: int, out: Path | None, plot: Path | None,
    extrapolate: bool, as_json: bool,
) -> int:  # fmt: skip
    """Rank a model's variants by predicted latency, and say what each choice costs.

    First every choice by itself, as an ablation table does; then every combination of the choices
    that the table covers.
    """
    from ...models import create_spec
    from ...models.ablations import choices_of
    from ...tables import LatencyTable
    from ...tables.ablations.ablations import rank_variants

    if family not in _BASES:
        raise UserError(
            f"the variants of family '{family}' are not listed; known: {', '.join(_BASES)}."
        )
    for path in filter(None, (out, plot)):
        check_writable(path)
    if plot:
        check_picture(plot)
    spec = create_spec(model or _BASES[family])
    if spec.family != family:
        raise UserError(f"{spec.name} is of the family '{spec.family}', not '{family}'.")
    known = [choice.name for choice in choices_of(spec)]
    wanted = None if choices is None else _names(choices, known)
    limit = None if max_latency is None else _milliseconds_of(max_latency)
    table = LatencyTable.read_csv(table_path)
    found = rank_variants(table, spec, wanted, limit, sort, extrapolate)
    if out:
        _write_csv(found.ranked, out)
    if plot:
        from ...tables.ablations.plot import plot_variants

        plot_variants(found, table.setting, plot)
    if as_json:
        print_json(_as_json(found, top))
    else:
        _print(found, top, max_latency, sort)
        for path in filter(None, (out, plot)):
            note(f"written: {path}")
    return 0


def _names(text: str, known: Sequence[str]) -> list[str]:
    from ...errors import did_you_mean

    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise UserError(
                f"--choices: unknown choice '{name}'{did_you_mean(name, known)}; they are "
                f"{', '.join(known)}."
            )
    return names


def _milliseconds_of(text: str) -> float:
    """Return the milliseconds that "5ms", "5" or "0.005s" mean; raises UserError otherwise."""
    import re

    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s)?", text.strip())
    if not match or float(match[1]) == 0:
        from ...models.checks import shown

        raise UserError(f"--max-latency {shown(text)} is not a time; write it as 5ms or 0.005s.")
    return float(match[1]) * (1e3 if match[2] == "s" else 1.0)


def _line(ranked: Ranked) -> dict[str, Any]:
    return {
        "variant": ranked.words,
        "changed": dict(ranked.changed),
        "latency_ms": ranked.ms,
        "macs": ranked.spec.macs,
        "params": ranked.spec.params,
    }


def _as_json(found: Variants, top: int) -> dict[str, Any]:
    return {
        "model": found.base.spec.name,
        "latency_ms": found.base.ms,
        "choices": [{**_line(each), "more_ms": each.ms - found.base.ms} for each in found.single],
        "not_covered": dict(found.not_covered),
        "variants": len(found.ranked),
        "ranked": [_line(each) for each in found.ranked[:top]],
    }


def _print(found: Variants, top: int, max_latency: str | None, sort: str) -> None:
    base = found.base
    click.echo(
        f"{base.spec.name}: {milliseconds(base.ms)} ms, {giga(base.spec.macs)} GMACs, "
        f"{base.spec.params / 1e6:.1f} M parameters. What one other choice costs:"
    )
    print_table(
        ("choice", "ms", "more ms", "more", "GMACs", "M params"),
        [
            (
                each.words,
                milliseconds(each.ms),
                f"{each.ms - base.ms:+.3g}",
                f"{each.ms / base.ms - 1:+.1%}",
                giga(each.spec.macs),
                f"{each.spec.params / 1e6:.1f}",
            )
            for each in found.single
        ],
    )
    for name, reason in found.not_covered.items():
        note(f"not covered: {name}: {reason}")
    if found.not_covered:
        note(
            "measure them too: vitprof measure --space "
            f"{base.spec.family} --variants {base.spec.name}."
        )
    within = "" if max_latency is None else f" within {max_latency}"
    first = "the fastest first" if sort == "latency" else f"most {sort} first"
    click.echo(f"{len(found.ranked)} combinations{within}, {first}:")
    print_table(
        ("variant", "ms", "GMACs", "M params"),
        [
            (
                each.words,
                milliseconds(each.ms),
                giga(each.spec.macs),
                f"{each.spec.params / 1e6:.1f}",
            )
            for each in found.ranked[:top]
        ],
    )


def _write_csv(ranked: Sequence[Ranked], path: Path) -> None:
    import csv

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("variant", "latency_ms", "macs", "params"))
        for each in ranked:
            writer.writerow((each.words, f"{each.ms:.7g}", each.spec.macs, each.spec.params))
