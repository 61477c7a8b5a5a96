"""A paper's ablation table on a table's device: its rows predicted, beside what the paper says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ...errors import UserError
from ...models import Spec
from ...models.published_ablations import PublishedRow, PublishedTable
from ..comparison.comparison import kendall_tau
from ..saved import LinesResult, csv_text
from ..setting import Setting
from ..speed import Speed
from ..table import LatencyTable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_COLUMNS = ("number", "ablation", "depths", "macs", "params", "predicted_ms", "measured_ms")
_RATIOS = ("speed", "paper_speed", "paper_gpu_speed", "paper_top1")


@dataclass(frozen=True)
class PublishedLine:
    """One row: the paper's, its model, and its latency in ms; NaN where it is not known."""

    row: PublishedRow
    spec: Spec
    predicted_ms: float
    measured_ms: float = math.nan

    @property
    def ms(self) -> float:
        """The latency: measured where it was, else predicted."""
        return self.predicted_ms if math.isnan(self.measured_ms) else self.measured_ms


@dataclass(frozen=True)
class PublishedVariants(LinesResult):
    """The rows of a paper's ablation table, in its order; the first is the model itself.

    `not_covered` says by row why the table cannot predict it; `unstable` which measurements to
    doubt. `at` is the speed of the machine that latencies are at, None where it is not known.
    """

    file_name: ClassVar[str] = "published"

    published: PublishedTable
    lines: Sequence[PublishedLine]
    not_covered: Mapping[str, str]
    setting: Setting
    at: Speed | None = None
    unstable: Sequence[str] = ()

    @property
    def title(self) -> str:
        """Which table, and on which device."""
        return f"{self.published.title} on {self.setting.device}, {self.setting.backend}"

    @property
    def is_doubtful(self) -> bool:
        """Whether a row could not be predicted or measured well."""
        return bool(self.not_covered or self.unstable)

    def speed(self, line: PublishedLine) -> float:
        """Return how many times as fast as the first row a row is here."""
        return self.lines[0].ms / line.ms

    def paper_speed(self, line: PublishedLine) -> float:
        """Return the same by the paper's throughput on a CPU."""
        return line.row.cpu_images_per_s / self.lines[0].row.cpu_images_per_s

    def paper_gpu_speed(self, line: PublishedLine) -> float:
        """Return the same by the paper's throughput on a GPU."""
        return line.row.gpu_images_per_s / self.lines[0].row.gpu_images_per_s

    @property
    def kendall_tau(self) -> float:
        """Rank correlation of the speeds here and in the paper (CPU), of rows with a latency."""
        known = [line for line in self.lines if not math.isnan(line.ms)]
        return kendall_tau(
            [1 / line.ms for line in known], [line.row.cpu_images_per_s for line in known]
        )

    def _values(self, line: PublishedLine) -> tuple[object, ...]:
        row, spec = line.row, line.spec
        depths = ",".join(map(str, row.depths))
        of_row = (row.number, row.words, depths, spec.macs, spec.params)
        ratios = (self.speed(line), self.paper_speed(line), self.paper_gpu_speed(line), row.top1)
        return (*of_row, line.predicted_ms, line.measured_ms, *ratios)

    def report(self) -> dict[str, Any]:
        """Return the rows as JSON values; an unknown latency is None."""
        columns = (*_COLUMNS, *_RATIOS)
        return {
            "published": self.published.title,
            "model": self.published.model,
            "setting": self.setting.as_dict(),
            "at": self.at,
            "rows": [
                {
                    name: None if isinstance(value, float) and math.isnan(value) else value
                    for name, value in zip(columns, self._values(line), strict=True)
                }
                | {"note": line.row.note}
                for line in self.lines
            ],
            "kendall_tau": self.kendall_tau,
            "not_covered": dict(self.not_covered),
            "unstable": list(self.unstable),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a row: its model, ms, and its speed over the first row's here and there."""
        import pandas as pd

        columns = [*_COLUMNS, *_RATIOS]
        return pd.DataFrame([self._values(line) for line in self.lines], columns=columns)

    def to_csv(self) -> str:
        """Return the same as CSV."""
        return csv_text((*_COLUMNS, *_RATIOS), [self._values(line) for line in self.lines])

    def figure(self) -> Figure:
        """Return the speed of each row over the first row's, here and in the paper."""
        from .published_plot import published_figure

        return published_figure(self)


def predicted_table(
    table: LatencyTable, published: PublishedTable, base: Spec, extrapolate: bool = False
) -> PublishedVariants:
    """Predict every row of a published ablation table.

    Raises UserError where the table does not cover the first row, the model itself.
    """
    lines: list[PublishedLine] = []
    not_covered = {}
    for row, spec in zip(published.rows, published.specs(base), strict=True):
        try:
            ms = table.predict(spec, extrapolate).ms
        except UserError as error:
            if not lines:
                raise
            ms = math.nan
            not_covered[row.words] = str(error).split("; ")[0].rstrip(".")
        lines.append(PublishedLine(row, spec, ms))
    return PublishedVariants(published, lines, not_covered, table.setting, table.stated_at)
