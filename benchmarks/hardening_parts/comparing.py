"""Whether two runs of a command left the same results, and whether one lost what it had."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vitprof.errors import UserError
from vitprof.tables import LatencyTable

# Drawn by libraries that write the date, or of measured figures: they have to be there.
PICTURES = (".png", ".svg", ".pdf", ".html")


def differences(reference: Path, found: Path, volatile: Iterable[str]) -> list[str]:
    """Return in words how the files below two folders differ, apart from the `volatile` fields."""
    names = [
        {str(p.relative_to(one)) for p in one.rglob("*") if p.is_file()}
        for one in (reference, found)
    ]
    faults = [f"{name} is missing" for name in sorted(names[0] - names[1])]
    faults += [f"{name} is left over" for name in sorted(names[1] - names[0])]
    left_out = frozenset(volatile)
    for name in sorted(names[0] & names[1]):
        first, second = reference / name, found / name
        if first.suffix in PICTURES:
            if not second.stat().st_size:
                faults.append(f"{name} is empty")
        elif first.read_bytes() != second.read_bytes() and not _same(first, second, left_out):
            faults.append(f"{name} differs")
    return faults


def _same(first: Path, second: Path, volatile: frozenset[str]) -> bool:
    try:
        return _content(first, volatile) == _content(second, volatile)
    except (ValueError, UnicodeDecodeError):
        return False


def _content(path: Path, volatile: frozenset[str]) -> Any:
    """Return what a file says apart from the volatile fields; of another kind, its bytes."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return _without(json.loads(text), volatile)
    if path.suffix == ".jsonl":
        return [_without(json.loads(line), volatile) for line in text.splitlines()]
    if path.suffix == ".csv":
        lines = text.splitlines()
        head = [line for line in lines if line.startswith("#")]
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
        headers = [_without(json.loads(line[1:]), volatile) for line in head[1:2]]
        return headers, [{k: v for k, v in row.items() if k not in volatile} for row in rows]
    if path.suffix == ".xml":
        return re.sub(r' (timestamp|time)="[^"]*"', "", text)
    if path.suffix == ".md":  # a report of figures that were measured, and remarks on them
        kept = [line for line in text.splitlines() if line and not line.startswith("- ")]
        text = "\n".join(kept)
        return re.sub(r"[-+]?\d[\d.,]*( ?%| ?ms| ?s)?", "N", text)
    return path.read_bytes()


def _without(value: Any, volatile: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {k: _without(v, volatile) for k, v in value.items() if k not in volatile}
    if isinstance(value, list):
        return [_without(one, volatile) for one in value]
    return value


def kept_lines(path: Path) -> list[str]:
    """Return the whole lines of a growing file but for its first ones: rows and records."""
    if not path.is_file():
        return []
    whole, newline, _ = path.read_bytes().rpartition(b"\n")
    lines = whole.decode(errors="replace").splitlines() if newline else []
    if path.suffix == ".csv":
        return [line for line in lines if not line.startswith(("#", "op,"))]
    return lines[1:]


def lost_lines(before: list[str], after: list[str]) -> list[str]:
    """Return the lines of `before` that are not in `after`, as often as they were."""
    return list((Counter(before) - Counter(after)).elements())


def read_table(path: Path) -> LatencyTable | None:
    """Return the table in a file, None where it holds none yet."""
    if not path.exists() or path.suffix != ".csv":
        return None
    try:
        return LatencyTable.read_csv(path)
    except UserError:
        return None


def whole_table(path: Path) -> bool:
    """Whether a file is a table that is measured to its end."""
    table = read_table(path)
    return table is not None and not table.unfinished


def doubled_points(path: Path) -> list[str]:
    """Return the points that a finished table holds twice."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    measured = ("_ms", "sessions", "samples", "verdict", "error", "measured_at", "reference")
    seen: dict[str, int] = {}
    for row in rows:
        key = json.dumps({k: v for k, v in row.items() if not k.endswith(measured)})
        seen[key] = seen.get(key, 0) + 1
    return [key for key, count in seen.items() if count > 1]
