"""Models by runtimes, for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...tables.told_by_runtime import MOST_CORES_PER_THREAD
from ..output import mebibytes, milliseconds, note, print_table, say

if TYPE_CHECKING:
    from ...profiler.runtimes.facts import RuntimeFacts
    from ...profiler.runtimes.result import RuntimeComparison


def print_runtimes(found: RuntimeComparison) -> None:
    """Print a table a model, fastest first, what failed, the advice, and Kendall's tau."""
    for model in found.models:
        of_model = [one for one in found.facts if one.model == model]
        _print_model(model, [one for one in of_model if one.is_measured])
        for one in of_model:
            if not one.is_measured:
                note(f"failed: {one.model} by {one.name}: {one.error}")
    _note_cores(found)
    for sentence in found.advice:
        say(f"Take {sentence}")
    taus = found.kendall_taus
    if taus:
        print_table(
            ("runtime", "and", "Kendall tau of their orders"),
            [(one, other, f"{tau:.3f}") for (one, other), tau in taus.items()],
        )
    for sentence in found.missing:
        note(f"not compared: {sentence}")


def _print_model(model: str, measured: list[RuntimeFacts]) -> None:
    if not measured:
        return
    ordered = sorted(measured, key=lambda one: one.latency_ms)
    print_table(
        (model, "ms", "95 % interval", "x", "off by", "MiB", "load ms", "first ms", "peak MiB"),
        [
            (
                one.name,
                milliseconds(one.latency_ms),
                f"{milliseconds(one.low_ms)} .. {milliseconds(one.high_ms)}",
                f"{one.latency_ms / ordered[0].latency_ms:.2f}",
                "-" if math.isnan(one.output_error) else f"{one.output_error:.0e}",
                mebibytes(one.file_bytes),
                milliseconds(one.load_ms),
                milliseconds(one.first_run_ms),
                f"{one.peak_bytes / 2**20:.0f}",
            )
            for one in ordered
        ],
    )


def _note_cores(found: RuntimeComparison) -> None:
    """Tell which runtimes keep more cores busy than they were given threads."""
    busy: dict[str, float] = {}
    for one in found.facts:
        if one.is_measured and one.cores > MOST_CORES_PER_THREAD * found.threads:
            busy[one.name] = max(busy.get(one.name, 0.0), one.cores)
    for name, cores in busy.items():
        note(f"warning: {name} keeps {cores:.1f} cores busy and was given {found.threads}.")
