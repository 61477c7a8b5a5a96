"""Whole models as timed on phones: a line a model, a column a phone and way of running.

    model,flops,size,pixel4|1large|float|mean,pixel4|1large|float|std,...    published (wide)
    model,latency_ms                                                         one phone (narrow)

A file that states no unit is read with the one that is given, and refused without.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import numpy as np

from ...errors import UserError, did_you_mean
from ...models.checks import shown
from ...untrusted.files import read_text

Unit = Literal["us", "ms", "s"]
UNITS: dict[Unit, float] = {"us": 1e-3, "ms": 1.0, "s": 1e3}
LARGEST_FILE = 64 * 1024 * 1024
# Columns that say how large a model is, in any case.
SIZES = ("flops", "macs", "size", "params")
# Cells that say that a model was not timed.
EMPTY = ("", "n/a", "na", "nan")
SEPARATOR = "|"
_MEAN, _OTHERS = "mean", ("std", "min", "max", "median")


@dataclass(frozen=True)
class Timings:
    """Milliseconds of `models` (m) by `settings` (s): `ms` (m, s), NaN where not timed.

    `sizes` are FLOPs, bytes and such of each model, by name. `source` is the file.
    """

    models: Sequence[str]
    settings: Sequence[str]
    ms: np.ndarray
    sizes: Mapping[str, np.ndarray]
    source: str

    def column(self, setting: str) -> np.ndarray:
        """Return one setting's milliseconds (m,); raises UserError for an unknown one."""
        if setting not in self.settings:
            raise UserError(
                f"{self.source} has no column '{setting}'{did_you_mean(setting, self.settings)}; "
                f"it has {', '.join(self.settings[:6])}{' ...' if len(self.settings) > 6 else ''}."
            )
        return self.ms[:, list(self.settings).index(setting)]

    def without(self, settings: Sequence[str]) -> Timings:
        """Return the timings without some of the settings."""
        kept = [n for n, name in enumerate(self.settings) if name not in settings]
        return replace(self, settings=[self.settings[n] for n in kept], ms=self.ms[:, kept])


def read_timings(path: str | os.PathLike[str], unit: str | None = None) -> Timings:
    """Read a file of timings; a fault is a UserError with file, line and value.

    `unit` is "us", "ms" or "s"; a column that states its own (latency_ms) is in that.
    """
    if unit is not None and unit not in UNITS:
        raise UserError(f"`unit` {shown(unit)} is not one of us, ms, s.")
    lines = _lines(Path(path))
    names = [name.strip() for name in lines[0]]
    if names[0].lower() != "model":
        raise UserError(
            f"{path}, line 1: the first column is {shown(names[0])}, not 'model'; timings are "
            "'model,latency_ms', or one column a phone beside the models."
        )
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise UserError(f"{path}, line 1: column '{repeated[0]}' appears twice.")
    columns = _columns(path, names, unit)
    sizes = [n for n, name in enumerate(names) if name.lower() in SIZES]
    models: list[str] = []
    values = np.full((len(lines) - 1, len(names)), math.nan)
    for number, fields in enumerate(lines[1:], start=2):
        where = f"{path}, line {number}"
        if len(fields) != len(names):
            raise UserError(f"{where}: {len(fields)} fields instead of {len(names)}.")
        model = fields[0].strip()
        if not model or model in models:
            raise UserError(f"{where}: the model {shown(model)} is empty or appears twice.")
        models.append(model)
        for n in (*columns, *sizes):
            values[number - 2, n] = _value(fields[n], f"{where}: {names[n]}")
    factors = np.array([factor for _, factor in columns.values()])
    return Timings(
        models,
        [label for label, _ in columns.values()],
        values[:, list(columns)] * factors,
        {names[n].lower(): values[:, n] for n in sizes},
        str(path),
    )


def _lines(path: Path) -> list[list[str]]:
    text = read_text(path, "a file of timings", LARGEST_FILE)
    try:
        lines = [
            line
            for line in csv.reader(text.splitlines(), strict=True)
            if line and not line[0].startswith("#")
        ]
    except csv.Error as error:
        raise UserError(f"{path} is not a CSV file ({error}).") from None
    if len(lines) < 2:
        raise UserError(f"{path} has no line of timings below its column names.")
    return lines


def _columns(
    path: str | os.PathLike[str], names: Sequence[str], unit: str | None
) -> dict[int, tuple[str, float]]:
    """Return by column what it is of and the factor to milliseconds; only latencies."""
    found: dict[int, tuple[str, float]] = {}
    for n, name in enumerate(names[1:], start=1):
        parts = name.split(SEPARATOR)
        if len(parts) > 1 and parts[-1] not in _OTHERS:
            label = SEPARATOR.join(parts[:-1] if parts[-1] == _MEAN else parts)
            found[n] = (label, _factor(path, name, None, unit))
        elif name.startswith("latency"):
            stated = name.removeprefix("latency").lstrip("_") or None
            if stated is None or stated in UNITS:
                found[n] = (Path(path).stem, _factor(path, name, stated, unit))
    if not found:
        raise UserError(
            f"{path}, line 1: no column holds latencies; they are called latency_ms, latency_us, "
            "latency_s, or PHONE|CORES|PRECISION|mean."
        )
    return found


def _factor(
    path: str | os.PathLike[str], column: str, stated: str | None, unit: str | None
) -> float:
    if stated is None and unit is None:
        raise UserError(
            f"{path} states no unit of its column '{column}'; say it with `unit`: us, ms or s."
        )
    return UNITS[cast(Unit, stated or unit)]


def _value(text: str, where: str) -> float:
    text = text.strip()
    if text.lower() in EMPTY:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not (math.isfinite(value) and value > 0):
        raise UserError(f"{where} is {shown(text)}, not a number above 0.")
    return value
