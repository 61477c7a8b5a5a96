"""The zip file of a bundle: written whole and sealed, read as what a stranger gave.

It holds `manifest.json`, and `artifacts/NNNN.<kind>` compressed by deflate, each once, as plain
files. Its comment is the SHA-256 of every byte before it, so no byte changes unnoticed. That guards
against damage, not against malice: whoever builds a bundle can seal anything. So what the
seal says, names, kinds, sizes and number of the entries are checked before one of them is read, and
no entry is unpacked beyond the size that the list of contents has for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ...atomic_write import replacing
from ...backends.registry import BUILT_IN, PLUGINS
from ...closing import Closing
from ...errors import UserError
from ...models.checks import shown
from ...untrusted.memory import check_memory

MANIFEST = "manifest.json"
_ARTIFACT = re.compile(r"artifacts/[0-9]{4}\.([a-z0-9]{1,16})")
MOST_ARTIFACTS = 10_000
LARGEST_MANIFEST = 8 << 20
LARGEST_ARTIFACT = (2 << 30) - 1  # the most that an ONNX model can be
LARGEST_BUNDLE = 32 << 30  # of the file, and of all that it unpacks to
# Deflate spends at least 2 bits on 258 bytes; what claims to hold more is not an entry of a zip.
MOST_TIMES = 1032

_SEAL = b"vitprof-bundle-sha256:"
_DIGEST = 2 * hashlib.sha256().digest_size
_COMMENT = len(_SEAL) + _DIGEST
# A zip's time stamp cannot be left out; this is the earliest.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_PLAIN_FILE = (stat.S_IFREG | 0o644) << 16
_CHUNK = 1 << 20
_LEVEL = 6  # a random weight passes at 40 MB/s, a repeating one at 250 MB/s

# The records at a zip's end (APPNOTE.TXT 4.3.14 to 4.3.16), and the most that an entry of ours
# takes in the list of contents before them: its record, its name and its 64-bit sizes.
_END = struct.Struct("<4s4H2LH")
_LOCATOR_64 = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LONGEST_RECORD = 46 + 32 + 32


@contextlib.contextmanager
def new_zip(path: Path) -> Iterator[Callable[[str, bytes], int]]:
    """Give `add(name, data)`; at the end the sealed zip stands at `path`, whole or not at all.

    `add` returns how many bytes the entry takes. Equal entries give equal bytes, by one version of
    zlib. Raises UserError when the place cannot be written.
    """
    with replacing(path) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.comment = _SEAL + b"0" * _DIGEST

            def add(name: str, data: bytes) -> int:
                entry = zipfile.ZipInfo(name, _NO_TIME)
                entry.create_system = 3  # Unix, on whichever system it is written
                entry.external_attr = _PLAIN_FILE
                kind = zipfile.ZIP_STORED if name == MANIFEST else zipfile.ZIP_DEFLATED
                archive.writestr(entry, data, kind, _LEVEL)
                return entry.compress_size

            yield add
        digest = _digest(file)
        file.seek(-_DIGEST, os.SEEK_END)
        file.write(digest)


def is_artifact(name: str) -> bool:
    """Whether an entry may be an artifact of a backend that is known here, by its name."""
    match = _ARTIFACT.fullmatch(name)
    if match is None:
        return False
    suffix = match[1]
    return suffix in {"bin", *(kind.suffix for kind in BUILT_IN.values())} or any(
        suffix == kind.suffix for kind in PLUGINS.all().values()
    )


def is_sealed(path: Path) -> bool:
    """Whether the file at `path` ends as those of `new_zip` do; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            return _seal_of(file) is not None
    except OSError:
        return False


class SealedZip(Closing):
    """A file of `new_zip`, open for reading; use as a context manager.

    `sizes` are the bytes of each entry by name, unpacked. To open it is to read the list of
    contents only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _opened(path)
        try:
            self._seal = self._checked_seal()
            self._check_end()
            self._archive, self._entries = self._checked_entries()
        except OSError as error:
            self._file.close()
            raise UserError(f"{path} cannot be read: {error.strerror}.") from None
        except BaseException:
            self._file.close()
            raise
        self.sizes = {name: entry.file_size for name, entry in self._entries.items()}

    def read(self, name: str) -> bytes:
        """Return what an entry holds.

        Raises UserError where it is damaged or not there, or needs more memory than is free.
        """
        entry = self._entries.get(name)
        if entry is None:
            raise UserError(f"{self.path} has no {name}; copy or build it again.")
        check_memory(entry.file_size, f"{self.path}: {name}")
        try:
            # Not `ZipFile.read`, which unpacks all that a stream holds before it looks at the size.
            with self._archive.open(entry) as stream:
                return stream.read(entry.file_size)
        except Exception as error:  # zipfile raises half a dozen kinds on damaged input
            raise UserError(
                f"{self.path}: {name} is damaged ({_words(error)}); copy or build the bundle again."
            ) from None

    def check_seal(self) -> None:
        """Read all of it and raise UserError if any byte is not as it was written."""
        try:
            found = _digest(self._file)
        except OSError as error:
            raise UserError(f"{self.path} cannot be read: {error.strerror}.") from None
        if found != self._seal:
            raise UserError(
                f"{self.path} is damaged: its SHA-256 is not the one it was sealed with; copy or "
                "build it again."
            )

    def close(self) -> None:
        self._file.close()

    def _checked_seal(self) -> bytes:
        size = self._file.seek(0, os.SEEK_END)
        if not size:
            raise UserError(f"{self.path} is empty; copy or build it again.")
        if size > LARGEST_BUNDLE:
            raise UserError(
                f"{self.path} has {size} bytes, more than the {LARGEST_BUNDLE} of a bundle."
            )
        if not b"PK\3\4".startswith(self._at(0, 4)):
            raise UserError(f"{self.path} is not a zip file, so not a bundle of vitprof build.")
        seal = _seal_of(self._file)
        if seal is None:
            raise UserError(
                f"{self.path} is not a bundle of vitprof build, or its end is cut off; copy or "
                "build it again."
            )
        return seal

    def _check_end(self) -> None:
        """Refuse too long a list of contents: zipfile reads all that the file's end announces."""
        end = self._file.seek(0, os.SEEK_END) - _COMMENT - _END.size
        if end < 0:
            raise self._damaged("it is too short")
        signature, _, _, _, count, size, _, comment = _END.unpack(self._at(end, _END.size))
        if signature != b"PK\5\6" or comment != _COMMENT:
            raise self._damaged("its end is not where it should be")
        before = end - _LOCATOR_64.size - _END_64.size
        locator = self._at(before + _END_64.size, _LOCATOR_64.size) if before > 0 else b""
        if locator.startswith(b"PK\6\7"):  # more than 4 GiB: the true numbers are in 64 bits
            end_64 = _END_64.unpack(self._at(before, _END_64.size))
            if end_64[0] != b"PK\6\6" or _LOCATOR_64.unpack(locator)[2] != before:
                raise self._damaged("its 64-bit end is not where it should be")
            count, size = max(count, end_64[7]), max(size, end_64[8])
        if count > MOST_ARTIFACTS + 1 or size > (MOST_ARTIFACTS + 1) * _LONGEST_RECORD:
            raise self._refused(f"has more than {MOST_ARTIFACTS} artifacts")

    def _checked_entries(self) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
        try:
            archive = zipfile.ZipFile(self._file)
        except Exception as error:  # zipfile raises half a dozen kinds on damaged input
            raise self._damaged(_words(error)) from None
        entries: dict[str, zipfile.ZipInfo] = {}
        for entry in archive.infolist():
            self._check_entry(entry)
            if entry.filename in entries:
                raise self._refused(f"has {entry.filename} twice")
            entries[entry.filename] = entry
        if MANIFEST not in entries:
            raise self._refused(f"has no {MANIFEST}")
        stored = sum(entry.compress_size for entry in entries.values())
        if stored > self._file.seek(0, os.SEEK_END):
            raise self._refused(f"claims to hold {stored} bytes, more than the file has")
        unpacked = sum(entry.file_size for entry in entries.values())
        if unpacked > LARGEST_BUNDLE:
            raise self._refused(f"unpacks to {unpacked} bytes, more than {LARGEST_BUNDLE}")
        return archive, entries

    def _check_entry(self, entry: zipfile.ZipInfo) -> None:
        """Refuse what `new_zip` does not write: nothing else is ever read."""
        name = entry.orig_filename
        if name != MANIFEST and not is_artifact(name):
            raise self._refused(f"has the entry {shown(name)}, which no bundle has")
        is_packed = entry.compress_type == zipfile.ZIP_DEFLATED and name != MANIFEST
        if not is_packed and entry.compress_type != zipfile.ZIP_STORED:
            raise self._refused(f"has the entry {name} compressed in a way that is none of build's")
        most = entry.compress_size * (MOST_TIMES if is_packed else 1)
        if entry.file_size > most or (not is_packed and entry.file_size != most):
            raise self._refused(
                f"claims that the {entry.compress_size} bytes of {name} are {entry.file_size}"
            )
        if entry.external_attr != _PLAIN_FILE or entry.flag_bits:
            raise self._refused(f"has the entry {name}, which is a link or not a plain file")
        largest = LARGEST_MANIFEST if name == MANIFEST else LARGEST_ARTIFACT
        if entry.file_size > largest:
            raise self._refused(f"has {name} of {entry.file_size} bytes where {largest} may be")

    def _at(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(length)

    def _refused(self, what: str) -> UserError:
        return UserError(
            f"{self.path} {what}, so it is refused; measure only what vitprof build wrote."
        )

    def _damaged(self, how: str) -> UserError:
        return UserError(f"{self.path} is damaged ({how}); copy or build it again.")


def _opened(path: Path) -> BinaryIO:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UserError(f"{path} is not a file; give the path of a bundle of vitprof build.")
        return path.open("rb")
    except FileNotFoundError:
        raise UserError(
            f"{path} does not exist; build it first: vitprof build --out {path}."
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None


def _seal_of(file: BinaryIO) -> bytes | None:
    """Return the digest at the end of an open file, None where it has none."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _COMMENT))
    comment = file.read(_COMMENT)
    return comment.removeprefix(_SEAL) if comment.startswith(_SEAL) else None


def _digest(file: BinaryIO) -> bytes:
    """Return the SHA-256, in hexadecimal, of all of an open file but the digest at its end."""
    left = file.seek(0, os.SEEK_END) - _DIGEST
    file.seek(0)
    hashed = hashlib.sha256()
    while left > 0 and (chunk := file.read(min(left, _CHUNK))):
        hashed.update(chunk)
        left -= len(chunk)
    return hashed.hexdigest().encode()


def _words(error: Exception) -> str:
    text = "".join(c for c in str(error) if c.isprintable())
    return " ".join(text.split())[:200] or type(error).__name__
