"""What was evaluated, a line each, so that a search that was killed can go on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..append_log import JsonLog
from ..errors import UserError
from ..models.checks import shown

Key = tuple[int, ...]


def key_of(candidate: np.ndarray) -> Key:
    """Return a candidate as a key."""
    return tuple(candidate.tolist())


class EvaluationLog:
    """A file of JSON lines: what is searched and its seed, then each candidate with its figure.

    Raises UserError for a file of another search, one without a seed, and one that is damaged.
    """

    def __init__(self, path: Path, asked: Mapping[str, Any]) -> None:
        self.path = path
        self._log = JsonLog(
            path, "vitprof-search", asked, what="a search", remedy="give another `out`"
        )
        self._check(asked)
        self.found: dict[Key, float] = {}
        for where, record in self._log.records:
            key, value = record.get("candidate"), record.get("figure")
            if (
                not isinstance(key, list)
                or not all(isinstance(gene, int) and not isinstance(gene, bool) for gene in key)
                or isinstance(value, bool)
                or not isinstance(value, int | float)
                or not math.isfinite(value)
            ):
                raise self._log.damaged(where, f"{shown(record)}, not an evaluated candidate")
            self.found[tuple(key)] = float(value)

    def append(self, key: Key, value: float) -> None:
        """Add a candidate's figure; it is on the disk before it counts."""
        self._log.append({"candidate": list(key), "figure": value})
        self.found[key] = value

    def _check(self, asked: Mapping[str, Any]) -> None:
        if not isinstance(self._log.header.get("seed"), int):
            raise UserError(
                f"{self.path} does not say with which seed it was begun, so going on would not "
                "repeat it; give another `out`."
            )
        key = self._log.differing(asked)
        if key is not None:
            before = self._log.header.get(key)
            raise UserError(
                f"{self.path} is of a search with another {key} ({shown(before)}, now "
                f"{shown(asked.get(key))}); repeat its options to go on, or give another `out`."
            )
