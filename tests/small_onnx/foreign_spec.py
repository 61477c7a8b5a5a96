"""A small foreign model for tests: a graph without a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from vitprof.foreign.onnx_file import onnx_from_bytes
from vitprof.foreign.parts import parts_of
from vitprof.foreign.rules import Rules
from vitprof.foreign.shapes import graph_of
from vitprof.models.families.foreign.spec import ForeignSpec

from .small_graphs import Small


@dataclass(frozen=True)
class FromBytes:
    """A source that has its model in memory."""

    data: bytes

    def onnx(self) -> bytes:
        return self.data

    def module(self) -> None:
        return None


def residual_net(width: int, depth: int, side: int = 14) -> bytes:
    """Return a small convolutional network with residual blocks and a pooled head."""
    g = Small(1, 3, 2 * side, 2 * side)
    x = g.op("Relu", g.conv("x", 3, width, 3, 2))
    for _ in range(depth):
        y = g.op("Relu", g.conv(x, width, width, 3, groups=width))
        x = g.op("Add", g.conv(y, width, width), x)
    x = g.op("Flatten", g.op("GlobalAveragePool", x))
    return g.model(g.op("Gemm", x, g.weights(width, 10), g.weights(10)))


def spec_of(model: bytes, name: str, rules: Rules | None = None) -> ForeignSpec:
    graph = graph_of(onnx_from_bytes(model, name))
    inputs = tuple((one, graph.shape(one)) for one in graph.inputs)
    parts = parts_of(graph, rules or Rules())
    parts.check_known()
    return ForeignSpec.of(
        parts.blocks,
        name=name,
        inputs=inputs,
        digest=hashlib.sha256(model).hexdigest(),
        source=FromBytes(model),
    )


def residual_spec(width: int, depth: int, rules: Rules | None = None) -> ForeignSpec:
    """Return the spec of `residual_net`, its graph fused by `rules` (AVX-512's if None)."""
    return spec_of(residual_net(width, depth), f"residual-{width}-{depth}", rules)
