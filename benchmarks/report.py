"""What every benchmark prints around its figures: machine, versions, date, command."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from vitprof.backends import cpu_facts


def heading(title: str) -> str:
    """Return a markdown heading with where and when the figures below it were measured."""
    facts = cpu_facts()
    machine = f"{facts['cpu']}, {facts['cores_available']} cores, {facts['memory_gib']} GiB"
    versions = ", ".join(f"{name} {version(name)}" for name in ("vitprof", "onnxruntime", "torch"))
    command = " ".join(["python", *(a for a in sys.argv)])
    return (
        f"# {title}\n\n"
        f"{datetime.now(UTC):%Y-%m-%d}; {machine}; {facts['os']}; "
        f"Python {platform.python_version()}, {versions}. `{command}`\n"
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def publish(text: str, out: str | None) -> None:
    """Print the report, and write it to `out` where one is given."""
    print(text)
    if out:
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        Path(out).write_text(text)
