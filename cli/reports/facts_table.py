"""Printing what deployed models are and do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..output import milliseconds, note, print_json, print_table

if TYPE_CHECKING:
    from ...profiler.deployed.facts import Facts
    from ...profiler.deployed.result import DeployedModels

MEBI = 2**20


def print_facts(facts: Sequence[Facts], title: str = "model") -> None:
    """Print one line a model; `x` columns are over the first one."""
    first = facts[0]
    compared = any(one.output_error is not None for one in facts)
    last = ("output error",) if compared else ("top-1", "top-3", "test s")
    print_table(
        (
            title,
            "M params",
            "MiB file",
            "x file",
            "ms",
            "95 % interval",
            "x ms",
            "CPU %",
            "MiB memory",
            "MiB process",
            *last,
        ),
        [
            (
                one.name,
                f"{one.params / 1e6:.3g}",
                f"{one.file_bytes / MEBI:.2f}",
                f"{one.file_bytes / first.file_bytes:.3f}",
                milliseconds(one.latency_ms),
                f"{milliseconds(one.low_ms)} .. {milliseconds(one.high_ms)}",
                f"{one.latency_ms / first.latency_ms:.2f}",
                f"{one.cpu_percent:.0f}",
                f"{one.model_bytes / MEBI:.1f}",
                f"{one.peak_bytes / MEBI:.0f}",
                *((_percent(one.output_error),) if compared else _tested(one)),
            )
            for one in facts
        ],
    )
    for one in facts:
        if one.disturbed:
            note(f"unstable: {one.name}: other programs ran whenever it was measured.")


def print_deployed(
    found: DeployedModels, as_json: bool, title: str = "model", remarks: Sequence[str] = ()
) -> int:
    """Print models that were measured side by side; 1 where the machine did other things."""
    if as_json:
        print_json(found.report())
    else:
        print_facts(found.facts, title)
        for remark in (*found.remarks, *remarks):
            note(remark)
        note(f"written: {found.out}")
    return int(found.is_doubtful)


def _tested(one: Facts) -> tuple[str, str, str]:
    seconds = "-" if one.test_s is None else f"{one.test_s:.1f}"
    return _percent(one.top1), _percent(one.top3), seconds


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"
