"""NeuSight's operators: a CSV an operator, with dims by letter and milliseconds in `Latency`.

The files state no unit, but the tool that reads them does.
"""

from __future__ import annotations

from pathlib import Path

from ...errors import UserError
from ...models import Block
from ...models.checks import shown
from .entries import Entries
from .strict_files import latency, read_csv_rows

# The operator's name in the file -> our op, and the file's columns of its axes.
_PRODUCT = {"matrices": "B", "rows": "M", "columns": "N", "inner": "K"}
_ROWS = {"rows": "B", "columns": "H"}
_OPERATORS = {
    "linear": ("linear", _PRODUCT),
    "bmm": ("bmm", _PRODUCT),
    "softmax": ("softmax", _ROWS),
    "ln": ("layer_norm", _ROWS),
    "gelu": ("gelu", _ROWS),
}


def read(path: Path, tokens: int) -> Entries:
    """Return the file's operators; dims that stand there twice get the median and are reported."""
    found = Entries("NeuSight", "ms", repeats=True)
    for line, row in read_csv_rows(path, ("OPName", "Latency", "Device")):
        where = f"{path}, line {line}"
        taken = latency(row["Latency"], f"{where}: Latency", written=True)
        if row["OPName"] not in _OPERATORS:
            found.unknown.append(f"line {line}: {row['OPName'][:80]}")
            continue
        op, columns = _OPERATORS[row["OPName"]]
        dims = {axis: _whole(row, column, where) for axis, column in columns.items()}
        found.add(Block.of(op, **dims), taken, where)
        found.devices.add(row["Device"])
    return found


def _whole(row: dict[str, str], column: str, where: str) -> int:
    text = row.get(column, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) > 0):
        raise UserError(f"{where}: {column} is {shown(text)}, not a whole number from 1.")
    return int(text)
