"""What `vitprof breakdown` prints, and its CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...shown import csv_frame
from ..output import milliseconds, print_table, say

if TYPE_CHECKING:
    from ...profiler.breakdown.breakdown import BlockTime, Breakdown, NodeTime, PartTime
    from ...verbs.breakdown import BreakdownResult, Level

PROFILERS = {
    "onnxruntime": "ONNX Runtime's profiler",
    "openvino": "OpenVINO's counters",
    "torch": "PyTorch's profiler",
}

_OF_A_DISTURBED_RUN = (
    " So far from 1, that is a sign that other work disturbed one of the two: run it again."
)


# Shorter nodes share a line.
_LEAST_SHARE = 0.001
_WIDEST_NAME = 64


def write_rows(result: BreakdownResult, out: Path, level: Level) -> None:
    """Write a line for each model and class, or node, as CSV."""
    from ...atomic_write import write_atomically

    write_atomically(
        out, csv_frame(result.to_frame(level)).to_csv(index=False, float_format="%.6g")
    )


def print_breakdown(result: BreakdownResult, nodes: bool = False) -> None:
    """Print each model's time by class, how it was found, the work, and the heaviest nodes.

    With `nodes`, its blocks with the nodes of each too.
    """
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
        say(_how(one, PROFILERS[setting.backend]))
    if setting.backend == "onnxruntime":
        _print_work(found)
    for one in found if nodes else ():
        _print_blocks(one)
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


def _print_blocks(one: Breakdown) -> None:
    """Print a line a block, and below it one a node."""
    rows = []
    for block in one.blocks:
        rows += [_block_row(block), *_node_rows(block)]
    print_table(
        ("block and node", "op", "class", "nodes", "ms", "share", "GMACs", "GMAC/s", "GB/s"),
        rows,
        title=f"Blocks of {one.model}, in the order they run",
    )


def _block_row(block: BlockTime) -> tuple[str, ...]:
    part = block.part
    return (block.label.name, block.label.op, "", str(part.nodes), *_numbers(part, part.macs))


def _node_rows(block: BlockTime) -> list[tuple[str, ...]]:
    long = [one for one in block.nodes if one.share >= _LEAST_SHARE]
    rows = [
        (f"  {_came_from(one)}", one.node.op, one.node.kind, "", *_numbers(one, one.node.work.macs))
        for one in long
    ]
    short = [one for one in block.nodes if one.share < _LEAST_SHARE]
    if short:
        ms, share = sum(one.ms for one in short), sum(one.share for one in short)
        what = "others" if long else "nodes"
        rows.append(
            (
                f"  {what} below {_LEAST_SHARE:.1%}",
                "",
                "",
                str(len(short)),
                milliseconds(ms),
                f"{share:.1%}",
                "",
                "",
                "",
            )
        )
    return rows


def _came_from(one: NodeTime) -> str:
    origin = one.origin
    known = (origin.module or origin.node) if origin is not None else ""
    return (known or one.node.name)[-_WIDEST_NAME:]


def _numbers(one: PartTime | NodeTime, macs: int | None) -> tuple[str, ...]:
    return (
        milliseconds(one.ms),
        f"{one.share:.1%}",
        _number(macs, 1e9),
        _number(one.gmacs_per_s),
        _number(one.gbytes_per_s),
    )


def _number(value: float | None, unit: float = 1.0) -> str:
    return f"{value / unit:.3g}" if value else "-"


def _print_work(found: Sequence[Breakdown]) -> None:
    """Print what each class computes and moves, and how fast."""
    print_table(
        ("model", "class", "nodes", "GMACs", "MB", "GMAC/s", "GB/s", "MACs/byte"),
        [
            (
                one.model,
                kind,
                str(part.nodes),
                _number(part.macs, 1e9),
                _number(part.bytes, 1e6),
                _number(part.gmacs_per_s),
                _number(part.gbytes_per_s),
                _number(part.macs_per_byte),
            )
            for one in found
            for kind, part in one.classes.items()
            if part.nodes
        ],
        title="Work: what each class computes, and what its nodes read and write",
    )
