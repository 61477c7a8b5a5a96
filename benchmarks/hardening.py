"""The hardening campaign: hostile input, kills, failing writes, crowds, fleets, signals.

    python benchmarks/hardening.py inputs [--count N] [--seed S] [--out FOLDER] [--only TARGET]
    python benchmarks/hardening.py report [--out FOLDER] [--page docs/results/hardening.md]

Each part writes its rows to FOLDER/PART.json; `report` makes one page of them. Seeds are fixed, so
a second run makes the same calls. Results are counts, so a busy machine does not change them.
`hardening.py PART --help` lists what else a part takes.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from hardening_parts.outcomes import write_rows
from hardening_parts.page import write_page

# A part is a module with `add_options(parser)` and `run(options) -> rows`.
PARTS = {
    "inputs": "mutated and hostile files, given to every command that reads one",
    "parsers": "coverage-guided fuzzing of the parsers, with atheris",
    "kills": "SIGKILL at random moments of every command that can continue",
    "writes": "every write of every command fails in turn",
    "many": "two and twenty processes at once on one file, device or log",
    "fleets": "nodes, cables, clocks and the head of a Ray cluster fail during a measurement",
    "signals": "Ctrl-C and SIGTERM at random stages, and a clock that jumps",
    "soak": "measure and search in a loop: memory, handles, files and threads",
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    asked = arguments[0] if arguments else ""
    for name, about in PARTS.items():
        part = parts.add_parser(name, help=about, description=about)
        part.add_argument("--count", type=int, help="calls of each target")
        part.add_argument("--seed", type=int, default=0, help="the first seed")
        _add_out(part)
        if name == asked:  # torch and others are imported by the part that is run
            importlib.import_module(f"hardening_parts.{name}").add_options(part)
    report = parts.add_parser("report", help="one page of all parts that have been run")
    _add_out(report)
    report.add_argument("--page", type=Path, help="where to write it (default: print it)")
    options = parser.parse_args(arguments)
    if options.part == "report":
        return write_page(options.out, options.page)
    rows = importlib.import_module(f"hardening_parts.{options.part}").run(options)
    write_rows(options.out, options.part, rows)
    return 1 if any(row.faults for row in rows) else 0


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, default=Path("hardening"), help="folder of results (%(default)s)"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
