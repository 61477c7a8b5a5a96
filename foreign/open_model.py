"""From what a user names to the spec of a foreign model."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Protocol

from ..errors import UserError
from ..models.block import Block
from ..models.families.foreign.spec import ForeignSpec, ModelSource
from .graph import Graph
from .parts import Parts, parts_of
from .rules import Rules
from .shapes import Shapes
from .sources.onnx_source import OnnxSource

_PYTHON = re.compile(r"(.+\.py):([A-Za-z_]\w*)")
_LIBRARIES = ("timm", "hf", "torchvision")


class GraphSource(ModelSource, Protocol):
    """A source that knows its graph."""

    def graph(self) -> Graph:
        """Return a graph that may be rewritten. Raises UserError."""


def is_foreign(text: str) -> bool:
    """Whether a text names a foreign model: a file, or a library's model."""
    kind = text.partition(":")[0]
    return (
        Path(text).suffix in {".onnx", ".pt2"}
        or (kind in _LIBRARIES and ":" in text)
        or _PYTHON.fullmatch(text) is not None
    )


def open_model(text: str, shapes: Shapes | None = None, batch: int = 1) -> ForeignSpec:
    """Return the spec of `x.onnx`, `x.pt2`, `timm:NAME`, `hf:ID`, `torchvision:NAME`, `x.py:make`.

    Its parts are kernels as this machine's runtime would fuse them; operators that no kernel stands
    for are left out, for what is run needs no price. Raises UserError, in one sentence, for a model
    that cannot be read, made or exported.
    """
    source = _source(text, shapes, batch)
    graph = source.graph()
    inputs = tuple((name, graph.shape(name)) for name in graph.inputs)
    digest = _digest(graph)
    parts = parts_of(graph, Rules())
    if not parts.blocks:
        # A spec has at least one part; a graph of unknown operators alone can be run all the same.
        parts = Parts((Block.of("kernel_view", rows=1),), parts.unknown)
    return ForeignSpec.of(
        parts.blocks, name=_name(text), inputs=inputs, digest=digest, source=source
    )


def _source(text: str, shapes: Shapes | None, batch: int) -> GraphSource:
    path = Path(text)
    if path.suffix == ".onnx":
        return OnnxSource(path, shapes)
    if path.suffix == ".pt2":
        from .sources.exported_program import exported_source

        return exported_source(path, shapes, batch)
    in_python = _PYTHON.fullmatch(text)
    if in_python:
        from .sources.python_source import python_source

        return python_source(Path(in_python[1]), in_python[2], shapes, batch)
    kind, _, name = text.partition(":")
    from .sources.made_modules import hugging_face_source, timm_source, torchvision_source

    make = {"timm": timm_source, "hf": hugging_face_source, "torchvision": torchvision_source}
    if kind not in make or not name:
        raise UserError(f"'{text}' names no model; write timm:NAME, hf:ID or torchvision:NAME.")
    return make[kind](name, shapes, batch)


def _name(text: str) -> str:
    in_python = _PYTHON.fullmatch(text)
    name = in_python[2] if in_python else text
    if Path(text).suffix in {".onnx", ".pt2"}:
        name = Path(text).stem
    return name if name.isprintable() and name else "custom"


def _digest(graph: Graph) -> str:
    """Return the SHA-256 of a graph's operations and shapes: weights change no latency."""
    found = hashlib.sha256()
    for node in graph.nodes:
        shapes = [graph.shape(name) for name in (*node.inputs, *node.outputs) if name]
        simple = {
            key: value
            for key, value in sorted(node.attributes.items())
            if isinstance(value, (int, float, str, bytes, list, tuple))
        }
        found.update(repr((node.op, shapes, simple)).encode())
    return found.hexdigest()
