"""From a source of a graph to the spec of a foreign model."""

from __future__ import annotations

import hashlib
from typing import Protocol

from ..models.families.foreign.spec import ForeignSpec, ModelSource
from .graph import Graph
from .parts import parts_of
from .rules import Rules


class GraphSource(ModelSource, Protocol):
    """A source that knows its graph."""

    def graph(self) -> Graph:
        """Return a graph that may be rewritten. Raises UserError."""


def spec_of_source(source: GraphSource, name: str) -> ForeignSpec:
    """Return the spec of a source's graph.

    Its parts are kernels as this machine's runtime would fuse them; operators that no kernel stands
    for are its `unknown`, for what is run needs no price. Raises UserError.
    """
    graph = source.graph()
    inputs = tuple((one, graph.shape(one)) for one in graph.inputs)
    digest = _digest(graph)
    parts = parts_of(graph, Rules())
    return ForeignSpec.of(
        parts.blocks,
        name=name,
        inputs=inputs,
        digest=digest,
        unknown=tuple(sorted(parts.unknown)),
        source=source,
    )


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
