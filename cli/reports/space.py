"""What `vitprof space` prints."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ..output import milliseconds, note, print_table, say

if TYPE_CHECKING:
    from ...search.described_space import DescribedSpace
    from ...spaces.gene import Gene
    from ...spaces.space import SearchSpace


def print_spaces(spaces: Sequence[SearchSpace]) -> None:
    """Print the spaces that are known by name."""
    print_table(
        ("space", "family", "models", "choices"),
        [(one.name, one.family, f"{one.count():.3g}", str(len(one.genes))) for one in spaces],
    )


def print_space(found: DescribedSpace) -> None:
    """Print one space: its choices, its rules, and what its ends cost."""
    space = found.space
    say(found.title)
    print_table(
        ("choice", "of"),
        [(name, ", ".join(f"{v:g}" for v in values)) for name, values in _together(space.genes)],
    )
    if space.never_shrink:
        say(f"Widths never shrink along {', '.join(space.never_shrink)}.")
    for width, by in space.shared_out:
        say(f"{by} divides {width}.")
    lines = []
    for end, of in found.ends.items():
        ms = (milliseconds(float(of.latency_ms[0, 0])),) if of.latency_ms.size else ()
        lines.append((end, f"{of.params[0] / 1e6:.3g}", f"{of.macs[0] / 1e6:.4g}", *ms))
    print_table(("model", "M params", "M MACs", *(("ms",) if len(lines[0]) > 3 else ())), lines)
    if found.files:
        note(f"written: {len(found.files)} specs to {found.files[0].parent}")


def _together(genes: Sequence[Gene]) -> list[tuple[str, tuple[float, ...]]]:
    """Return names and values, in one line where a layer or stage after another has the same."""
    lines: dict[tuple[str, str], list[tuple[int, tuple[float, ...]]]] = {}
    for gene in genes:
        block, _, choice = gene.name.rpartition(".")
        kind, _, number = block.rpartition("-")
        place = int(number) if number.isdecimal() else 0
        lines.setdefault((kind if place else block, choice), []).append((place, gene.values))
    found = []
    for (kind, choice), alike in lines.items():
        for values, same in groupby(alike, key=lambda one: one[1]):
            places = [place for place, _ in same]
            numbers = f"{places[0]}" if len(places) == 1 else f"{places[0]} to {places[-1]}"
            block = f"{kind}-{numbers}" if places[0] else kind
            found.append((f"{block}.{choice}" if block else choice, values))
    return found
