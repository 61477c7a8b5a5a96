"""What a tracker keeps of a result: its parameters, its numbers and its files."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ... import __version__
from ...errors import UserError
from ...results import Curve, Result, plain
from ...shown import csv_frame

MOST_METRICS, LONGEST_NAME, LONGEST_VALUE = 1000, 200, 500
# What an entry of a list is called by, and what of a result is not a number of it.
_NAMES = ("target", "name", "model", "variant", "table")
_NO_METRICS = ("setting", "environment", "limits", "values", "changed", "seed", "samples_ms")


@dataclass(frozen=True)
class Record:
    """One run: `name` is the command's, `metrics` by paths such as "deit-tiny/latency_ms".

    curves: numbers after steps, such as "training/loss".
    """

    name: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    result: Result
    curves: Sequence[Curve] = ()

    def write_files(self, folder: Path) -> list[Path]:
        """Write the result as report.json, table.csv and, where it has one, picture.png."""
        report = json.dumps(plain(self.result.report()), indent=2, ensure_ascii=False)
        (folder / "report.json").write_text(report + "\n", encoding="utf-8")
        csv_frame(self.result.to_frame()).to_csv(folder / "table.csv", index=False)
        with contextlib.suppress(UserError):  # this result has no picture
            self.result.plot(folder / "picture.png")
        return sorted(folder.iterdir())


class Tracker(Protocol):
    """Keeps runs."""

    def log(self, record: Record) -> str:
        """Keep one run and return where it is; raises the library's errors."""


def result_record(command: str, result: Result, asked: Mapping[str, Any]) -> Record:
    """Return the record of a result; asked: what the command or verb was given."""
    report = plain(result.report())
    setting = report.get("setting")
    parameters = {
        "vitprof": __version__,
        **{name: _text(value) for name, value in asked.items() if value not in (None, (), "")},
        **{
            f"setting.{name}": _text(value)
            for name, value in (setting.items() if isinstance(setting, dict) else ())
        },
        **{
            f"environment.{name}": _text(value)
            for name, value in (report.get("environment") or {}).items()
            if isinstance(value, (str, int, float))
        },
    }
    metrics: dict[str, float] = {}
    for name, value in _numbers(report):
        if len(metrics) == MOST_METRICS:
            break
        metrics.setdefault(name, value)
    curves = [
        (step, {"/".join(map(_word, name.split("/"))): v for name, v in values.items()})
        for step, values in result.curves()
    ]
    return Record(f"vitprof {command}", parameters, metrics, result, curves)


def _numbers(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, float]]:
    """Yield each number with its path: an entry of a list is called by its name or its place."""
    if isinstance(value, bool):
        return
    if isinstance(value, (int, float)):
        if math.isfinite(value):
            yield "/".join(path)[:LONGEST_NAME], float(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in _NO_METRICS:
                yield from _numbers(inner, (*path, _word(str(key))))
    elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], (int, float)):
        yield from _numbers(value[0], path)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            own = _name(inner) if isinstance(inner, dict) else ""
            yield from _numbers(inner, (*path, own or str(place)))


def _name(entry: Mapping[str, Any]) -> str:
    """Return what an entry is called by, "" where it has no name."""
    name = next((entry[key] for key in _NAMES if isinstance(entry.get(key), str)), "")
    return _word(name)


def _word(text: str) -> str:
    """Return a name of the letters that every tracker takes."""
    return re.sub(r"[^A-Za-z0-9_. -]", "_", text)[:LONGEST_NAME]


def _text(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return "".join(sign for sign in text if sign.isprintable())[:LONGEST_VALUE]
