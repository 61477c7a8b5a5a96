"""A model's variants for people: what each choice costs, and the best combinations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..output import giga, milliseconds, note, print_table, say
from .speed import print_speed

if TYPE_CHECKING:
    from ...tables.ablations.ablations import Variants


def print_variants(found: Variants, top: int, max_latency: str | None, sort: str) -> None:
    """Print what each choice costs, what is not covered, and the first combinations."""
    base = found.base
    say(
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
    print_speed([found.at])
    for name, reason in found.not_covered.items():
        note(f"not covered: {name}: {reason}")
    if found.not_covered:
        note(
            "measure them too: vitprof measure --family "
            f"{base.spec.family} --ablations {base.spec.name}."
        )
    within = "" if max_latency is None else f" within {max_latency}"
    first = "the fastest first" if sort == "latency" else f"most {sort} first"
    say(f"{len(found.ranked)} combinations{within}, {first}:")
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
