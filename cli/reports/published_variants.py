"""A paper's ablation table for people: its rows here, beside what the paper says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..output import giga, milliseconds, note, print_table, say
from .speed import print_speed

if TYPE_CHECKING:
    from ...tables.ablations.published import PublishedVariants


def print_published(found: PublishedVariants) -> None:
    """Print every row, what is not covered and what the paper leaves open."""
    say(f"{found.title}: x is the speed over the first row's.")
    measured = any(not math.isnan(line.measured_ms) for line in found.lines)
    columns = ["ablation", "depths", "GMACs", "M params", "predicted ms"]
    columns += ["measured ms"] if measured else []
    columns += ["x", f"x paper {found.published.runtime}", "x paper GPU", "paper top-1 %"]
    lines = []
    for line in found.lines:
        row, spec = line.row, line.spec
        cells = [f"#{row.number} {row.words}", ",".join(map(str, row.depths))]
        cells += [giga(spec.macs), f"{spec.params / 1e6:.2f}", milliseconds(line.predicted_ms)]
        cells += [milliseconds(line.measured_ms)] if measured else []
        cells += ["-" if math.isnan(line.ms) else f"{found.speed(line):.2f}"]
        cells += [f"{found.paper_speed(line):.2f}", f"{found.paper_gpu_speed(line):.2f}"]
        lines.append((*cells, f"{row.top1:.1f}"))
    print_table(columns, lines)
    print_speed([found.at])
    say(
        f"Kendall's tau of the speeds here and in the paper ({found.published.runtime}): "
        f"{found.kendall_tau:.2f}"
    )
    for line in found.lines:
        if line.row.note:
            note(f"#{line.row.number}: {line.row.note}.")
    for name, reason in found.not_covered.items():
        note(f"not covered: {name}: {reason}")
    if found.not_covered:
        base = found.lines[0].spec
        note(
            "measure them too: vitprof measure --family "
            f"{base.family} --ablations {found.published.model}."
        )
