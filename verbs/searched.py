"""What a search found: the best model, the front, and all that was evaluated."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import nn

    from ..search.costs import CostModel
    from ..search.found import Found
    from ..search.problem import SearchProblem
    from ..tables import LatencyTable
    from ..training.data.images import Normalisation
    from ..training.evaluate import Accuracy

# What a measurement may exceed a limit by before it counts: so many of the table's own standard
# deviations between two sessions.
NOISE_SD = 2.0


@dataclass(frozen=True)
class Weights:
    """The winner's weights out of the supernet, and how it did on the test images."""

    model: nn.Module
    norm: Normalisation
    tested: Accuracy


@dataclass(frozen=True, repr=False)
class SearchResult(Result):
    """The best model that keeps every limit, and the front of all that were evaluated.

    `best` and each of `front` have a `spec`, `latency_ms` (one value a table), `params`, `macs`,
    `peak_bytes`, a `figure` and, where that is one, the `accuracy` on held-out images (0 to 1).
    `weights` are the best one's, where a supernet was searched. `path` is the folder of the run.
    `stable`: whether the machine was undisturbed whenever `verify` measured.
    """

    problem: SearchProblem
    costs: CostModel
    best: Found
    front: tuple[Found, ...]
    weights: Weights | None
    proxy: str | None
    seed: int
    path: Path | None
    stable: bool = True

    @property
    def title(self) -> str:
        latency = " / ".join(f"{ms:.4g} ms" for ms in self.best.latency_ms)
        judged = "" if self.best.accuracy is None else f", top-1 {self.best.accuracy:.2%}"
        return (
            f"{self.problem.space.name}: the best of {len(self.problem.found)} evaluated takes "
            f"{latency}{judged} ({self.problem.evaluator.measures})"
        )

    @property
    def tables(self) -> list[LatencyTable]:
        return self.costs.tables

    @property
    def chosen(self) -> int | None:
        """Of tables to choose from the number of the best one's; None where all count."""
        return self.best.table if self.costs.alternatives else None

    @property
    def exceeded(self) -> list[str]:
        """What the best one, as it was measured, exceeds by more than noise, in words."""
        found = []
        for limit in self.problem.limits.each:
            if limit.unit != "ms" or not self.best.measured_ms:
                continue
            table = limit.table if self.chosen is None else self.chosen
            ms = self.best.measured_ms[table]
            noise = NOISE_SD * self.tables[table].header.likely_session_sd
            if ms > limit.most * (1 + noise):
                found.append(
                    f"the winner takes {ms:.4g} ms on the device, more than the limit of "
                    f"{limit.in_words()} and {noise:.1%} of noise; search with a lower one."
                )
        return found

    @property
    def is_fine(self) -> bool:
        """Whether what was measured is stable, and the best one kept its limits."""
        return self.stable and not self.exceeded

    @property
    def evaluated(self) -> pd.DataFrame:
        """A row a model that was evaluated, in that order: figure, costs, choice of each gene."""
        import pandas as pd

        population, figures = self.problem.evaluated()
        costs = self.costs.of(population)
        latencies = {
            f"predicted_ms{suffix}": costs.latency_ms[:, n]
            for n, suffix in enumerate(self._suffixes)
        }
        values = [self.problem.space.values_of(row) for row in population]
        genes = {
            gene.name: [one.get(gene.name) for one in values] for gene in self.problem.space.genes
        }
        known = {"params": costs.params, "macs": costs.macs}
        return pd.DataFrame({"figure": figures, **latencies, **known, **genes})

    @property
    def _suffixes(self) -> list[str]:
        """What the columns of latencies end in: nothing for one table, else its file's name."""
        if len(self.tables) == 1:
            return [""]
        return [f"_{Path(table.source).stem}" for table in self.tables]

    def report(self) -> dict[str, Any]:
        best, limits = self.best, self.problem.limits.each
        targets = [limit.most for limit in limits if limit.unit == "ms"]
        tested: dict[str, Any] = {}
        if self.weights is not None:
            on_test = self.weights.tested
            tested = {
                **on_test.as_dict(),
                "test_images": on_test.images,
                "validation_top1": best.figure,
            }
        return {
            "model": best.spec.name,
            "predicted_ms": best.latency_ms[self.chosen or 0],
            "measured_ms": best.as_dict()["measured_ms"][self.chosen or 0],
            "target_ms": targets[0] if targets else None,
            "params": best.params,
            "macs": best.macs,
            "top1": None,
            "top3": None,
            "out": None if self.path is None else str(self.path / "best"),
            **tested,
            "figure_is": self.problem.evaluator.measures,
            "proxy": self.proxy,
            "limits": [limit.in_words() for limit in limits],
            "peak_bytes": best.peak_bytes,
            "evaluated": len(self.problem.found),
            "seed": self.seed,
            "best": best.as_dict(),
            "front": [model.as_dict() for model in self.front],
            "tables": [table.source for table in self.tables],
            "at": [table.stated_at for table in self.tables],
            **({} if self.chosen is None else {"table": self.tables[self.chosen].source}),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return the best model, then the front: figures, milliseconds and counts."""
        import pandas as pd

        rows = []
        for model in (self.best, *self.front):
            measured = model.as_dict()["measured_ms"]
            pairs = list(zip(self._suffixes, model.latency_ms, measured, strict=True))
            rows.append(
                {
                    "model": model.name,
                    "figure": model.figure,
                    **{f"predicted_ms{suffix}": ms for suffix, ms, _ in pairs},
                    **{f"measured_ms{suffix}": ms for suffix, _, ms in pairs},
                    "params": model.params,
                    "macs": model.macs,
                    "peak_bytes": model.peak_bytes,
                }
            )
        return pd.DataFrame(rows)

    def figure(self) -> Figure:
        """Draw everything that was evaluated, the front, the limit and the best."""
        from ..search.front_plot import front_figure

        return front_figure(self.problem, self.best, self.front)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write best/ (spec, and weights where there are any), front.csv, .png and report.json."""
        from ..atomic_write import made_folder, write_atomically
        from ..search.found import to_csv
        from ..tables.picture import save_picture

        place = Path(folder)
        made_folder(place / "best")
        named = [Path(table.source).stem for table in self.tables]
        genes = [gene.name for gene in self.problem.space.genes]
        write_atomically(place / "front.csv", to_csv([self.best, *self.front], named, genes))
        save_picture(self.figure(), self.tables[0].setting, place / "front.png")
        if self.weights is None:
            write_atomically(place / "best" / "spec.json", self.best.spec.to_json())
        else:
            self._save_weights(self.weights, place / "best")
        write_atomically(place / "report.json", json.dumps(self.report(), indent=2) + "\n")

    def _save_weights(self, weights: Weights, folder: Path) -> None:
        from ..atomic_write import write_atomically
        from ..profiler.deployed.onnx_file import onnx_of
        from ..training.model_folder import write_model
        from .handed_back import hand_back

        write_model(weights.model, folder, weights.norm)
        write_atomically(folder / "model.onnx", onnx_of(weights.model, self.tables[0]))
        hand_back(weights.model, folder)
