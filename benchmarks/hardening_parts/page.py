"""docs/results/hardening.md: one table for each part that has been run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from report import heading, table

from .outcomes import Outcome, read_rows

# Of each part: its title, and how a call is judged.
ABOUT = {
    "inputs": (
        "Hostile and broken input",
        "Each call gets one mutated file. It is done, or refused with exit code 2 and one sentence "
        "that names the file. A fault is anything else: a traceback, another exit code, a process "
        "that dies, more than 20 s of processor time, more than 2 GiB of memory beyond what the "
        "libraries take, code of the file that ran, a file written outside the working folder, a "
        "temporary file left behind, control characters in the output.",
    ),
    "parsers": (
        "Parsers",
        "Coverage-guided fuzzing with atheris. A parser returns, or raises the error that becomes "
        "a sentence; both count as done.",
    ),
    "kills": (
        "Kills",
        "Each run is killed (SIGKILL) at random moments and at calls that change a file, and "
        "started again until it is done; calls are kills. Its result is compared with that of a "
        "run that was never killed: all of it where the clock is a fixed one or nothing is "
        "measured, otherwise all but the measured figures.",
    ),
    "writes": (
        "Writes that fail",
        "The first, the second, … call that changes a file fails (disk full, an I/O error, a "
        "read-only file system), once or from then on. The command says so with exit code 2 and "
        "names a file, or does without it and is done. No file is torn, nothing is left beside the "
        "results, and the same command afterwards gives the result of a run without a fault.",
    ),
    "many": (
        "Many processes at once",
        "Two and twenty processes share one file or one device. No row or record is lost or "
        "doubled, and every process ends: its work is done, or it is refused because another one "
        "is at it.",
    ),
    "fleets": (
        "Faults of a fleet",
        "A Ray cluster of four machines (network namespaces with processes and temporary files of "
        "their own): a head, a desk where `measure --ray` runs, two workers. At a random moment "
        "of a run something fails; Ray gives up a node that has been silent for 15 s. In the end "
        "every point is in the table once, with the sessions that had been measured before, and "
        "no worker holds its device. Where the fault ends the command (the head or the command "
        "itself is gone), the same command is given again.",
    ),
    "signals": (
        "Signals and clocks",
        "A run gets SIGINT or SIGTERM at a random moment. It ends with exit code 130, leaves no "
        "temporary file and no process, and the same command afterwards gives the result of a run "
        "that was not interrupted. Under a time of day that jumps by hours the result is the same.",
    ),
    "soak": (
        "Soak",
        "One process measures a table and searches with another, again and again. Open files, "
        "threads, processes and temporary files may not grow, memory by 2 % and 8 MiB at most.",
    ),
}
COLUMNS = ("input or fault", "target", "calls", "done", "refused", "faults", "first seed")


def write_page(folder: Path, place: Path | None) -> int:
    """Write the page, or print it where there is no place; 1 where no part has been run."""
    found = {part: read_rows(folder, part) for part in ABOUT}
    found = {part: rows for part, rows in found.items() if rows}
    if not found:
        print(f"no part of the campaign has left a result in {folder}")
        return 1
    text = page(found)
    if place is None:
        print(text)
    else:
        place.write_text(text)
    return 0


def page(found: dict[str, Sequence[Outcome]]) -> str:
    parts = [heading("The hardening campaign")]
    parts.append(
        "A row is one target. Results are counts: each call is repeated by `--only TARGET --seed "
        "SEED`. What each format may do: [SECURITY.md](../../SECURITY.md); the limits: "
        "[limits](../limits.md).\n"
    )
    for part, rows in found.items():
        title, about = ABOUT[part]
        lines = [_line(row.what, row.target, row) for row in rows]
        lines.append(_line("**all**", "", _sum(rows)))
        parts.append(f"## {title}\n\n{about}\n\n{table(COLUMNS, lines)}")
    return "\n".join(parts)


def _line(what: str, target: str, row: Outcome) -> list[str]:
    counts = (row.calls, row.done, row.refused, row.faults)
    seed = "" if row.first_seed is None else str(row.first_seed)
    return [what, target, *(f"{count:,}" for count in counts), seed]


def _sum(rows: Sequence[Outcome]) -> Outcome:
    names = ("calls", "done", "refused", "faults")
    return Outcome("", "", *(sum(getattr(row, name) for row in rows) for name in names))
