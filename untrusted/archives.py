"""Zips whose list of contents is looked at before anything of them is unpacked."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UserError
from ..shown import one_line, shown
from .limits import ITEMS
from .memory import check_memory


@contextmanager
def unzipping(path: Path | str, name: str = "") -> Iterator[None]:
    """Turn what a damaged zip raises inside the block into a UserError naming file and entry.

    zipfile, zlib and lzma raise a dozen kinds: BadZipFile, zlib.error, LZMAError,
    NotImplementedError for another version, RuntimeError for a password, UnicodeDecodeError.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:
        reason = one_line(str(error))[:120] or type(error).__name__
        entry = f"{shown(name)} in " if name else ""
        raise UserError(
            f"{entry}'{path}' cannot be read ({reason}): it is damaged, or no zip that is read "
            "here; make it again."
        ) from None


def opened_zip(path: Path) -> zipfile.ZipFile:
    """Return the open zip; raises UserError where it is none, or lists one name twice."""
    with unzipping(path):
        archive = zipfile.ZipFile(path)
        try:
            _check_names(path, archive)
        except BaseException:
            archive.close()
            raise
        return archive


def check_unpacked(path: Path, archive: zipfile.ZipFile, what: str) -> None:
    """Raise UserError where all entries together unpack to more than the memory that is free."""
    check_memory(sum(entry.file_size for entry in archive.infolist()), f"{what} '{path}'")


def read_entry(path: Path, archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Return an entry's content, at most `most` + 1 bytes of it, even where it announces more."""
    with unzipping(path, name), archive.open(name) as file:
        return file.read(most + 1)


def _check_names(path: Path, archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    ITEMS.check(len(names), f"'{path}': the number of its entries is")
    name, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise UserError(f"'{path}' holds {shown(name)} twice; make it again.")
