"""What `vitprof bench --sustained` prints and writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...atomic_write import holds_something
from ...errors import UserError
from ..exit_codes import INTERRUPTED
from ..options.table_and_setting import check_picture, check_writable
from ..output import mebibytes, milliseconds, note, print_json, say
from .bench_table import TABLE_ENDINGS

if TYPE_CHECKING:
    from ...profiler.sustained.result import SustainedResult


def check_places(out: Path | None, plot: Path | None) -> None:
    """Raise UserError now for what could not be written after the run."""
    if out is not None:
        if out.suffix.lower() in TABLE_ENDINGS or (out.exists() and not out.is_dir()):
            raise UserError(f"{out} is a file; with `sustained`, `out` is a folder.")
        if holds_something(out):
            raise UserError(f"{out} is not empty; give another `out`.")
        check_writable(out / "report.json" if out.is_dir() else out)
    if plot is not None:
        check_picture(plot)
        check_writable(plot)


def show_sustained(
    result: SustainedResult, out: Path | None, plot: Path | None, as_json: bool
) -> int:
    """Print and write the result; return the exit code."""
    if out is not None:
        result.save(out)
    if plot is not None:
        result.plot(plot)
    if as_json:
        print_json(result.report() | ({} if out is None else {"out": str(out)}))
    else:
        print_sustained(result)
        for path in filter(None, (out, plot)):
            note(f"written: {path}")
    trace = result.trace
    if result.is_doubtful:
        note(
            f"unstable: other work interrupted {trace.set_aside} of {trace.runs} runs; stop it, or "
            "run this on a quiet machine."
        )
    if trace.interrupted:
        note(f"stopped after {trace.seconds:.1f} of {result.asked_s:g} s; the result so far.")
        return INTERRUPTED
    return int(result.is_doubtful)


def print_sustained(result: SustainedResult) -> None:
    """Print a line for each thing that was seen."""
    say(result.title)
    for name, words in _lines(result):
        say(f"  {name:<13}{words}")


def _lines(result: SustainedResult) -> list[tuple[str, str]]:
    report, trace = result.report(), result.trace
    lines = [
        ("runs", _runs(result)),
        (
            "session",
            f"loaded in {milliseconds(report['load_ms'])} ms; peak memory "
            f"{mebibytes(report['peak_bytes'])} MiB, {mebibytes(report['model_bytes'])} of it the "
            "model's",
        ),
        ("first run", f"{milliseconds(trace.first_ms)} ms"),
        ("warm runs", _warm(result)),
        ("throttling", result.throttling_in_words),
    ]
    if trace.throttled is not None:
        lines.append(("", f"the CPU slowed itself down {trace.throttled} times"))
    if trace.held_back is not None:
        lines.append(("", f"after {trace.held_back[0]:.1f} s {trace.held_back[1]}"))
    every = trace.intervals
    clocks = [one.mhz for one in every if one.mhz is not None]
    heat = [one.celsius for one in every if one.celsius is not None]
    lines.append(("clock", _span(clocks, "MHz", result.sources.clock)))
    lines.append(("temperature", _span(heat, "°C", result.sources.temperature)))
    energy = report["energy_per_run_j"]
    shown = energy if isinstance(energy, str) else f"{energy:.4g} J a run"
    lines.append(("energy", f"{shown} ({result.sources.energy})"))
    return lines


def _runs(result: SustainedResult) -> str:
    trace, report = result.trace, result.report()
    words = (
        f"{trace.runs}, {100 * report['working_share']:.1f}% of the time inside them; "
        f"{report['images_per_s']:.1f} images/s"
    )
    return f"{words}; {trace.set_aside} interrupted by other work" if trace.set_aside else words


def _warm(result: SustainedResult) -> str:
    report = result.report()
    spread = (
        f"{milliseconds(report['p10_ms'])} .. {milliseconds(report['p90_ms'])} ms (10th to 90th "
        f"percentile of the medians of {len(result.trace.intervals)} intervals)"
    )
    fast, steady = milliseconds(result.fast_ms), milliseconds(result.steady_ms)
    if result.throttling is None:
        return f"{fast} ms; {spread}"
    return f"fast {fast} ms, steady {steady} ms; {spread}"


def _span(values: list[float], unit: str, source: str) -> str:
    if not values:
        return f"unknown: {source}"
    first, last = values[0], values[-1]
    words = f"{first:.0f} {unit} at first, {last:.0f} at last"
    return f"{words}, {min(values):.0f} .. {max(values):.0f} ({source})"
