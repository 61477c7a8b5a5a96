"""What was chosen to deploy, and all that was measured to choose it."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ..profiler.deployed.facts import Facts
    from ..search.deployments.score import MeasuredLimits
    from ..search.deployments.space import Deployment
    from ..training.evaluate import Accuracy

MEBI = 2**20


@dataclass(frozen=True, repr=False)
class ChoiceResult(Result):
    """The best deployment under limits: `best`, its `facts`, its `file`, and its `score` in points.

    `measured`: the facts and the score of each that was measured, the best first; the score is None
    where a limit is not kept. `tested`: accuracy on the other test images.
    """

    best: Deployment
    facts: Facts
    score: float
    measured: tuple[dict[str, Any], ...]
    limits: MeasuredLimits
    top: int
    judged_images: int
    tested: Accuracy | None
    deployments: int
    algorithm: str
    seed: int
    source: Path
    deployed: Path
    path: Path

    @property
    def title(self) -> str:
        return (
            f"best: {self.best.name}, of {len(self.measured)} measured of {self.deployments} "
            "variants"
        )

    @property
    def is_doubtful(self) -> bool:
        """Whether the machine did other things whenever the best one was measured."""
        return self.facts.disturbed

    @property
    def file(self) -> Path:
        """The file to deploy."""
        return self.path / "best" / self.deployed.name

    def report(self) -> dict[str, Any]:
        tested: dict[str, Any] = {"top1": None, "top3": None, "test_images": 0}
        if self.tested is not None:
            tested = {
                "top1": self.tested.top(1),
                "top3": self.tested.top(3),
                "test_images": self.tested.images,
            }
        return {
            "model": self.best.name,
            "best": self.facts.as_dict(),
            "score": self.score,
            "measured_ms": self.facts.latency_ms,
            "params": self.facts.params,
            "macs": self.facts.macs,
            **tested,
            "judged_by": f"top-{self.top} on {self.judged_images} test images",
            "evaluated": len(self.measured),
            "measured": list(self.measured),
            "limits": {k: v for k, v in vars(self.limits).items() if v is not None},
            "file": str(self.file),
            "algorithm": self.algorithm,
            "variants": self.deployments,
            "seed": self.seed,
            "out": str(self.path),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a row a deployment that was measured, the best first."""
        import pandas as pd

        return pd.DataFrame(self.measured)

    def figure(self) -> Figure:
        """Draw accuracy over latency of all that was measured, the limit and the best."""
        from ..search.deployments.plot import choice_figure

        return choice_figure(self.measured, self.best.name, self.top, self.limits)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write best/ (the model and its file), variants.csv, variants.png and report.json."""
        from ..atomic_write import copy_file, made_folder, write_atomically
        from ..search.deployments.plot import in_words
        from ..tables.picture import save_picture

        place = Path(folder)
        best = place / "best"
        made_folder(best)
        for path in self.source.iterdir():
            if path.is_file() and path.suffix in (".json", ".safetensors"):
                copy_file(path, best / path.name)
        copy_file(self.deployed, best / self.deployed.name)
        write_atomically(place / "variants.csv", self._csv())
        save_picture(self.figure(), in_words(self.measured), place / "variants.png")
        write_atomically(place / "report.json", json.dumps(self.report(), indent=2) + "\n")

    def _csv(self) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.measured[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {k: "" if v is None else v for k, v in row.items()} for row in self.measured
        )
        return text.getvalue()
