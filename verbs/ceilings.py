"""`vitprof.ceilings`: what a table's device attains at most, by the table's own runtime."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..progress import ProgressOption, shown_progress
from ..results import Result
from .given_table import table_of
from .inputs import Path

if TYPE_CHECKING:
    import pandas as pd

    from ..tables import LatencyTable, Setting

# On a quiet machine the third best session is within a few per cent of the best.
DISTURBED = 0.1
# The ceilings of a machine that was never undisturbed may be too low by its slowdown.
SLOW = 1.05
# What two settings must share for the ceilings of one to be those of the other.
SAME = ("device", "backend", "provider", "dtype", "threads")


@dataclass(frozen=True)
class CeilingsResult(Result):
    """The most that was attained: 10^9 MACs and bytes a second.

    The differences say how far below it the third best session was, as fractions. `slowdown` is
    the time of the table's reference over its undisturbed time, at the calmest moment: the ceilings
    may be too low by so much. None: the table does not know that time. `setting` is the table's.
    """

    gmacs_per_s: float
    gbytes_per_s: float
    gmacs_difference: float
    gbytes_difference: float
    slowdown: float | None
    setting: Setting
    runtime: str

    @property
    def is_doubtful(self) -> bool:
        """Whether the machine did other things all the time: by its sessions or its reference."""
        return self.doubt is not None

    @property
    def doubt(self) -> str | None:
        """Why the ceilings may be too low, a sentence; None where nothing says so."""
        remedy = "so the ceilings may be too low: stop other programs, and measure again."
        if self.slowdown is not None and self.slowdown > SLOW:
            return (
                f"The machine was never undisturbed (its reference took {self.slowdown:.2f} times "
                f"its undisturbed time), {remedy}"
            )
        apart = max(self.gmacs_difference, self.gbytes_difference)
        if apart > DISTURBED:
            return f"The third best session is {apart:.0%} below the best, {remedy}"
        return None

    @property
    def title(self) -> str:
        one = self.setting
        return (
            f"{one.device} by {self.runtime}, {one.dtype}: {self.gmacs_per_s:.4g} GMAC/s, "
            f"{self.gbytes_per_s:.4g} GB/s"
        )

    def report(self) -> dict[str, Any]:
        """Return the rates, their differences and the setting as JSON values."""
        return {
            "gmacs_per_s": self.gmacs_per_s,
            "gbytes_per_s": self.gbytes_per_s,
            "gmacs_difference": self.gmacs_difference,
            "gbytes_difference": self.gbytes_difference,
            "slowdown": self.slowdown,
            "runtime": self.runtime,
            "setting": self.setting.as_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a ceiling."""
        import pandas as pd

        return pd.DataFrame(
            [
                ("matrix products", self.gmacs_per_s, "GMAC/s", self.gmacs_difference),
                ("memory", self.gbytes_per_s, "GB/s", self.gbytes_difference),
            ],
            columns=["ceiling", "most", "unit", "difference"],
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report as a JSON file, whole or not at all."""
        from ..atomic_write import write_atomically

        write_atomically(FilePath(path), json.dumps(self.report(), indent=2) + "\n")


def ceilings(
    table: Path | LatencyTable = "lut.csv", *, progress: ProgressOption = False
) -> CeilingsResult:
    """Measure what a table's device attains at most: matrix products and memory.

    Large matrix products, and the sum of two arrays that no cache holds, each by the table's own
    runtime, dtype and threads. Fresh sessions repeat it until three attain the best rate, to
    within 2 %, and the table's reference says that the machine was undisturbed meanwhile, for at
    most a minute. `vitprof report` draws a roofline under them.

    Args:
        table: A table of this machine, or its file.
        progress: Show a bar on stderr, or call this function.

    Returns:
        10^9 MACs a second, 10^9 bytes a second, and how far below each the third best session was.

    Raises:
        UserError: A table of another machine or runtime, and a runtime that runs no kernel by
            itself.

    Example:
        >>> import vitprof
        >>> found = vitprof.ceilings("lut.csv")  # doctest: +SKIP
        >>> found.gmacs_per_s, found.gbytes_per_s  # doctest: +SKIP
        (41.2, 11.8)
    """
    from ..models import Block
    from ..profiler.ceilings import measure_ceilings
    from ..profiler.target import open_target_of

    lut = table_of(table)
    command = f"vitprof ceilings --table {lut.source}"
    with open_target_of(lut, command) as target, shown_progress(progress) as on_progress:
        reference = lut.header.references.blocks if lut.header.references else None
        found = measure_ceilings(
            target,
            reference=reference if isinstance(reference, Block) else None,
            undisturbed_ms=lut.header.reference_ms("undisturbed").get(reference),
            on_progress=on_progress,
        )
    versions = target.backend.environment(target.options)
    version = versions.get("version") or versions.get(target.setting.backend)
    runtime = f"{target.setting.backend} {version}" if version else target.setting.backend
    products, memory = found.differences
    return CeilingsResult(
        found.peak,
        found.bandwidth,
        products,
        memory,
        found.slowdown,
        target.setting,
        runtime,
    )


def ceilings_of_file(path: Path, table: LatencyTable) -> Mapping[str, Any] | None:
    """Return what `CeilingsResult.save` wrote; None where it is of another setting than a table's.

    Raises UserError for another file.
    """
    from ..models.json_object import read_json_object
    from ..profiler.ceilings import ceilings_from

    record, source = read_json_object(FilePath(path))
    found = ceilings_from(record, source)
    setting = record.get("setting")
    if not isinstance(setting, dict):
        raise UserError(f"{source} has no 'setting'; `ceilings` is what vitprof ceilings wrote.")
    own = table.setting.as_dict()
    if any(setting.get(name) != own[name] for name in SAME):
        return None
    return {**found, "runtime": str(record.get("runtime", ""))[:80]}
