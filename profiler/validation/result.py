"""What a validation found: the table's errors beside the noise floor and the rivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...results import Result
from ...tables import Setting
from ...tables.comparison.errors_of_prediction import PredictionErrors
from ..sampling.rounds import Stopped
from .rival import Rival

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ValidationResult(Result):
    """What came of it; all latencies in milliseconds, one value a model.

    Each model was measured twice, in rounds that took turns: `first_ms` and `again_ms`;
    `measured_ms` is of all its sessions, and what predictions are compared with. `coverage` is the
    share of models whose measurement lies in the table's 95 % interval. `noise_floor` is how far a
    second measurement of as many sessions as `measured_ms` has would differ from it. With drift
    correction all are at the speed that the table is stated at; `raw_errors` and `raw_noise_floor`
    say what comes out without it.

    `interval` is the 95 % interval of `errors.mape`, over models. There were `rounds` complete
    rounds in `seconds`, after which it `stopped`: all rounds were done, further ones would not have
    mattered ("settled"), the time was over, or it was interrupted. `asked` is how many models were
    to be measured. `transferred_share` is how much of the predictions was not measured but
    predicted from other tables, a fraction in the mean over the models.
    """

    models: Sequence[str]
    predicted_ms: Sequence[float]
    low_ms: Sequence[float]
    high_ms: Sequence[float]
    measured_ms: Sequence[float]
    again_ms: Sequence[float]
    errors: PredictionErrors
    noise_floor: PredictionErrors
    raw_errors: PredictionErrors
    raw_noise_floor: PredictionErrors
    coverage: float
    rivals: Mapping[str, Rival]
    setting: Setting
    first_ms: Sequence[float]
    interval: tuple[float, float]
    rounds: int
    seconds: float
    stopped: Stopped
    asked: int
    transferred_share: float = 0.0

    @property
    def title(self) -> str:
        """How far the table errs, and how far a second measurement does."""
        low, high = self.interval
        return (
            f"{len(self.models)} unseen models on {self.setting.device}: the table errs by "
            f"{self.errors.mape:.2%} ({low:.2%} to {high:.2%}), a second measurement by "
            f"{self.noise_floor.mape:.2%}; {self.coverage:.0%} lie in its 95 % interval"
        )

    def report(self) -> dict[str, Any]:
        """Return the errors of the table and its rivals as fractions."""
        return {
            "samples": len(self.models),
            "asked": self.asked,
            "rounds": self.rounds,
            "seconds": round(self.seconds, 1),
            "stopped": self.stopped,
            "interval": list(self.interval),
            "table": self.errors.as_dict(),
            "noise_floor": self.noise_floor.as_dict(),
            "coverage": self.coverage,
            "transferred_share": self.transferred_share,
            "table_raw": self.raw_errors.as_dict(),
            "noise_floor_raw": self.raw_noise_floor.as_dict(),
            "rivals": {
                name: {
                    **rival.errors.as_dict(),
                    "trained_on": rival.trained_on,
                    "training_s": rival.training_s,
                }
                for name, rival in self.rivals.items()
            },
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a model: measured, predicted, and what the rivals say, in ms."""
        import pandas as pd

        columns = {
            "model": self.models,
            "measured_ms": self.measured_ms,
            "first_ms": self.first_ms,
            "again_ms": self.again_ms,
            "predicted_ms": self.predicted_ms,
            "low_ms": self.low_ms,
            "high_ms": self.high_ms,
            **{f"{name}_ms": rival.predicted_ms for name, rival in self.rivals.items()},
        }
        return pd.DataFrame(columns)

    def figure(self) -> Figure:
        """Return predicted against measured, and the errors beside those of the rivals."""
        from .plot import draw_validation

        return draw_validation(
            self.measured_ms,
            self.predicted_ms,
            (self.low_ms, self.high_ms),
            self.errors,
            self.noise_floor,
            self.rivals,
            self.setting,
            self.interval,
        )
