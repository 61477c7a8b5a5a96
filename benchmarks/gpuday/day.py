"""The day: parts one after the other, each survived, the report written after every one."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from .gpu import gpu_name, slug
from .outcome import Outcome, run_part
from .page import page
from .part import BUDGET_S, PARTS, Part
from .source_tree import ROOT, environment_of_children


def main(arguments: Sequence[str], description: str, parts: Sequence[Part] = PARTS) -> int:
    """Return 0 where every part ended well, 1 where one did not, 2 for what cannot be run."""
    given = _parser(description, parts).parse_args(arguments)
    gpu = None if given.rehearse else gpu_name()
    if gpu is None and not given.rehearse:
        print(
            "gpu_day.py: no NVIDIA driver answers on this machine (nvidia-smi); run this on the "
            "machine that has the GPU, or rehearse it on the CPU with --rehearse.",
            file=sys.stderr,
        )
        return 2
    chosen = [part for part in parts if not given.parts or part.name in given.parts]
    day = Path(given.folder or tempfile.mkdtemp(prefix="gpu-day-")).resolve()
    name = given.name or (slug(gpu) if gpu else "rehearsal")
    # A rehearsal's figures are not results.
    out = Path(given.out or (ROOT / "docs/results/gpu" if gpu else day)) / f"{name}.md"
    title = f"The first day on {gpu}" if gpu else "A rehearsal of the first day on a GPU"
    command = " ".join(["python", "benchmarks/gpu_day.py", *arguments])
    measured = (
        f"{datetime.now(UTC):%Y-%m-%d}; {gpu or 'no GPU'}; {platform.system()} on "
        f"{platform.machine()}, {os.cpu_count()} processors; Python {platform.python_version()}. "
        f"`{command}`"
    )

    def report(outcomes: dict[str, Outcome]) -> None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page(title, measured, chosen, outcomes, day), encoding="utf-8")

    outcomes = run_all(chosen, day, given.budget, "rehearse" if given.rehearse else "", report)
    print(f"Report: {out}\nWhat each part wrote: {day} (--folder goes on there)")
    return 1 if any(one.is_bad for one in outcomes.values()) else 0


def run_all(
    parts: Sequence[Part],
    day: Path,
    budget_s: float,
    mode: str,
    report: Callable[[dict[str, Outcome]], None],
) -> dict[str, Outcome]:
    """Run what has not ended well in an earlier call, until the budget is spent."""
    environment = environment_of_children(day)
    ends = time.monotonic() + budget_s
    outcomes: dict[str, Outcome] = {}
    for part in parts:
        before = Outcome.read(part.folder(day))
        left = ends - time.monotonic()
        if before is not None and not before.is_bad:
            outcomes[part.name] = before
        elif left < min(part.least, part.seconds):
            why = f"{max(left, 0):.0f} s of {budget_s:.0f} s were left; it needs {part.least:.0f}"
            outcomes[part.name] = before or Outcome("skipped", why)
        else:
            print(f"{part.title} (up to {min(part.seconds, left):.0f} s)", flush=True)
            outcomes[part.name] = run_part(part, day, environment, min(part.seconds, left), mode)
            ended = outcomes[part.name]
            print(f"  {ended.state} in {ended.seconds:.0f} s {ended.why}".rstrip(), flush=True)
        report(outcomes)
    return outcomes


def _parser(description: str, parts: Sequence[Part]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gpu_day.py",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [part.name for part in parts]
    parser.add_argument("--folder", help="keep what parts write here; go on where it stopped")
    parser.add_argument("--out", help="folder of the report (default: docs/results/gpu)")
    parser.add_argument("--name", help="name of the report (default: the GPU's)")
    parser.add_argument("--parts", nargs="+", choices=names, help="only these parts")
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="seconds for all of it")
    parser.add_argument(
        "--rehearse", action="store_true", help="the same parts on this CPU, with tiny models"
    )
    return parser
