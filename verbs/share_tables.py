"""`vitprof.push_table` and `vitprof.pull_tables`: tables as files that people share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..progress import shown_wait
from ..quantities import Quantity, share
from ..results import Result
from ..temporary_folder import TemporaryFolder
from .given_table import table_of
from .inputs import Path

if TYPE_CHECKING:
    import pandas as pd

    from ..tables import LatencyTable
    from ..tables.sharing.folder import SharedFolder, SharedTable
    from ..tables.sharing.hub import HubRepository


@dataclass(frozen=True)
class PushedTable(Result):
    """Where a table was put: the folder or repository, its name there, and the files that changed.

    `address` is the commit's at a hub. No file changes where the same table was there already.
    """

    to: str
    name: str
    files: Sequence[str]
    rows: int
    trust: str
    address: str = ""

    @property
    def title(self) -> str:
        """What was put where."""
        return f"{self.name} ({self.rows} rows) in {self.to}: {len(self.files)} files written"

    def report(self) -> dict[str, Any]:
        """Return it as JSON values, with the keys of `vitprof table push --json`."""
        return {**vars(self), "files": list(self.files)}

    def to_frame(self) -> pd.DataFrame:
        """Return a line a file that was written."""
        import pandas as pd

        return pd.DataFrame({"name": self.name, "file": list(self.files)})


@dataclass(frozen=True)
class PulledTables(Result):
    """The tables of a folder or repository that were asked for, by name, read whole.

    `refused` says of others why they are not tables, by name; `files` are what was written.
    """

    source: str
    tables: Mapping[str, LatencyTable]
    refused: Mapping[str, str]
    files: Sequence[str] = ()

    @property
    def title(self) -> str:
        """How many tables there are, and how many were refused."""
        refused = f", {len(self.refused)} refused" if self.refused else ""
        return f"{len(self.tables)} tables of {self.source}{refused}"

    @property
    def is_doubtful(self) -> bool:
        """Whether a table did not validate."""
        return bool(self.refused)

    def report(self) -> dict[str, Any]:
        """Return it as JSON values, with the keys of `vitprof table pull --json`."""
        return {
            "source": self.source,
            "tables": self._lines(),
            "refused": dict(self.refused),
            "files": list(self.files),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a table: machine, setting, rows, how far to trust it, licence."""
        import pandas as pd

        return pd.DataFrame(self._lines())

    def _lines(self) -> list[dict[str, Any]]:
        from ..tables.sharing.card import machine_of, trust_in_words
        from ..tables.sharing.plain_text import printable

        return [
            {
                "name": name,
                "machine": printable(machine_of(table)),
                "backend": printable(
                    f"imported {table.setting.provider}"
                    if table.header.imported
                    else table.setting.backend
                ),
                "dtype": printable(table.setting.dtype),
                "batch": table.setting.batch,
                "threads": table.setting.threads,
                "rows": len(table.rows),
                "trust": trust_in_words(table),
                "licence": printable(table.header.licence or ""),
            }
            for name, table in self.tables.items()
        ]


def push_table(
    table: Path | LatencyTable,
    to: Path,
    *,
    name: str | None = None,
    licence: str | None = None,
    most_doubtful: Quantity = 0.1,
    fresh: bool = False,
) -> PushedTable:
    """Put a table where others find it, with a card and an index made from its header.

    The place is a folder (a git checkout as well: commit and push it as usual) or, as hf:ORG/NAME,
    a data set at Hugging Face, which must exist.

    Args:
        table: A table or its file.
        to: A folder, made where its parent is there, or hf:ORG/NAME.
        name: What it is called there (default: made of machine and setting).
        licence: Under which licence others may use it, such as "CC-BY-4.0"; it is written into the
            table's header.
        most_doubtful: Refuse a table of which more than this share of the rows failed or is
            unstable.
        fresh: Write over another table of that name.

    Returns:
        The name and the files that were written: none where the same table was there.

    Raises:
        UserError: A damaged or unfinished table, one of too many doubtful rows, another table of
            that name, a place that cannot be written.

    Example:
        >>> import vitprof
        >>> vitprof.push_table("lut.csv", "shared", licence="CC-BY-4.0").name  # doctest: +SKIP
        'cpu-intel-r-xeon-r-processor-onnxruntime-fp32-b1-t1'
    """
    from ..tables.sharing.card import trust_in_words
    from ..tables.sharing.folder import (
        SharedTable,
        check_table_name,
        name_of,
        read_folder,
        written_to,
    )

    taken = table_of(table)
    _check_worth_sharing(taken, share(most_doubtful))
    if licence is not None:
        if not licence.isprintable() or not 0 < len(licence) <= 100:
            raise UserError("`licence` must be printable text of 1 to 100 characters.")
        taken = taken.with_licence(licence)
    chosen = name or name_of(taken)
    check_table_name(chosen)
    waiting = shown_wait(f"pushing {chosen} to {os.fspath(to)}")
    with waiting, _place(to, made=True) as (folder, repository):
        found = read_folder(folder, os.fspath(to))
        files = written_to(found, SharedTable(chosen, taken), fresh)
        address = ""
        if repository is not None and files:
            address = repository.commit(folder, files, f"Latency table {chosen}")
    return PushedTable(
        os.fspath(to), chosen, files, len(taken.rows), trust_in_words(taken), address
    )


def pull_tables(
    source: Path,
    *,
    out: Path | None = None,
    device: str | None = None,
    names: Sequence[str] = (),
    fresh: bool = False,
) -> PulledTables:
    """Read the tables that others share, and copy those that validate.

    Every table is read whole, by the same strict reader as any; links, other special files, large
    files and names that lead elsewhere are refused. Cards are made again from the headers.

    Args:
        source: A folder of shared tables, or hf:ORG/NAME.
        out: A folder to copy tables and cards into; without it they are only listed.
        device: Only those of a device or machine with this text in its name, in any case.
        names: Only those of these names.
        fresh: Write over other tables of the same names in `out`.

    Returns:
        The tables by name, and of those that do not validate, why.

    Raises:
        UserError: No folder of tables, none of that device or name, one that would be written over.

    Example:
        >>> import vitprof
        >>> vitprof.pull_tables("shared", device="xeon").to_frame()  # doctest: +SKIP
    """
    from ..tables.sharing.folder import read_folder

    waiting = shown_wait(f"reading the tables of {os.fspath(source)}")
    with waiting, _place(source, made=False) as (folder, _):
        found = read_folder(folder, os.fspath(source))
    chosen = _chosen(found, os.fspath(source), device, names)
    refused = {name: why for name, why in found.refused.items() if not names or name in names}
    files: list[str] = []
    if out is not None:
        files = _copied(chosen, FilePath(out), fresh)
    tables = {one.name: one.table for one in chosen}
    return PulledTables(os.fspath(source), tables, refused, files)


def _copied(chosen: Sequence[SharedTable], place: FilePath, fresh: bool) -> list[str]:
    """Write tables and cards into a folder, flat; none where one would be written over."""
    from ..atomic_write import write_atomically
    from ..tables.sharing.card import card_of

    _made(place)
    texts: dict[str, str] = {}
    for one in chosen:
        texts |= {
            f"{one.name}.csv": one.table.to_text(),
            f"{one.name}.md": card_of(one.table, one.name),
        }
    for name, text in texts.items():
        there = place / name
        same = there.is_file() and not there.is_symlink() and there.read_bytes() == text.encode()
        if os.path.lexists(there) and not fresh and not same:
            raise UserError(
                f"{there} exists and is another; give another `out`, or `fresh` to write over it."
            )
    for name, text in texts.items():
        write_atomically(place / name, text)
    return [str(place / name) for name in texts]


def _chosen(
    found: SharedFolder, source: str, device: str | None, names: Sequence[str]
) -> list[SharedTable]:
    from ..tables.sharing.card import machine_of

    for name in names:
        if name not in found.tables and name not in found.refused:
            raise UserError(f"{source} has no table '{name}'; it has {_listed(found)}.")
    chosen = [one for one in found.tables.values() if not names or one.name in names]
    if device is not None:
        wanted = device.casefold()
        of_device = [one for one in chosen if wanted in machine_of(one.table).casefold()]
        if not of_device:
            raise UserError(
                f"{source} has no table of a device '{device}'; it has {_listed(found)}."
            )
        chosen = of_device
    if not chosen and not found.refused:
        raise UserError(f"{source} holds no tables; put one there first (vitprof table push).")
    return chosen


def _listed(found: SharedFolder) -> str:
    names = list(found.tables)
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return (", ".join(names[:8]) or "none that can be read") + more


def _check_worth_sharing(table: LatencyTable, most: float) -> None:
    if table.unfinished:
        raise UserError(
            f"{table.source} is unfinished: its measuring was interrupted; continue with the "
            "command that began it, and share the whole table."
        )
    doubtful = sum(row.verdict in ("failed", "unstable") for row in table.rows)
    if not table.rows:
        raise UserError(f"{table.source} has no rows; there is nothing to share.")
    if doubtful > most * len(table.rows):
        failed = sum(row.verdict == "failed" for row in table.rows)
        raise UserError(
            f"{doubtful} of {len(table.rows)} rows of {table.source} are doubtful ({failed} "
            f"failed, {doubtful - failed} unstable), more than {most:.0%}; measure it again on a "
            "quieter machine, or share it anyway with a larger `most_doubtful`: its card "
            "says so."
        )


@contextlib.contextmanager
def _place(given: Path, made: bool) -> Iterator[tuple[FilePath, HubRepository | None]]:
    """Give the folder of a place: a hub's tables are downloaded into a passing one."""
    from ..tables.sharing.hub import PREFIX, HubRepository

    text = os.fspath(given)
    if not text.startswith(PREFIX):
        if made:
            _made(FilePath(text))
        yield FilePath(text), None
        return
    repository = HubRepository(text.removeprefix(PREFIX))
    with TemporaryFolder() as passing:
        repository.fetch(FilePath(passing), cards=made)
        yield FilePath(passing), repository


def _made(folder: FilePath) -> None:
    """Make a folder whose parent is there; UserError where that cannot be."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"the folder {folder} cannot be made: {error.strerror}.") from None
