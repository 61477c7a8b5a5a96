"""Zips and tars that leave their folder, explode, lie about sizes, or hold the same name twice."""

from __future__ import annotations

import io
import random
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable

from .mutate_bytes import mutated_bytes

OUTSIDE = ("../escaped", "../../escaped", "/escaped", "a/../../escaped", "C:\\escaped", "..\\e")
NAMES = (*OUTSIDE, "", ".", "a\x00b", "\x1b[2J.png", "x" * 500, "é" * 100, "con/aux", "a//b")
BOMB = 64 << 20
Change = Callable[[bytes, random.Random], bytes]


def entries_of(data: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def mutated_zip(data: bytes, rng: random.Random, inner: Change = mutated_bytes) -> bytes:
    """Return a zip of the same entries with hostile ones; `inner` mutates what is in one."""
    if rng.random() < 0.2:
        return mutated_bytes(data, rng)
    entries = entries_of(data)
    link = False
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(entries))
        name, content = entries[at]
        kind = rng.randrange(8)
        if kind < 3:
            entries[at] = (name, inner(content, rng))
        elif kind == 3:
            entries[at] = (rng.choice(NAMES), content)
        elif kind == 4:
            entries.append((name, rng.choice((content, b""))))
        elif kind == 5 and len(entries) > 1:
            del entries[at]
        elif kind == 6:
            entries[at] = (name, bytes(BOMB))
        else:
            link = True
    packed = _zip(entries, rng, link)
    return _lying(packed, rng) if rng.random() < 0.4 else packed


def _zip(entries: list[tuple[str, bytes]], rng: random.Random, link: bool) -> bytes:
    out = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED))
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as archive:
        warnings.simplefilter("ignore")  # of a name that appears twice
        linked = rng.randrange(len(entries)) if link else -1
        for n, (name, content) in enumerate(entries):
            info = zipfile.ZipInfo(name)
            big = len(content) == BOMB
            info.compress_type = zipfile.ZIP_DEFLATED if big else method
            if n == linked:
                info.external_attr = 0o120777 << 16
            archive.writestr(info, b"/etc/passwd" if n == linked else content)
    return out.getvalue()


def _lying(data: bytes, rng: random.Random) -> bytes:
    """Change a field of the list of contents: sizes, method, version, flags, place, name."""
    at = data.rfind(b"PK\x01\x02") if rng.random() < 0.5 else data.find(b"PK\x01\x02")
    if at < 0:
        return data
    fields = ((6, "<H"), (8, "<H"), (10, "<H"), (20, "<L"), (24, "<L"), (28, "<H"), (42, "<L"))
    offset, form = rng.choice(fields)
    most = 0xFFFF if form == "<H" else 0xFFFFFFFF
    value = rng.choice((0, 1, 12, 14, 99, 255, 0x800, most - 1, most))
    found = bytearray(data)
    struct.pack_into(form, found, at + offset, value)
    if rng.random() < 0.1 and at + 46 < len(found):
        found[at + 46] = 0xFF  # no UTF-8 in a name
    return bytes(found)


def mutated_tar(data: bytes, rng: random.Random) -> bytes:
    """Return a tar of the same members with hostile ones."""
    if rng.random() < 0.3:
        return mutated_bytes(data, rng)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = [(info, archive.extractfile(info).read()) for info in archive]  # type: ignore[union-attr]
    at = rng.randrange(len(members))
    info, content = members[at]
    kind = rng.randrange(7)
    if kind == 0:
        info.name = rng.choice(NAMES) or "x"
    elif kind == 1:
        info.type, info.linkname = rng.choice((tarfile.SYMTYPE, tarfile.LNKTYPE)), "/etc/passwd"
    elif kind == 2:
        info.type = rng.choice((tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE))
    elif kind == 3:
        info.pax_headers = {"path": rng.choice(OUTSIDE), "size": rng.choice(("-1", "9" * 30))}
    elif kind == 4:
        members.insert(at, members[at])
    else:
        members[at] = (info, mutated_bytes(content, rng))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            info.size = len(content) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(content) if info.isreg() else None)
    written = bytearray(out.getvalue())
    if kind == 6:  # a size that is not a number, or one beyond the file
        written[124:136] = rng.choice((b"777777777777", b"\xff" * 12, b"zzzzzzzzzzzz"))
    return bytes(written)
