"""The page of `vitprof report` in a real Chromium: its numbers, size, speed and ceilings.

    python benchmarks/report_page.py --table lut.csv --out ../docs/results/report.md

The calculator is asked for 1,000 random models of every family. Equality depends on no latency, so
families that the given table does not hold have made-up ones. Time to interactive is from the start
of loading the file until the page answers, the median of several loads in fresh contexts. The
ceilings are measured several times on the table's own machine.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import vitprof
from playwright.sync_api import Browser, sync_playwright
from report import heading, publish, table
from vitprof.errors import UserError
from vitprof.models import Block, Spec
from vitprof.spaces.registry import families_with_spaces, slabs_class
from vitprof.spaces.slabs import MeasuringSpace
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.calibration.calibrate import calibrated
from vitprof.verbs.ceilings import CeilingsResult

QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
)
ASK = """specs => specs.map(spec => {
    const { ms, low, high, macs, params } = vitprof.answer(spec);
    return [ms, low, high, macs, params];
})"""


def made_up(space: MeasuringSpace) -> LatencyTable:
    """Return a table of a space's blocks with latencies that no line hits, and eight models."""

    def row(subject: Block | Spec, ms: float, **others: Any) -> Row:
        return Row(subject, latency_ms=ms, low_ms=0.98 * ms, high_ms=1.02 * ms, **others)

    def ms_of(block: Block) -> float:
        waves = math.sin(sum((n + 1) * value for n, (_, value) in enumerate(block.dims)))
        return 0.02 + block.macs / 3e7 * (1 + 0.2 * waves)

    setting = Setting("cpu", "onnxruntime", "CPUExecutionProvider")
    rows = [row(block, ms_of(block)) for block in space.blocks()]
    lone = LatencyTable(rows, setting)
    for n, spec in enumerate(space.calibration_models(8)):
        ms = (1.08 + 0.01 * n) * lone.predict(spec, extrapolate=True).ms + 0.3
        rows.append(replace(row(spec, ms), context="in_model"))
    return calibrated(LatencyTable(rows, setting))


def compared(
    browser: Browser, lut: LatencyTable, space: MeasuringSpace, count: int
) -> tuple[int, int, float]:
    """Return how many of so many models both answer, on how many they disagree, and the worst.

    The worst is the largest relative difference of ms, both ends of the interval, MACs and
    parameters.
    """
    rng = random.Random(1)
    specs = [space.sample(rng, name=f"random-{n}") for n in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        vitprof.report(lut).save(path)
        page = browser.new_page()
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        answers: Sequence[Any] = page.evaluate(ASK, [spec.to_dict() for spec in specs])
        page.close()
    both, apart, worst = 0, 0, 0.0
    for spec, answer in zip(specs, answers, strict=True):
        try:
            found = lut.predict(spec)
        except UserError:
            apart += answer[0] is not None
            continue
        if answer[0] is None:
            apart += 1
            continue
        both += 1
        wanted = (found.ms, found.low_ms, found.high_ms, spec.macs, spec.params)
        differences = [abs(a - b) / max(abs(b), 1e-12) for a, b in zip(answer, wanted, strict=True)]
        worst = max(worst, *differences)
    return both, apart, worst


def interactive_s(browser: Browser, path: Path, loads: int) -> list[float]:
    """Return the seconds until the page answers, of each load in a fresh context."""
    found = []
    for _ in range(loads):
        context = browser.new_context()
        page = context.new_page()
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        found.append(float(page.evaluate("document.documentElement.dataset.ready")) / 1e3)
        context.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", default="lut.csv")
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--loads", type=int, default=7)
    parser.add_argument(
        "--ceilings", type=int, default=2, help="How often they are measured; 0: not."
    )
    parser.add_argument("--out")
    given = parser.parse_args()
    lut = vitprof.LatencyTable.read_csv(given.table)
    ceilings = [vitprof.ceilings(lut) for _ in range(given.ceilings)]
    chromium = shutil.which("chromium")
    assert chromium is not None, "there is no Chromium"
    lines = []
    with sync_playwright() as started, tempfile.TemporaryDirectory() as folder:
        browser = started.chromium.launch(executable_path=chromium, args=list(QUIET))
        own = Path(folder) / "report.html"
        known = Path(folder) / "ceilings.json"
        if ceilings:
            known.write_text(json.dumps(ceilings[0].report()))
        page = vitprof.report(lut, ceilings=known if ceilings else None)
        page.save(own)
        seconds = interactive_s(browser, own, given.loads)
        for family in families_with_spaces():
            space = slabs_class(family).create()
            measured = family in lut.calibrations
            table_of = lut if measured else made_up(space)
            both, apart, worst = compared(browser, table_of, space, given.models)
            kind = "measured" if measured else "made up"
            lines.append((family, kind, str(both), str(apart), f"{worst:.1e}"))
            print(lines[-1], flush=True)
        version = browser.version
        browser.close()
    parts = [
        heading("The page of vitprof report"),
        f"Chromium {version}, headless.\n\n## Calculator against predict\n",
        f"{given.models:,} random models of each family; the largest relative difference of "
        "milliseconds, both ends of the interval, MACs and parameters. Asked: at most 1e-06.\n",
        table(
            ("family", "latencies", "answered by both", "one alone answers", "largest difference"),
            lines,
        ),
        "\n## The page of the default table\n",
        f"{len(lut.rows)} rows: {page.size_bytes / 1e3:.0f} kB (asked: at most 2,000). Interactive "
        f"after {statistics.median(seconds):.2f} s, the median of {len(seconds)} loads "
        f"({min(seconds):.2f} to {max(seconds):.2f}; asked: at most 1).\n",
    ]
    if ceilings:
        parts += _of_ceilings(ceilings)
    publish("\n".join(parts), given.out)


def _of_ceilings(ceilings: Sequence[CeilingsResult]) -> list[str]:
    parts = [
        "\n## Ceilings\n",
        "Each measurement repeats fresh sessions until three are within 2 % of the best, for at "
        "most a minute.\n",
        table(
            ("measurement", "GMAC/s", "GB/s", "third best session lower by"),
            [
                (
                    str(n + 1),
                    f"{one.gmacs_per_s:.4g}",
                    f"{one.gbytes_per_s:.4g}",
                    f"{one.gmacs_difference:.1%}, {one.gbytes_difference:.1%}",
                )
                for n, one in enumerate(ceilings)
            ],
        ),
    ]
    if len(ceilings) > 1:
        products = [one.gmacs_per_s for one in ceilings]
        memory = [one.gbytes_per_s for one in ceilings]
        apart_of = [1 - min(some) / max(some) for some in (products, memory)]
        parts.append(
            f"\nThe measurements differ by {apart_of[0]:.1%} and {apart_of[1]:.1%}; asked: at most "
            "3 %.\n"
        )
    return parts


if __name__ == "__main__":
    main()
