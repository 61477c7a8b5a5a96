"""What `vitprof breakdown` prints, and its CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..output import milliseconds, print_table

if TYPE_CHECKING:
    from ...profiler.breakdown.breakdown import Breakdown
    from ...verbs.breakdown import BreakdownResult

PROFILERS = {"onnxruntime": "ONNX Runtime's profiler", "torch": "PyTorch's profiler"}

_OF_A_DISTURBED_RUN = (
    " So far from 1, that is a sign that other work disturbed one of the two: run it again."
)


def write_classes(result: BreakdownResult, out: Path) -> None:
    """Write a line for each model and class as CSV."""
    from ...atomic_write import write_atomically

    write_atomically(out, result.to_frame().to_csv(index=False, float_format="%.6g"))


def print_breakdown(result: BreakdownResult) -> None:
    """Print each model's time by class, how it was found, the work, and the heaviest nodes."""
    from ...profiler.breakdown.classes import CLASSES, OTHER

    found, setting, top = result.models, result.setting, result.top
    kinds = [*CLASSES, *([OTHER] if any(one.other_ops for one in found) else [])]
    print_table(
        ("model", "ms", *kinds, "memory-bound"),
        [
            (
                one.model,
                milliseconds(one.latency_ms),
                *(_ms_and_share(one, kind) for kind in kinds),
                f"{one.memory_bound_share:.1%}",
            )
            for one in found
        ],
        title=f"Run time in ms: {setting.backend}, {setting.dtype}, batch {setting.batch}, "
        f"{setting.threads} thread{'s' if setting.threads > 1 else ''}",
    )
    for one in found:
        click.echo(_how(one, PROFILERS[setting.backend]))
    if setting.backend == "onnxruntime":
        _print_work(found)
    if top:
        print_table(
            ("model", "node", "op", "class", "ms", "share"),
            [
                (
                    one.model,
                    heavy.node.name[-64:],
                    heavy.node.op,
                    heavy.node.kind,
                    milliseconds(heavy.ms),
                    f"{heavy.share:.1%}",
                )
                for one in found
                for heavy in one.heaviest(top)
            ],
            title="Heaviest nodes",
        )


def _ms_and_share(one: Breakdown, kind: str) -> str:
    part = one.classes.get(kind)
    return f"{milliseconds(part.ms)} ({part.share:.1%})" if part else "-"


def _how(one: Breakdown, profiler: str) -> str:
    """Say where the shares come from, and what was done to them."""
    profile = one.profile
    recording = (
        f", {1e3 * profile.recording_ms:.0f} us a node taken off for recording it,"
        if profile.recording_ms
        else ""
    )
    return (
        f"{one.model}: the shares are those of an instrumented run ({profiler}) of "
        f"{milliseconds(profile.total_ms)} ms: {milliseconds(profile.nodes_ms)} in "
        f"{len(profile.nodes)} nodes{recording} and {milliseconds(profile.outside_ms)} outside "
        f"any; times are scaled by {one.scale:.3g} to the {milliseconds(one.latency_ms)} ms that "
        f"it takes without.{_OF_A_DISTURBED_RUN if one.was_disturbed else ''}"
    )


def _print_work(found: Sequence[Breakdown]) -> None:
    """Print what each class computes and moves, and how fast."""

    def number(value: float | None, unit: float = 1.0) -> str:
        return f"{value / unit:.3g}" if value else "-"

    print_table(
        ("model", "class", "nodes", "GMACs", "MB", "GMAC/s", "GB/s", "MACs/byte"),
        [
            (
                one.model,
                kind,
                str(part.nodes),
                number(part.macs, 1e9),
                number(part.bytes, 1e6),
                number(part.gmacs_per_s),
                number(part.gbytes_per_s),
                number(part.macs_per_byte),
            )
            for one in found
            for kind, part in one.classes.items()
            if part.nodes
        ],
        title="Work: what each class computes, and what its nodes read and write",
    )
