"""What a data set of Hugging Face asks for, looked at before `datasets` reads it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....errors import UserError
from ....models.checks import shown
from ....untrusted.files import read_text
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
        raise UserError(f"{path}: {name!r} is no list; it is no data set of Hugging Face.")
    return found


def _plain_name(name: object, path: Path) -> str:
    if not isinstance(name, str) or not name or Path(name).name != name:
        raise UserError(f"{path}: {shown(name)} is no name of a file beside it.")
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
    except (OSError, pyarrow.ArrowException, struct.error, IndexError) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{path} is no Arrow file that can be read ({reason}).") from None


def _is_compressed(message: bytes) -> bool:
    """Whether a message's metadata (a FlatBuffer, Arrow's Message.fbs) name a compression.

    Raises struct.error for what is no such message.
    """
    table = _followed(message, 0)
    kind, header = _field(message, table, 1), _field(message, table, 2)
    if kind is None or header is None or message[kind] not in (_DICTIONARY, _BATCH):
        return False
    batch = _followed(message, header)
    if message[kind] == _DICTIONARY:
        data = _field(message, batch, 1)
        if data is None:
            return False
        batch = _followed(message, data)
    return _field(message, batch, 3) is not None


def _followed(data: bytes, place: int) -> int:
    """Return where the table lies that an offset at a place points to."""
    return place + int(struct.unpack_from("<I", data, place)[0])


def _field(data: bytes, table: int, number: int) -> int | None:
    """Return where a table's field lies, None where it is not given."""
    fields = table - struct.unpack_from("<i", data, table)[0]
    if fields < 0:
        raise struct.error("a table's fields lie outside of the message")
    size = struct.unpack_from("<H", data, fields)[0]
    entry = 4 + 2 * number
    if entry + 2 > size:
        return None
    offset = struct.unpack_from("<H", data, fields + entry)[0]
    return table + offset if offset else None
