"""What a data set of Hugging Face asks for, looked at before `datasets` reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....errors import UserError
from ....models.checks import shown
from ....untrusted.files import read_text
from ....untrusted.flatbuffer import DamagedError, root
from ....untrusted.structured import json_object

# Files that `save_to_disk` writes: of one part, of its columns, and of several parts.
STATE, COLUMNS, PARTS = "state.json", "dataset_info.json", "dataset_dict.json"
WHAT = "a data set of Hugging Face"
# Kinds of a message in an Arrow file (Message.fbs: union MessageHeader).
_DICTIONARY, _BATCH = 2, 3


def check_arrow_folder(path: Path) -> None:
    """Raise UserError where a folder names files elsewhere or packs its data.

    Data of this kind are mapped into memory, so a file takes no more than its size. A compressed
    one would be unpacked as a whole: a few bytes can become any number. `save_to_disk` never
    compresses.
    """
    for part in _parts(path):
        if (part / COLUMNS).is_file():
            _fields(part / COLUMNS)
        for file in _data_files(part):
            _check_not_compressed(file)


def _parts(path: Path) -> Iterator[Path]:
    if not (path / PARTS).is_file():
        yield path
        return
    for name in _listed(_fields(path / PARTS), "splits", path / PARTS):
        yield path / _plain_name(name, path / PARTS)


def _data_files(part: Path) -> Iterator[Path]:
    state = part / STATE
    if not state.is_file():
        return  # `datasets` says what is missing
    for one in _listed(_fields(state), "_data_files", state):
        name = one.get("filename") if isinstance(one, dict) else None
        yield part / _plain_name(name, state)


def _fields(path: Path) -> dict[str, Any]:
    return json_object(read_text(path, WHAT), str(path))


def _listed(fields: dict[str, Any], name: str, path: Path) -> list[Any]:
    found = fields.get(name)
    if not isinstance(found, list):
        raise UserError(f"{path}: {name!r} is not a list; it is not a data set of Hugging Face.")
    return found


def _plain_name(name: object, path: Path) -> str:
    if not isinstance(name, str) or not name or Path(name).name != name:
        raise UserError(f"{path}: {shown(name)} is not a name of a file beside it.")
    return name


def _check_not_compressed(path: Path) -> None:
    """Look at the messages of an Arrow file, without their data."""
    import pyarrow

    try:
        with pyarrow.memory_map(str(path)) as file:
            for message in pyarrow.ipc.MessageReader.open_stream(file):
                if _is_compressed(message.metadata.to_pybytes()):
                    raise UserError(
                        f"{path} is compressed, which is not read; write it with save_to_disk of "
                        "the library datasets."
                    )
    except (OSError, pyarrow.ArrowException, DamagedError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{path} is not an Arrow file that can be read ({reason}).") from None


def _is_compressed(message: bytes) -> bool:
    """Whether a message's metadata (Message.fbs of Arrow) name a compression.

    Raises DamagedError for what is no such message.
    """
    table = root(memoryview(message))
    kind, header = table.number(1, 1), table.table(2)
    if kind == _DICTIONARY and header is not None:
        header = header.table(1)
    return kind in (_DICTIONARY, _BATCH) and header is not None and 3 in header
