"""What was evaluated, a line each, so that a search that was killed can go on."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..models.checks import shown

FORMAT = "vitprof-search"
VERSION = 1
LARGEST_FILE_BYTES = 1_000_000_000

Key = tuple[int, ...]


def key_of(candidate: np.ndarray) -> Key:
    """Return a candidate as a key."""
    return tuple(candidate.tolist())


class EvaluationLog:
    """A file of JSON lines: what is searched and its seed, then each candidate with its figure.

    A line is on the disk before it counts. A last line that was torn off is dropped. Raises
    UserError for a file of another search, one without a seed, and one that is damaged.
    """

    def __init__(self, path: Path, asked: Mapping[str, Any]) -> None:
        self.path = path
        self.found: dict[Key, float] = {}
        header = {FORMAT: VERSION, **asked}
        if path.exists() and path.stat().st_size:
            self._read(header)
        else:
            self._append(json.dumps(header))

    def append(self, key: Key, value: float) -> None:
        """Add a candidate's figure."""
        self._append(json.dumps({"candidate": list(key), "figure": value}))
        self.found[key] = value

    def _append(self, line: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self, header: Mapping[str, Any]) -> None:
        if self.path.stat().st_size > LARGEST_FILE_BYTES:
            raise UserError(f"{self.path} is larger than 1 GB, so it is no log of a search.")
        data = self.path.read_bytes()
        whole, _, torn = data.rpartition(b"\n")
        if torn:
            with self.path.open("r+b") as file:
                file.truncate(len(whole) + 1 if whole else 0)
        if not whole:
            self._append(json.dumps(header))
            return
        lines = whole.split(b"\n")
        self._check(_object(lines[0], f"{self.path}, line 1"), header)
        for number, line in enumerate(lines[1:], start=2):
            where = f"{self.path}, line {number}"
            record = _object(line, where)
            key, value = record.get("candidate"), record.get("figure")
            if (
                not isinstance(key, list)
                or not all(isinstance(gene, int) and not isinstance(gene, bool) for gene in key)
                or isinstance(value, bool)
                or not isinstance(value, int | float)
                or not math.isfinite(value)
            ):
                raise UserError(f"{where}: {shown(record)} is no evaluated candidate; remove it.")
            self.found[tuple(key)] = float(value)

    def _check(self, before: Mapping[str, Any], header: Mapping[str, Any]) -> None:
        if before.get(FORMAT) != VERSION:
            raise UserError(f"{self.path} is no log of a search; give another `out`.")
        if not isinstance(before.get("seed"), int):
            raise UserError(
                f"{self.path} does not say with which seed it was begun, so going on would not "
                "repeat it; give another `out`."
            )
        differing = sorted(k for k in {**before, **header} if before.get(k) != header.get(k))
        if differing:
            key = differing[0]
            raise UserError(
                f"{self.path} is of a search with another {key} ({shown(before.get(key))}, now "
                f"{shown(header.get(key))}); repeat its options to go on, or give another `out`."
            )


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise UserError(f"{where} is no JSON; the log is damaged, give another `out`.") from None
    if not isinstance(record, dict):
        raise UserError(f"{where}: {shown(record)} is no record of a search's log.")
    return record
