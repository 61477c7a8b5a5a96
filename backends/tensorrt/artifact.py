"""An engine with what has to be known before a driver sees it: for which GPU, built by what.

An engine's own header is opaque, and only a runtime on a GPU reads it. Ours is one line of JSON in
front, so that an engine for another GPU or version, or a damaged one, is refused in words.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..protocol import BackendError

_MAGIC = b"vitprof-tensorrt-engine: 1\n"
_LONGEST_HEADER = 1 << 20


@dataclass(frozen=True)
class EngineFile:
    """A serialized engine and its facts.

    `compute_capability` is the target ("7.5"; None: the GPU at hand when it was built).
    `sparse_layers` says by layer whether sparse kernels were chosen, where the builder reports it.
    """

    engine: bytes
    library: str
    version: str
    compute_capability: str | None
    dtype: str
    sparsity: str
    sparse_layers: Mapping[str, bool]

    def to_bytes(self) -> bytes:
        header = {
            "library": self.library,
            "version": self.version,
            "compute_capability": self.compute_capability,
            "dtype": self.dtype,
            "sparsity": self.sparsity,
            "sparse_layers": dict(self.sparse_layers),
            "bytes": len(self.engine),
            "sha256": hashlib.sha256(self.engine).hexdigest(),
        }
        return _MAGIC + json.dumps(header).encode() + b"\n" + self.engine

    @classmethod
    def from_bytes(cls, artifact: bytes) -> EngineFile:
        """Return what `to_bytes` wrote; raises BackendError for anything else, and if damaged."""
        end = artifact.find(b"\n", len(_MAGIC), len(_MAGIC) + _LONGEST_HEADER)
        if not artifact.startswith(_MAGIC) or end < 0:
            raise BackendError("these bytes are not a TensorRT engine that vitprof built.")
        engine = artifact[end + 1 :]
        try:
            header = json.loads(artifact[len(_MAGIC) : end])
            size, digest = header.pop("bytes"), header.pop("sha256")
            found = cls(engine, **header)
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise BackendError(
                "the header of this TensorRT engine cannot be read; build it again."
            ) from error
        found._check_types()
        if len(engine) != size:
            raise BackendError(
                f"this TensorRT engine has {len(engine)} of its {size} bytes; build or copy it "
                "again."
            )
        if hashlib.sha256(engine).hexdigest() != digest:
            raise BackendError(
                "this TensorRT engine is damaged: its SHA-256 is not the recorded one; build or "
                "copy it again."
            )
        return found

    def check(self, **wanted: str | None) -> None:
        """Raise BackendError where a fact is not the `wanted` one; None wants nothing."""
        for fact, value in wanted.items():
            built: Any = getattr(self, fact)
            if value is not None and built is not None and built != value:
                raise BackendError(
                    f"this engine was built for {fact.replace('_', ' ')} {built} and {value} is "
                    "wanted here; build it again for that."
                )

    def _check_types(self) -> None:
        texts = (self.library, self.version, self.dtype, self.sparsity)
        choices = self.sparse_layers
        if (
            not all(isinstance(text, str) for text in texts)
            or not isinstance(self.compute_capability, str | None)
            or not isinstance(choices, dict)
            or not all(isinstance(value, bool) for value in choices.values())
        ):
            raise BackendError("the header of this TensorRT engine cannot be read; build it again.")
