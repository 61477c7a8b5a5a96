"""Graphs of models that others exported, recorded without their weights.

`python -m small_onnx.recorded model.onnx graph.json.gz` in tests/ records one. Those under
data/graphs are timm 1.0's models as torch.onnx.export(dynamo=False, opset_version=17) wrote them.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from vitprof.foreign.graph import Graph, Node, Tensor

GRAPHS = Path(__file__).parent.parent / "data" / "graphs"
# Scales, axes and shapes; larger constants are weights.
_KEPT = 16


def record(graph: Graph, path: Path) -> None:
    """Write a graph as compressed JSON."""
    tensors = {}
    for one in graph.tensors.values():
        small = one.value is not None and one.value.size <= _KEPT
        value = one.value.tolist() if one.value is not None and small else None
        tensors[one.name] = [one.shape, one.dtype, one.constant, value]
    nodes = [
        [node.op, node.inputs, node.outputs, _plain(node.attributes), node.covers]
        for node in graph.nodes
    ]
    content = [nodes, tensors, graph.inputs, graph.outputs]
    path.write_bytes(gzip.compress(json.dumps(content).encode(), mtime=0))


def recorded(name: str) -> Graph:
    """Return a graph of data/graphs."""
    content = gzip.decompress((GRAPHS / f"{name}.json.gz").read_bytes())
    nodes, tensors, inputs, outputs = json.loads(content)
    return Graph(
        [
            Node(op, tuple(given), tuple(made), _read(attributes), tuple(covers))
            for op, given, made, attributes, covers in nodes
        ],
        {
            one: Tensor(one, tuple(shape), dtype, constant, _array(value, dtype))
            for one, (shape, dtype, constant, value) in tensors.items()
        },
        inputs,
        outputs,
    )


def _array(value: object, dtype: str) -> np.ndarray | None:
    return None if value is None else np.array(value, dtype=dtype)


def _plain(attributes: Any) -> dict[str, Any]:
    kept = {name: value for name, value in attributes.items() if not hasattr(value, "dims")}
    return {
        name: {"bytes": value.decode()} if isinstance(value, bytes) else value
        for name, value in kept.items()
    }


def _read(attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value["bytes"].encode() if isinstance(value, dict) else value
        for name, value in attributes.items()
    }


if __name__ == "__main__":
    from vitprof.foreign.onnx_file import read_onnx
    from vitprof.foreign.shapes import graph_of

    record(graph_of(read_onnx(sys.argv[1])), Path(sys.argv[2]))
