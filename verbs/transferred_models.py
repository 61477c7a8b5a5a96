"""What `vitprof.transfer_models` returns: every model on the new phone, or which to time there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..atomic_write import write_atomically
from ..results import Result
from ..shown import csv_frame

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ..tables.transfer.timed_models import TimedModel
    from .transferred import Transfer


@dataclass(frozen=True)
class TransferredModels(Result):
    """Whole models on one phone: timed there, or predicted from other phones.

    `to_time` are the models that are most worth timing (next). `held_out_error` is the mean
    relative error of the timed models, each predicted without itself; None without any. `weights`
    are the other settings' shares. `blocks` is the table of blocks, where block tables were given.
    """

    phone: str
    models: Sequence[TimedModel]
    to_time: Sequence[str]
    held_out_error: float | None = None
    held_out_covered: float | None = None
    weights: Mapping[str, float] | None = None
    blocks: Transfer | None = None

    @property
    def title(self) -> str:
        """How many models were predicted from how many, and how well."""
        if not self.models:
            return f"{len(self.to_time)} models to time on {self.phone}"
        transferred = sum(one.transferred for one in self.models)
        return (
            f"{self.phone}: {transferred} models transferred by {len(self.models) - transferred} "
            f"timed ones, which err by {self.held_out_error or 0:.1%} when predicted without "
            "themselves"
        )

    @property
    def expected_error(self) -> float:
        """The mean relative error that the transferred models are expected to have."""
        halves = [np.log(m.high_ms / m.low_ms) / 2 for m in self.models if m.transferred]
        return float(np.mean(halves)) / 1.96 * 0.8 if halves else 0.0

    def report(self) -> dict[str, Any]:
        """Return the answer as JSON values, with the keys of `vitprof transfer --models --json`."""
        return {
            "phone": self.phone,
            "models": self.to_frame().to_dict("records"),
            "to_time": list(self.to_time),
            "expected_error": self.expected_error,
            "held_out_error": self.held_out_error,
            "held_out_covered": self.held_out_covered,
            "sources": dict(self.weights or {}),
            "blocks": self.blocks.report() if self.blocks else None,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a model: ms with its 95 % interval, and whether it was timed."""
        import pandas as pd

        return pd.DataFrame(
            {
                "model": one.model,
                "latency_ms": one.ms,
                "low_ms": one.low_ms,
                "high_ms": one.high_ms,
                "provenance": "transferred" if one.transferred else "timed",
            }
            for one in self.models
        )

    def figure(self) -> Figure:
        """Return a bar a model, the quickest first, with its interval."""
        from ..tables.transfer.models_picture import models_figure

        return models_figure(self.models, self.title)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the models (CSV): what `vitprof transfer --models` reads again."""
        text = csv_frame(self.to_frame()).to_csv(index=False, float_format="%.6g")
        write_atomically(Path(path), text)
