"""`vitprof.report`: tables and runs as one page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..models.checks import shown
from ..notes import warn
from ..progress import ProgressOption, shown_wait
from ..results import Result
from .given_table import table_of
from .inputs import Path

if TYPE_CHECKING:
    import pandas as pd

    from ..tables import LatencyTable
    from ..tables.speed import Speed

# Above this a page is slow to open and to send.
LARGEST_PAGE = 2_000_000
MEASURE = "measure"


@dataclass(frozen=True)
class ReportPage(Result):
    """The page: `html` is the whole of it, `record` the data that stand in it."""

    html: str = field(repr=False)
    record: dict[str, Any] = field(repr=False)

    @property
    def size_bytes(self) -> int:
        """How many bytes the file has."""
        return len(self.html.encode())

    @property
    def title(self) -> str:
        names = ", ".join(table["name"] for table in self.record["tables"])
        return f"a page of {names}: {self.size_bytes / 1e3:.0f} kB"

    def report(self) -> dict[str, Any]:
        """Return what the page holds, in numbers."""
        return {
            "bytes": self.size_bytes,
            "tables": self.to_frame().to_dict("records"),
            "runs": [
                {"name": run["name"], "kind": run["kind"], "models": len(run["points"])}
                for run in self.record["runs"]
            ],
            "breakdowns": [one["model"] for one in self.record["breakdowns"]],
            "validations": [one["name"] for one in self.record["validations"]],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a table: its points, ops, models, and whether its ceilings are known."""
        import pandas as pd

        pairs = zip(self.record["tables"], self.record["ceilings"], strict=True)
        return pd.DataFrame(
            {
                "table": table["name"],
                "points": table["trust"]["points"],
                "ops": len(table["ops"]),
                "models": len(table["models"]),
                "ceilings": ceilings is not None,
            }
            for table, ceilings in pairs
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, whole or not at all; UserError where that fails."""
        from ..atomic_write import write_atomically

        write_atomically(FilePath(path), self.html)


def report(
    tables: Path | LatencyTable | Sequence[Path | LatencyTable] = "lut.csv",
    *,
    runs: Sequence[Path] = (),
    breakdowns: Sequence[Path] = (),
    validations: Sequence[Path] = (),
    ceilings: Path | None = None,
    at: Speed | str | None = None,
    progress: ProgressOption = False,
) -> ReportPage:
    """Make one HTML file of tables and runs that needs no network.

    It shows the device and how far to trust the table, has a calculator with sliders that answers
    as `predict` does, and shows where a model's time goes, MACs against latency, every block's
    curve and the roofline. Texts out of tables and runs are shown as texts; nothing in them runs.

    Args:
        tables: One or several tables, or their files, of one batch.
        runs: Folders that train, prune, search and choose wrote: their fronts, models, what was
            taken, and how training went.
        breakdowns: Files of what `vitprof breakdown --nodes --json` printed.
        validations: Files that `vitprof validate --out` wrote.
        ceilings: "measure", on the table's own device; or a file that `vitprof ceilings` wrote.
            None: the roofline says how to get them.
        at: State latencies at this speed of the machine: "undisturbed", "typical" or "p90".
        progress: Show a bar on stderr while ceilings are measured, or call this function.

    Returns:
        The page; `save(path)` writes it.

    Raises:
        UserError: A damaged table or run, tables that do not belong together, and ceilings of
            another device.

    Example:
        >>> import vitprof
        >>> page = vitprof.report("lut.csv", runs=["pruned"])  # doctest: +SKIP
        >>> page.save("report.html")  # doctest: +SKIP
    """
    from .. import __version__
    from .report_page.breakdowns import breakdown_records
    from .report_page.page import page
    from .report_page.runs import run_record
    from .report_page.table_record import table_record
    from .report_page.validations import validation_record

    with shown_wait("reading the tables"):
        read = _tables(tables, at)
    known = _ceilings(ceilings, read, progress)
    with shown_wait("making the page"):
        record = {
            "vitprof": __version__,
            "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "command": "Its numbers: vitprof predict, compare and table info.",
            "tables": [table_record(table) for table in read],
            "ceilings": known,
            "runs": [run_record(FilePath(run), read) for run in runs],
            "breakdowns": [one for path in breakdowns for one in breakdown_records(FilePath(path))],
            "validations": [validation_record(FilePath(path)) for path in validations],
        }
        made = ReportPage(page(record), record)
    if made.size_bytes > LARGEST_PAGE:
        warn(
            f"warning: the page has {made.size_bytes / 1e6:.1f} MB and opens slowly; give fewer "
            "`tables` or `runs`."
        )
    return made


def _tables(
    tables: Path | LatencyTable | Sequence[Path | LatencyTable], at: Speed | str | None
) -> list[LatencyTable]:
    """Read the tables; raises UserError where they do not belong together."""
    from ..tables import LatencyTable

    one_table = isinstance(tables, (str, os.PathLike, LatencyTable))
    given: Sequence[Any] = [tables] if one_table else tables  # type: ignore[assignment]
    if not given:
        raise UserError("a report is of one table at least; give `tables`.")
    paths = [FilePath(one).resolve() for one in given if not isinstance(one, LatencyTable)]
    if len(set(paths)) < len(paths):
        raise UserError("one of `tables` is given twice; give each once.")
    read = [table_of(one, at) for one in given]
    first, *others = read
    for other in others:
        if other.setting.batch != first.setting.batch:
            raise UserError(
                f"`tables` do not belong together: {shown(first.source)} is of batch "
                f"{first.setting.batch} and {shown(other.source)} of batch {other.setting.batch}, "
                "and a page compares milliseconds of one run; make a page of each."
            )
        elsewhere = other.setting != first.setting
        if elsewhere and not set(first.ops) & set(other.ops):
            raise UserError(
                f"`tables` do not belong together: {shown(first.source)} and "
                f"{shown(other.source)} are of two settings and have no block in common, so no "
                "model is on both; make a page of each."
            )
    return read


def _ceilings(
    given: Path | None, tables: Sequence[LatencyTable], progress: ProgressOption
) -> list[dict[str, Any] | None]:
    """Return each table's ceilings; None where they are not known."""
    from .ceilings import ceilings, ceilings_of_file

    if given is None:
        return [None] * len(tables)
    if str(given) == MEASURE:
        return [ceilings(table, progress=progress).report() for table in tables]
    known = [ceilings_of_file(given, table) for table in tables]
    if not any(known):
        raise UserError(
            f"the `ceilings` of {shown(str(given))} are of another device or setting than every "
            "one of the `tables`; measure them there with vitprof ceilings."
        )
    return [dict(one) if one else None for one in known]
