"""What to deploy, what came near, what more would buy, and the front of everything."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...results import Result
from ...search.deployment_space.answer import Relaxation, relaxations, rows, why_lost
from ...search.deployment_space.limits import PARAMETERS, Limits, in_words
from ...search.deployment_space.policy import ranking

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ...profiler.deployed.deployed import Deployed
    from ...search.deployment_space.knowledge import Knowledge
    from ...tables.speed import Speed
    from .measuring import Verified

NEXT = 2


@dataclass(frozen=True, repr=False)
class DeploymentChoice(Result):
    """The best deployment under limits.

    `best`: its row of `to_frame()`; `winner`: how it was verified; `others`: the next two, and why
    they lost; `relaxed`: what more of a limit would buy; `predicted_ms`: the winner's latency as
    predicted by everything but its own measurement.
    """

    best: dict[str, Any]
    winner: Verified
    predicted_ms: float
    others: tuple[tuple[str, str], ...]
    relaxed: tuple[Relaxation, ...]
    deployments: tuple[dict[str, Any], ...]
    limits: Limits
    tried: int
    top: int
    at: Speed
    percentile: str
    judged_images: int
    path: Path
    _file_name: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        knowledge: Knowledge,
        limits: Limits,
        verified: Sequence[Verified],
        *,
        tried: int,
        top: int,
        at: Speed,
        percentile: str,
        judged_images: int,
        path: Path,
    ) -> DeploymentChoice:
        """Return the choice; the first of `verified` is the winner."""
        winner, *near = verified
        predicted = knowledge.predicted()
        every = rows(knowledge, predicted)
        unseen = replace(
            knowledge,
            measured={k: v for k, v in knowledge.measured.items() if k != winner.place},
            refused={},
        )
        return cls(
            every[winner.place],
            winner,
            unseen.predicted().figures(winner.place).latency_ms,
            tuple(_others(knowledge, limits, winner, near)),
            tuple(relaxations(knowledge, predicted, limits, winner.place)),
            tuple(every),
            limits,
            tried,
            top,
            at,
            percentile,
            judged_images,
            path,
        )

    @property
    def title(self) -> str:
        return (
            f"deploy {self.best['name']}, of {len(self.deployments)} deployments "
            f"({self.count('measured')} measured, {self.count('predicted')} predicted, "
            f"{self.count('refused')} refused)"
        )

    def count(self, status: str) -> int:
        """Return how many deployments are measured, predicted or refused."""
        return sum(row["status"] == status for row in self.deployments)

    @property
    def is_doubtful(self) -> bool:
        """Whether the machine did other things whenever the winner was verified."""
        return self.winner.disturbed

    @property
    def file(self) -> Path:
        """The file to deploy."""
        return self.path / "best" / self._file_name[0]

    def report(self) -> dict[str, Any]:
        return {
            "deploy": self.best["name"],
            "best": self.best,
            "verified": {k: v for k, v in asdict(self.winner).items() if k != "place"},
            "predicted_ms": self.predicted_ms,
            "others": [{"name": name, "why": why} for name, why in self.others],
            "relaxed": [one.as_dict() for one in self.relaxed],
            "limits": {PARAMETERS[name]: value for name, value in self.limits.given()},
            "deployments": len(self.deployments),
            "measured": self.count("measured"),
            "predicted": self.count("predicted"),
            "refused": self.count("refused"),
            "tried_now": self.tried,
            "judged_by": f"top-{self.top} on {self.judged_images} test images",
            "at": self.at,
            "percentile": self.percentile,
            "front": [row["name"] for row in self.front],
            "file": str(self.file),
            "out": str(self.path),
        }

    @property
    def front(self) -> list[dict[str, Any]]:
        """The rows that no other is both faster and more accurate than, the fastest first."""
        found = [row for row in self.deployments if row["on_front"]]
        return sorted(found, key=lambda row: row["latency_ms"])

    def to_frame(self) -> pd.DataFrame:
        """Return a row a deployment: measured, predicted or refused."""
        import pandas as pd

        return pd.DataFrame(self.deployments)

    def figure(self) -> Figure:
        """Draw accuracy over latency of all deployments, the front, the limit and the winner."""
        from ...search.deployment_space.plot import deployments_figure

        return deployments_figure(self.deployments, self.best["name"], self.top, self.limits)

    def save_best(self, model: Path, file: Deployed) -> None:
        """Write best/: the model's folder and the files that are deployed."""
        from ...atomic_write import copy_file, made_folder

        best = self.path / "best"
        shutil.rmtree(best, ignore_errors=True)
        made_folder(best)
        for path in model.iterdir():
            if path.is_file() and path.suffix in (".json", ".safetensors"):
                copy_file(path, best / path.name)
        for path in file.by.parts(file.path):
            copy_file(path, best / path.name)
        self._file_name[:] = [file.path.name]

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write deployments.csv, deployments.png and report.json."""
        from ...atomic_write import made_folder, write_atomically
        from ...tables.picture import save_picture

        place = Path(folder)
        made_folder(place)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.deployments[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {k: "" if v is None else v for k, v in row.items()} for row in self.deployments
        )
        write_atomically(place / "deployments.csv", text.getvalue())
        save_picture(self.figure(), self.title.replace(", of ", "\nof "), place / "deployments.png")
        write_atomically(place / "report.json", json.dumps(self.report(), indent=2) + "\n")


def _others(
    knowledge: Knowledge, limits: Limits, winner: Verified, near: Sequence[Verified]
) -> list[tuple[str, str]]:
    """Return the next two and why they lost: those verified too, then those over a limit."""
    best = knowledge.measured[winner.place]
    best = replace(best, latency_ms=winner.latency_ms)
    found: list[tuple[str, str]] = []
    for one in near:
        name = knowledge.deployments[one.place].name
        if not one.keeps:
            found.append((name, f"{one.latency_ms:.4g} ms when verified, over `max_latency`"))
            continue
        figures = replace(knowledge.measured[one.place], latency_ms=one.latency_ms)
        found.append((name, why_lost(best, figures)))
    kept = {*ranking(knowledge, limits), winner.place, *(one.place for one in near)}
    over = sorted(
        (place for place in knowledge.measured if place not in kept),
        key=lambda place: -knowledge.measured[place].accuracy,
    )
    for place in over:
        figures = knowledge.measured[place]
        missed = " and ".join(
            f"{in_words(name, getattr(figures, name))} ({100 * off:.0f} % off `{PARAMETERS[name]}`)"
            for name, off in limits.excess(figures).items()
        )
        points = 100 * (figures.accuracy - best.accuracy)
        found.append((knowledge.deployments[place].name, f"{points:+.2f} points, but {missed}"))
    return found[:NEXT]
