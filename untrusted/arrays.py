"""numpy's files: what their headers announce is looked at before it is read. No pickles."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..errors import UserError
from ..shown import one_line, shown
from .archives import opened_zip, unzipping
from .memory import check_memory

if TYPE_CHECKING:
    import numpy as np

_SUFFIX = ".npy"


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz by name.

    Raises UserError where it is none, where an entry does not hold what its header announces, and
    where all together need more memory than may be taken.
    """
    with opened_zip(path) as archive:
        entries = [entry for entry in archive.infolist() if entry.filename.endswith(_SUFFIX)]
        total = 0
        for entry in entries:
            with unzipping(path, entry.filename), archive.open(entry) as file:
                total += _announced(file, entry, path)
        check_memory(total, f"the arrays of '{path}'")
        return {
            entry.filename.removesuffix(_SUFFIX): _array(path, archive, entry) for entry in entries
        }


def _announced(file: IO[bytes], entry: zipfile.ZipInfo, path: Path) -> int:
    """Return the bytes of the array that the header announces; they must be in the entry."""
    from numpy.lib import format as npy

    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(file)
    except Exception as error:  # MemoryError, TypeError, TokenError: numpy evaluates a literal
        raise _no_array(path, entry, one_line(str(error))[:120]) from None
    if dtype.hasobject:
        raise _no_array(path, entry, "it holds Python objects, which are not read")
    # In whole numbers of any size: a product of numpy's own may overflow.
    wanted = math.prod(map(int, shape)) * dtype.itemsize
    if any(size < 0 for size in shape) or wanted > entry.file_size:
        raise _no_array(path, entry, "it is shorter than its shape says")
    return wanted


def _array(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    from numpy.lib import format as npy

    with unzipping(path, entry.filename), archive.open(entry) as file:
        return npy.read_array(file, allow_pickle=False)


def _no_array(path: Path, entry: zipfile.ZipInfo, reason: str) -> UserError:
    return UserError(
        f"{shown(entry.filename)} in '{path}' is not a plain array ({reason}); save it again with "
        "numpy.savez."
    )
