"""What is measured for a choice of deployments, a line each, so that none is measured twice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...append_log import JsonLog
from ...errors import UserError
from ...profiler.deployed.beside_reference import Ratio
from ...search.deployment_space.limits import Figures
from ...tables.speed import Speed

# The reference's sessions that a speed of the machine is read from.
SHARES: Mapping[Speed, float] = {"undisturbed": 0.1, "typical": 0.5, "p90": 0.9}


@dataclass(frozen=True)
class Record:
    """A deployment as measured: its ratio to the reference, and what else it comes to.

    file: the name of what runs the same file with one thread; digest: of the model; tops: the share
    of the judge's images among whose k likeliest classes the right one is, by k; peak_bytes: of its
    process; energy_mj: of one run.
    """

    name: str
    file: str
    digest: str
    ratio: Ratio
    tops: Mapping[int, float]
    peak_bytes: int
    file_bytes: int
    energy_mj: float | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Record:
        ratio = dict(values["ratio"])
        ratio["reference_ms"] = tuple(ratio["reference_ms"])
        tops = {int(k): float(share) for k, share in values["tops"].items()}
        return cls(**{**values, "ratio": Ratio(**ratio), "tops": tops})


class DeploymentLog:
    """A file of JSON lines; what it says of a model that has changed since is not used.

    under: what has to be as it was: the images and the machine. Raises UserError where it is not.
    """

    def __init__(self, path: Path, under: Mapping[str, Any]) -> None:
        self.path = path
        self.records: dict[str, Record] = {}
        self.accuracies: dict[tuple[str, str], dict[int, float]] = {}
        self.refused: dict[tuple[str, str], str] = {}
        self._answers: dict[tuple[str, str], Mapping[int, float]] = {}
        self._log = JsonLog(
            path,
            "vitprof-deployments",
            under,
            what="measured deployments",
            remedy="give another `facts`",
        )
        if differing := self._log.differing(under):
            raise UserError(f"{path} was measured with another {differing}; give another `facts`.")
        for where, record in self._log.records:
            try:
                self._keep(record)
            except (ValueError, TypeError, KeyError, AttributeError):
                raise self._log.damaged(where, "not a measured deployment") from None

    def _keep(self, record: Mapping[str, Any]) -> None:
        if "measured" in record:
            one = Record.from_dict(record["measured"])
            self.records[one.name] = one
            self._answers[one.file, one.digest] = one.tops
            return
        key = record["name"], record["digest"]
        if "refused" in record:
            self.refused[key] = str(record["refused"])
        else:
            self.accuracies[key] = {int(k): float(v) for k, v in record["accuracy"].items()}

    def answers_of(self, file: str, digest: str) -> Mapping[int, float] | None:
        """Return how often a file is right, where it was measured with any number of threads."""
        return self._answers.get((file, digest))

    def add(self, record: Record) -> None:
        self._append({"measured": asdict(record)})

    def add_refused(self, name: str, digest: str, reason: str) -> None:
        self._append({"name": name, "digest": digest, "refused": reason})

    def add_accuracy(self, name: str, digest: str, tops: Mapping[int, float]) -> None:
        self._append({"name": name, "digest": digest, "accuracy": dict(tops)})

    def _append(self, record: dict[str, Any]) -> None:
        self._log.append(record)
        self._keep(record)

    def reference_ms(self, at: Speed) -> float:
        """Return what the reference takes at that speed, over all that was measured."""
        seen = [ms for one in self.records.values() for ms in one.ratio.reference_ms]
        return float(np.quantile(seen, SHARES[at])) if seen else math.nan


def figures_of(
    record: Record, reference_ms: float, top: int, batch: int, *, tail: bool = False
) -> Figures:
    """Return the figures of one image; latency is the median, or the tail of it."""
    times = record.ratio.tail if tail else 1.0
    energy = record.energy_mj
    return Figures(
        record.tops[top],
        record.ratio.ratio * reference_ms * times / batch,
        record.peak_bytes,
        record.file_bytes,
        None if energy is None else energy / batch,
    )
