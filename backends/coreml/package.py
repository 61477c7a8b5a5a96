"""An `.mlpackage` folder as the bytes of one artifact, and back. Artifacts are untrusted."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from pathlib import Path

from ..protocol import BackendError

MODEL = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
MANIFEST = "Manifest.json"

_MEMBERS = (MANIFEST, MODEL, WEIGHTS)
# A zip's time stamp cannot be left out; this is the earliest.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = (stat.S_IFREG | 0o644) << 16
_ENCRYPTED = 0x1


def _manifest() -> bytes:
    """Return the package's list of contents. Core ML follows its paths, so it is always ours.

    coremltools draws its identifiers at random; any two that differ will do.
    """
    model, weights = "4B2C0E4C-0001-4000-8000-000000000001", "4B2C0E4C-0001-4000-8000-000000000002"
    author = "com.apple.CoreML"
    entries = {
        model: {
            "author": author,
            "description": "CoreML Model Specification",
            "name": "model.mlmodel",
            "path": f"{author}/model.mlmodel",
        },
        weights: {
            "author": author,
            "description": "CoreML Model Weights",
            "name": "weights",
            "path": f"{author}/weights",
        },
    }
    whole = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": entries,
        "rootModelIdentifier": model,
    }
    return (json.dumps(whole, indent=4) + "\n").encode()


def pack(model: bytes, weights: bytes | None) -> bytes:
    """Return the artifact of a model's specification and its weights, None where it has none.

    A zip, not compressed, as weights do not shrink. Equal contents give equal bytes.
    """
    contents = {MANIFEST: _manifest(), MODEL: model}
    if weights is not None:
        contents[WEIGHTS] = weights
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, _NO_TIME)
            entry.create_system = 3  # Unix, on whichever system it is written
            entry.external_attr = _REGULAR_FILE
            archive.writestr(entry, content)
    return buffer.getvalue()


def unpack(artifact: bytes, folder: Path) -> Path:
    """Write the artifact's package as `model.mlpackage` into `folder` and return its path.

    Only the entries that `pack` writes are taken, each once, not compressed and as a regular
    file: nothing can escape, be a link, or be larger than the artifact. Raises BackendError.
    """
    contents = _contents(artifact)
    package = folder / "model.mlpackage"
    # Core ML expects the folder even if there are no weights in it.
    (package / WEIGHTS).parent.mkdir(parents=True)
    for name, content in contents.items():
        (package / name).write_bytes(content)
    return package


def model_of(artifact: bytes) -> bytes:
    """Return the model's specification (a protobuf message). Raises BackendError."""
    return _contents(artifact)[MODEL]


def _contents(artifact: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(artifact)) as archive:
            entries = archive.infolist()
            _check_names([entry.filename for entry in entries])
            _check_entries(entries, len(artifact))
            contents = {entry.filename: archive.read(entry) for entry in entries}
    except BackendError:
        raise
    except Exception as error:
        # zipfile raises half a dozen kinds on damaged input.
        raise BackendError.because("opening the Core ML artifact", error) from error
    if contents[MANIFEST] != _manifest():
        raise BackendError(
            f"the Core ML artifact's {MANIFEST} is not the one that vitprof writes; build it again."
        )
    return contents


def _check_names(names: list[str]) -> None:
    for name in names:
        if name not in _MEMBERS:
            raise BackendError(
                f"the Core ML artifact has the entry {name[:80]!r}, which is not part of a Core ML "
                "package; build it again."
            )
        if names.count(name) > 1:
            raise BackendError(f"the Core ML artifact has the entry '{name}' more than once.")
    for name in (MANIFEST, MODEL):
        if name not in names:
            raise BackendError(f"the Core ML artifact has no '{name}'; build it again.")


def _check_entries(entries: list[zipfile.ZipInfo], most_bytes: int) -> None:
    for entry in entries:
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or entry.flag_bits & _ENCRYPTED:
            raise BackendError(
                f"the Core ML artifact's entry '{entry.filename}' is not a plain file; "
                "build it again."
            )
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise BackendError(
                f"the Core ML artifact's entry '{entry.filename}' is compressed, which vitprof "
                "never writes; build it again."
            )
    if sum(entry.file_size for entry in entries) > most_bytes:
        raise BackendError("the Core ML artifact claims to be larger than it is; build it again.")
