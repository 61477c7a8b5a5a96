"""A bundle of a tiny model, and what may be changed in one."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile

from vitprof.models import ViTSpec
from vitprof.profiler.plan import Plan, Subject
from vitprof.tables import Setting

CPU = Setting("cpu", "onnxruntime", "CPUExecutionProvider")
MANIFEST = "manifest.json"


def tiny(name: str = "tiny") -> ViTSpec:
    return ViTSpec.uniform(8, 2, 1, resolution=4, patch=2, in_channels=1, classes=2, name=name)


def subjects(plan: Plan) -> list[Subject]:
    return list(dict.fromkeys(part.subject for point in plan.points for part in point.parts))


def sealed(data: bytes) -> bytes:
    return data[:-64] + hashlib.sha256(data[:-64]).hexdigest().encode()


def changed(data: bytes, **entries: bytes | None) -> bytes:
    """Return the bundle with entries replaced (None: left out), sealed again."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        new.comment = old.comment
        contents = {name: old.read(name) for name in old.namelist()}
        for name, content in (contents | entries).items():
            if content is None:
                continue
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            new.writestr(entry, content)
    return sealed(buffer.getvalue())


def contents_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def stream_of(data: bytes, name: str) -> int:
    """Return a place in the middle of an entry's bytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entry = archive.getinfo(name)
    return entry.header_offset + 30 + len(name) + entry.compress_size // 2


def with_artifact(data: bytes, artifact: bytes) -> bytes:
    """Return the bundle with another first artifact, which its manifest vouches for."""
    manifest = json.loads(contents_of(data)[MANIFEST])
    first, second = manifest["artifacts"]
    first |= {"bytes": len(artifact), "sha256": hashlib.sha256(artifact).hexdigest()}
    sizes = [len(artifact), second["bytes"]]
    manifest["limits"] = {"files": 2, "largest_bytes": max(sizes), "bytes": sum(sizes)}
    entries = {first["file"]: artifact, MANIFEST: json.dumps(manifest).encode()}
    return changed(data, **entries)
