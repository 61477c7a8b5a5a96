"""What a few models are and do side by side, as verbs return it and as their folders hold it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...atomic_write import made_folder, write_atomically
from ...results import Result
from ...shown import csv_frame
from ...tables import Setting
from .facts import Facts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Peaks of one and the same process differ by less than that share from time to time.
SAME_MEMORY = 0.02


@dataclass(frozen=True, repr=False)
class DeployedModels(Result):
    """Models that were measured side by side; the first is what the others are compared with."""

    facts: tuple[Facts, ...]
    runtime: str
    out: Path

    @property
    def title(self) -> str:
        return f"{len(self.facts)} models side by side, by {self.runtime}"

    @property
    def remarks(self) -> list[str]:
        """What one should know, in words: where a model does not pay."""
        return remarks(self.facts)

    @property
    def is_doubtful(self) -> bool:
        """Whether the machine did other things whenever one of them was measured."""
        return any(one.disturbed for one in self.facts)

    @property
    def setting(self) -> Setting:
        precisions = ", ".join(dict.fromkeys(one.precision for one in self.facts))
        first = self.facts[0]
        return Setting(
            "cpu", self.runtime, batch=first.batch, dtype=precisions, threads=first.threads
        )

    def about(self) -> dict[str, Any]:
        """Return what the report says before the models."""
        return {"runtime": self.runtime}

    def report(self) -> dict[str, Any]:
        return {
            **self.about(),
            "models": [one.as_dict() for one in self.facts],
            "remarks": self.remarks,
            "out": str(self.out),
        }

    def to_frame(self) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame([one.as_dict() for one in self.facts])

    def figure(self) -> Figure:
        from .plot import facts_figure

        return facts_figure(self.facts)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write facts.csv, facts.png and report.json."""
        from .plot import plot_facts

        place = Path(folder)
        made_folder(place)
        write_atomically(
            place / "facts.csv", csv_frame(self.to_frame()).to_csv(index=False, lineterminator="\n")
        )
        plot_facts(self.facts, self.setting, place / "facts.png")
        write_atomically(place / "report.json", json.dumps(self.report(), indent=2) + "\n")


def remarks(facts: Sequence[Facts]) -> list[str]:
    """Return in words where a model is slower than the first one, or needs more memory."""
    first = facts[0]
    found = []
    for one in facts[1:]:
        times = one.latency_ms / first.latency_ms
        pair = f"{one.latency_ms:.4g} ms against {first.latency_ms:.4g}"
        if one.low_ms > first.high_ms:
            found.append(f"{one.name} is SLOWER than {first.name} here: {pair} ({times:.2f}x).")
        elif one.high_ms >= first.low_ms:
            found.append(f"{one.name} is no faster than {first.name} here: {pair}.")
        if one.peak_bytes > (1 + SAME_MEMORY) * first.peak_bytes:
            found.append(
                f"{one.name} needs more memory than {first.name}: "
                f"{one.peak_bytes / 2**20:.0f} MiB against {first.peak_bytes / 2**20:.0f}."
            )
    return found
