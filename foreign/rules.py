"""What of a machine decides how a graph is fused on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

# The version whose rewriting of graphs `fusion/` has; another one may fuse otherwise.
RUNTIME = "1.31"
# How a runtime fuses: as ONNX Runtime, with its layout of convolutions; the same without that
# layout, for runtimes that fuse a graph themselves; or not at all, each operation by itself
# (PyTorch eager).
Fusion = Literal["onnxruntime", "graph", "eager"]
# AVX-512; 8 with AVX2 and on ARM.
CHANNELS_PER_BLOCK = 16


def version_warning(runtime: object, source: str) -> str | None:
    """Return a sentence where a table's kernels are of another version than the rules here.

    `runtime` is what the table's environment says of its runtime. None where both agree.
    """
    version = runtime.get("onnxruntime") if isinstance(runtime, Mapping) else None
    if version is None or str(version).startswith(f"{RUNTIME}."):
        return None
    return (
        f"{source} has kernels of onnxruntime {version}, and graphs are fused here as onnxruntime "
        f"{RUNTIME} does it: the answer may be off; measure the kernels with {RUNTIME}."
    )


@dataclass(frozen=True)
class Rules:
    """How a runtime fuses a graph, and how it lays out the tensors of convolutions.

    `channels_per_block` are the channels that lie together in its own layout of convolutions, 0
    where it has none.
    """

    channels_per_block: int = CHANNELS_PER_BLOCK
    fusion: Fusion = "onnxruntime"

    @classmethod
    def of(cls, environment: Mapping[str, Any]) -> Rules:
        """Return the rules of a table's machine, as its header has them."""
        fusion: Any = environment.get("fusion", "onnxruntime")
        if fusion != "onnxruntime" and fusion in get_args(Fusion):
            return cls(0, fusion)
        known = environment.get("channels_per_block")
        if isinstance(known, int) and not isinstance(known, bool) and 0 <= known <= 64:
            return cls(known)
        return cls()
