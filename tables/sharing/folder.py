"""A folder of shared tables: `tables/NAME.csv`, a card beside each, and an index in README.md.

What stands there is not trusted: names are checked, links and other special files are refused,
sizes and numbers are bounded, and a table counts only once it has been read whole.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...atomic_write import write_atomically
from ...errors import UserError
from ..table import LatencyTable
from .card import card_of, machine_of
from .index import with_index
from .plain_text import printable, slug

PLACE = "tables"
INDEX = "README.md"
LARGEST_TABLE = 64 * 1024 * 1024
MOST_TABLES = 2000
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?")
_LARGEST_INDEX = 4 * 1024 * 1024


@dataclass(frozen=True)
class SharedTable:
    """A table in a folder that was read whole, by name."""

    name: str
    table: LatencyTable

    @property
    def files(self) -> tuple[str, str]:
        """The table's and its card's path in the folder."""
        return f"{PLACE}/{self.name}.csv", f"{PLACE}/{self.name}.md"


@dataclass(frozen=True)
class SharedFolder:
    """The tables of a folder by name, and why others in it are none.

    `called` is what messages call the folder, which may be a passing one.
    """

    path: Path
    called: str
    tables: dict[str, SharedTable] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def check_table_name(name: str) -> None:
    """Raise UserError for what is not a name of a shared table: it becomes a file's name."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise UserError(
            f"'{printable(name)}' cannot be a shared table's name; take small letters, digits, "
            f"hyphens, dots and underscores, such as {slug(name)}."
        )


def name_of(table: LatencyTable) -> str:
    """Return the name that a table is shared under where none is given: machine and setting."""
    setting = table.setting
    parts = [machine_of(table), setting.provider if table.header.imported else setting.backend]
    return slug(*parts, setting.dtype, f"b{setting.batch}", f"t{setting.threads}")


def read_folder(path: Path, shown_as: str | None = None) -> SharedFolder:
    """Read every table of a folder; `shown_as` is what messages call the folder.

    Raises UserError for what is not a folder of tables; a table that does not validate is
    `refused`.
    """
    called = shown_as or str(path)
    if not path.is_dir():
        raise UserError(
            f"{called} is not a folder; give a folder of shared tables, or hf:ORG/NAME."
        )
    place = path / PLACE
    if not os.path.lexists(place):
        return SharedFolder(path, called)
    if place.is_symlink() or not place.is_dir():
        raise UserError(
            f"{called}/{PLACE} is not a folder of its own; tables are read only in one."
        )
    found = SharedFolder(path, called)
    for entry in _entries(place, called):
        shown = f"{called}/{PLACE}/{printable(entry.name)}"
        name = entry.name.removesuffix(".csv")
        try:
            check_table_name(name)
            _check_file(Path(entry.path), shown, LARGEST_TABLE)
            table = LatencyTable.read_csv(entry.path)
        except UserError as error:
            key = printable(name)
            found.refused[key] = printable(str(error).replace(entry.path, shown), 600)
            continue
        table.source = shown
        found.tables[name] = SharedTable(name, table)
    return found


def written_to(folder: SharedFolder, shared: SharedTable, fresh: bool = False) -> list[str]:
    """Put a table, its card and the index into a folder; return the files that changed.

    A table of that name stays unless it is the same or `fresh`: then a UserError. Each file is
    written whole or not at all, the table last but for the index.
    """
    before = folder.tables.get(shared.name)
    csv, card = shared.files
    target = folder.path / csv
    if os.path.lexists(target) and not fresh:
        if before is None:
            raise UserError(
                f"{folder.called}/{csv} is there, and is not a table that can be read; give "
                "another `name`, or `fresh` to write over it."
            )
        if before.table.to_text() != shared.table.to_text():
            raise UserError(
                f"{folder.called} has another table named {shared.name} (device "
                f"{printable(machine_of(before.table))}, {len(before.table.rows)} rows); give "
                "another `name`, or `fresh` to write over it."
            )
    (folder.path / PLACE).mkdir(exist_ok=True)
    folder.tables[shared.name] = shared
    texts = {
        card: card_of(shared.table, shared.name),
        csv: shared.table.to_text(),
        INDEX: with_index(_index_before(folder.path), _indexed(folder)),
    }
    return [name for name, text in texts.items() if _written(folder.path / name, text)]


def _indexed(folder: SharedFolder) -> list[tuple[str, LatencyTable]]:
    return [(name, folder.tables[name].table) for name in sorted(folder.tables)]


def _written(path: Path, text: str) -> bool:
    """Write a file unless it is a link, or the same; tell whether it was written."""
    if path.is_symlink():
        raise UserError(f"{path} is a link, and is not written through; remove it.")
    data = text.encode()
    if path.is_file() and path.read_bytes() == data:
        return False
    write_atomically(path, data)
    return True


def _index_before(path: Path) -> str:
    index = path / INDEX
    if not os.path.lexists(index):
        return ""
    _check_file(index, str(index), _LARGEST_INDEX)
    try:
        return index.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{index} is not a text; remove it, and run the command again.") from None


def _entries(place: Path, called: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(place) as every:
        tables = sorted((e for e in every if e.name.endswith(".csv")), key=lambda e: e.name)
    if len(tables) > MOST_TABLES:
        raise UserError(f"{called} has {len(tables)} tables, more than {MOST_TABLES}.")
    yield from tables


def _check_file(path: Path, shown: str, largest: int) -> None:
    """Raise UserError for what is not a plain file of a bounded size."""
    about = path.lstat()
    if stat.S_ISLNK(about.st_mode):
        raise UserError(f"{shown} is a link; only plain files are read.")
    if not stat.S_ISREG(about.st_mode):
        raise UserError(f"{shown} is not a plain file.")
    if about.st_size > largest:
        raise UserError(f"{shown} is larger than {largest >> 20} MiB; it is not read.")
