"""Images in tar files, as WebDataset writes them: key.jpg and key.cls (or key.json) side by side.

Nothing is unpacked: a shard is read once to learn where each image lies, and an image is then read
from its place. So images can be drawn in any order, as from a folder.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import UserError
from ....models.checks import shown
from ....progress import OnProgress, no_progress
from ....shown import one_line
from ....untrusted.structured import json_value
from .packed_names import PackedNames
from .source import MOST_FILE_BYTES, SUFFIXES, label_type

# What a shard may ask for: its index is kept in memory.
MOST_SHARD_IMAGES = 5_000_000
MOST_LABEL_BYTES = 2**20
LABEL_SUFFIXES = ("cls", "json")
# Fields of a sample's JSON that hold its class.
LABEL_FIELDS = ("label", "cls", "class")
# Files that are open at once, in each process.
MOST_OPEN = 64


@dataclass
class _Index:
    """Where the images of all shards lie."""

    keys: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    shards: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


class ShardSource:
    """The images of tar shards, in the order of the shards.

    classes: the names of the classes; None where classes are numbers, `0` to the largest. Raises
    UserError for a shard that is missing, truncated or compressed, that holds links or names with
    "..", and for an image without a class.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        name: str,
        classes: Sequence[str] | None = None,
        on_progress: OnProgress = no_progress,
    ) -> None:
        if not paths:
            raise UserError(f"{name} has no shards (*.tar).")
        self._shards = tuple(paths)
        self._name = name
        self._open: tuple[int, dict[int, int]] | None = None
        index = _Index()
        starts = []
        for nth, path in enumerate(paths):
            starts.append(len(index.keys))
            _read_index(path, nth, index)
            on_progress(f"reading {name}", nth + 1, len(paths), "shards")
        if not index.keys:
            raise UserError(f"{name}: its {len(paths)} shards hold no images.")
        self.labels = np.array(index.labels, dtype=label_type(max(index.labels) + 1))
        self.classes = _class_names(name, classes, max(index.labels))
        self.starts = np.array(starts, dtype=np.int64)
        self._keys = PackedNames(index.keys)
        self._shard_of = np.array(index.shards, dtype=np.int32)
        self._offsets = np.array(index.offsets, dtype=np.int64)
        self._sizes = np.array(index.sizes, dtype=np.int32)

    @property
    def name(self) -> str:
        return self._name

    def __len__(self) -> int:
        return len(self._keys)

    def name_of(self, index: int) -> str:
        return f"{self._shards[self._shard_of[index]].name}: {self._keys[index]}"

    def read(self, index: int) -> bytes:
        size = int(self._sizes[index])
        try:
            data = os.pread(self._handle(int(self._shard_of[index])), size, self._offsets[index])
        except OSError as error:
            raise UserError(
                f"{self.name}: {shown(self.name_of(index))} cannot be read ({error.strerror})."
            ) from None
        if len(data) != size:
            raise UserError(
                f"{self.name}: {shown(self.name_of(index))} ends after {len(data)} of {size} "
                "bytes: the shard was changed while it was read."
            )
        return data

    def fingerprint(self) -> bytes:
        return self._keys.tobytes() + self.labels.tobytes() + self._sizes.tobytes()

    def _handle(self, shard: int) -> int:
        """Return the shard's file as this process opened it."""
        if self._open is None or self._open[0] != os.getpid():
            self._open = (os.getpid(), {})
        handles = self._open[1]
        if shard not in handles:
            if len(handles) >= MOST_OPEN:
                oldest = next(iter(handles))
                os.close(handles.pop(oldest))
            handles[shard] = os.open(self._shards[shard], os.O_RDONLY)
        return handles[shard]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": None}

    def __del__(self) -> None:
        opened = getattr(self, "_open", None)
        if opened is not None and opened[0] == os.getpid():
            for handle in opened[1].values():
                os.close(handle)


def _class_names(name: str, given: Sequence[str] | None, largest: int) -> tuple[str, ...]:
    if given is None:
        return tuple(map(str, range(largest + 1)))
    if largest >= len(given):
        raise UserError(
            f"{name}: an image has the class {largest}, and classes.txt names {len(given)} (the "
            "first is 0)."
        )
    return tuple(given)


def _read_index(path: Path, shard: int, index: _Index) -> None:
    """Add the images of one shard, with the class of each."""
    images: dict[str, tuple[int, int]] = {}
    labels: dict[str, int] = {}
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            for member in _members(path, size):
                key, _, kind = _key_and_kind(member.name)
                kind = kind.lower()
                if f".{kind}" in SUFFIXES:
                    if key in images:
                        raise UserError(f"{path}: {shown(key)} has two images.")
                    images[key] = (member.offset_data, member.size)
                elif kind in LABEL_SUFFIXES:
                    found = _label(path, member.name, kind, _bytes_of(file, path, member))
                    if found is not None:
                        labels.setdefault(key, found)
                if len(index.keys) + len(images) > MOST_SHARD_IMAGES:
                    raise UserError(f"{path}: the shards hold over {MOST_SHARD_IMAGES} images.")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from None
    for key, (offset, length) in images.items():
        if key not in labels:
            raise UserError(
                f"{path}: {shown(key)} has no class; beside each image there has to be a .cls with "
                "its number, or a .json with a `label`."
            )
        index.keys.append(key)
        index.labels.append(labels[key])
        index.shards.append(shard)
        index.offsets.append(offset)
        index.sizes.append(length)


def _members(path: Path, size: int) -> Iterator[tarfile.TarInfo]:
    """Give the files of a tar, one by one; UserError where it is damaged or hostile."""
    end = 0
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                # What the library keeps of every member would fill the memory.
                archive.members = []  # type: ignore[attr-defined]
                _check_member(path, size, member)
                end = member.offset_data + -(-member.size // 512) * 512
                if member.isreg():
                    yield member
    except (tarfile.TarError, ValueError) as error:  # ValueError: a size that is not a number
        raise UserError(
            f"{path} is not a tar that can be read ({one_line(str(error))}); shards are plain tar "
            "files, not compressed ones."
        ) from None
    # A tar ends with blocks of zeros: one that was cut between two files lacks them.
    with path.open("rb") as file:
        file.seek(end)
        if file.read(512) != bytes(512):
            raise UserError(f"{path} is truncated: the mark at the end of a tar is missing.")


def _check_member(path: Path, size: int, member: tarfile.TarInfo) -> None:
    name = shown(member.name)
    if member.issym() or member.islnk():
        raise UserError(f"{path}: {name} is a link; shards hold plain files.")
    if member.isdir():
        return
    if not member.isreg() or member.issparse():
        raise UserError(f"{path}: {name} is not a plain file.")
    if member.name.startswith("/") or ".." in member.name.split("/"):
        raise UserError(f"{path}: {name} leads out of the shard; its name has to be a plain one.")
    if member.size > MOST_FILE_BYTES:
        raise UserError(f"{path}: {name} has over {MOST_FILE_BYTES >> 20} MiB.")
    if member.offset_data + member.size > size:
        raise UserError(f"{path} is truncated: it ends within {name}.")


def _key_and_kind(name: str) -> tuple[str, str, str]:
    """Return "a/b" and "seg.png" of "a/b.seg.png": a key ends at the first dot of the file's name.

    As WebDataset has it.
    """
    folder, slash, file = name.rpartition("/")
    stem, dot, kind = file.partition(".")
    return f"{folder}{slash}{stem}", dot, kind


def _bytes_of(file: Any, path: Path, member: tarfile.TarInfo) -> bytes:
    if member.size > MOST_LABEL_BYTES:
        raise UserError(f"{path}: {shown(member.name)} has over {MOST_LABEL_BYTES >> 20} MiB.")
    file.seek(member.offset_data)
    data: bytes = file.read(member.size)
    return data


def _label(path: Path, name: str, kind: str, data: bytes) -> int | None:
    """Return the class that a .cls or .json says; None for a JSON that says none."""
    try:
        text = data.decode("utf-8").strip()
        if kind == "json":
            record = json_value(text, f"{shown(name)} in {path}")
            fields = record if isinstance(record, dict) else {}
            value = next((fields[f] for f in LABEL_FIELDS if f in fields), None)
            if value is None:
                return None
        else:
            value = int(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**6:
        raise UserError(f"{path}: {shown(name)} names no class; a whole number from 0 is expected.")
    return value
