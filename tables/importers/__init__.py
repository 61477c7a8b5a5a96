"""Other tools' latency tables as tables of ours: what they say, and where it comes from."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UserError, did_you_mean
from ..header import TableHeader
from ..setting import Setting
from ..table import LatencyTable
from . import neusight, nnmeter, nvit, ofa
from .entries import Entries
from .strict_files import read_text
from .units import check_unit, unit_of

# Format -> its reader, and a piece of text that only its files have.
FORMATS: dict[str, tuple[Callable[[Path, int], Entries], tuple[str, ...]]] = {
    "nnmeter": (nnmeter.read, ('"transattn_', '"transffn_', '"firstconv_')),
    "ofa": (ofa.read, ("expanded_conv-input:", "Conv-input:")),
    "nvit": (nvit.read, ('"EMB_',)),
    "neusight": (neusight.read, ("OPName,",)),
}
_LOOKED_AT = 4096


@dataclass(frozen=True)
class Imported:
    """The table, the keys nothing was known to do with, and blocks measured repeatedly.

    `overruled` is the unit that the format defines where another one was given.
    """

    table: LatencyTable
    unknown: list[str]
    repeated: list[str]
    overruled: str | None = None

    @property
    def ops(self) -> dict[str, int]:
        """How many rows each op has, in the table's order."""
        return dict(Counter(str(row.subject).partition("(")[0] for row in self.table.block_rows))

    def report(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "rows": len(self.table.rows),
            "ops": self.ops,
            "unknown": self.unknown,
            "repeated": self.repeated,
            **self.table.header.entries(),
        }


def import_table(
    kind: str,
    path: str | Path,
    device: str | None = None,
    dtype: str | None = None,
    batch: int = 1,
    tokens: int = 197,
    unit: str | None = None,
) -> Imported:
    """Read a file of another tool; `tokens` is the sequence length where the file has none.

    `unit` ("s", "ms", "us" or "ns") is that of the file's latencies; it is needed where the format
    defines none, and stands above the format's own. Raises UserError for an unknown format, a file
    that is damaged or of another format, and where nobody says which device it is about or which
    unit it is in.
    """
    if kind not in FORMATS:
        raise UserError(f"unknown format '{kind}'{did_you_mean(kind, FORMATS)}.")
    if unit is not None:
        check_unit(unit)
    path = Path(path)
    text = read_text(path)
    _check_format(kind, path, text[:_LOOKED_AT])
    entries = FORMATS[kind][0](path, tokens)
    if not entries.latencies:
        raise UserError(f"{path} holds no entry that `kind` {kind} knows; is it of another format?")
    named = " and ".join(sorted(entries.devices))
    if device is None and len(entries.devices) != 1:
        raise UserError(
            f"{path} names {named or 'no device'}; say which device it is about (`device`)."
        )
    known_unit = unit_of(unit, entries.unit, entries.tool, str(path), entries.medians(batch))
    setting = Setting(
        device=device or named,
        backend="imported",
        provider=entries.tool,
        batch=batch,
        dtype=dtype or "unknown",
    )
    origin: dict[str, Any] = {
        "tool": entries.tool,
        "format": kind,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "unit": known_unit.name,
        "unit_from": known_unit.from_whom,
        "devices_named": sorted(entries.devices),
        "unknown_keys": len(entries.unknown),
    }
    header = TableHeader(setting, imported=(origin,))
    table = LatencyTable(entries.rows(known_unit), header, source=str(path))
    other = entries.unit if entries.unit != known_unit.name else None
    repeated = [str(block) for block in entries.repeated]
    return Imported(table, entries.unknown, repeated, other)


def _check_format(kind: str, path: Path, start: str) -> None:
    """Raise UserError where the file's beginning is that of another format."""
    if any(mark in start for mark in FORMATS[kind][1]):
        return
    for other, (_, marks) in FORMATS.items():
        if any(mark in start for mark in marks):
            raise UserError(f"{path} looks like a file of {other}: use `kind` {other}.")


__all__ = ["FORMATS", "Imported", "import_table"]
