"""The graph of an artifact of OpenVINO, whose tensors keep the names that they have in ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from xml.etree import ElementTree

from ....backends.openvino.ir import IR
from ..classes import class_of_openvino
from ..profile import Node
from .model_graph import GraphNode, ModelGraph

# Between the names of the nodes that one was made of; no name has it, as OpenVINO itself uses it.
SEPARATOR = ","
# How far the parts of one node of ONNX, of which only the last keeps its name, may reach.
_LONGEST_CHAIN = 12


def graph_of_ir(ir: IR) -> ModelGraph:
    """Return the graph of a checked artifact.

    A node's outputs are called by its place in the file, and by the names they have in ONNX.
    """
    root = ElementTree.fromstring(ir.graph)  # noqa: S314 - checked when it was read
    read: dict[str, list[str]] = {}
    for edge in root.iter("edge"):
        made = f"ir:{edge.get('from-layer')}:{edge.get('from-port')}"
        read.setdefault(edge.get("to-layer", ""), []).append(made)
    return ModelGraph(
        [
            GraphNode(
                layer.get("name", ""),
                layer.get("type", ""),
                tuple(read.get(layer.get("id", ""), ())),
                tuple(_outputs(layer)),
            )
            for layer in root.iterfind("layers/layer")
        ]
    )


def products_of_ir(ir: IR) -> dict[str, int]:
    """Return the multiply-accumulates of each matrix product, by its name."""
    root = ElementTree.fromstring(ir.graph)  # noqa: S314 - checked when it was read
    found = {}
    for layer in root.iterfind("layers/layer[@type='MatMul']"):
        data, left, made = layer.find("data"), layer.find("input/port"), layer.find("output/port")
        if left is None or made is None:
            continue
        transposed = data is not None and data.get("transpose_a") == "true"
        inner = _shape(left)[-2 if transposed else -1]
        found[layer.get("name", "")] = prod(_shape(made)) * inner
    return found


def kinds_of_ir(ir: IR) -> dict[str, str]:
    """Return the class of each node that computes, by its name."""
    return {
        node.name: class_of_openvino(node.op)
        for node in graph_of_ir(ir).nodes
        if node.op not in ("Const", "Parameter", "Result")
    }


def origins_of_openvino(
    nodes: Sequence[Node], ir: ModelGraph, model: ModelGraph
) -> list[int | None]:
    """Return, for each executed node, the node of the ONNX model it came from; None for none.

    A node that several were fused into comes from the last of them that is of its class. Of a node
    of ONNX that was taken apart, only what is computed last has its name: the others are found by
    following what they compute.
    """
    return [_origin(node, ir, model) for node in nodes]


def _origin(node: Node, ir: ModelGraph, model: ModelGraph) -> int | None:
    places = [ir.named(name) for name in node.source.split(SEPARATOR) if name]
    known = [place for place in places if place is not None]
    of_class = [one for one in known if class_of_openvino(ir.nodes[one].op) == node.kind]
    for place in (*reversed(of_class), *reversed(known)):
        found = _named_from(place, ir, model)
        if found is not None:
            return found
    return None


def _named_from(place: int, ir: ModelGraph, model: ModelGraph) -> int | None:
    """Return the node of ONNX that makes what a node makes, or what is next made of that."""
    here = [place]
    for _ in range(_LONGEST_CHAIN):
        for one in here:
            for tensor in ir.nodes[one].outputs:
                maker = model.maker(tensor)
                if maker is not None:
                    return maker
        here = list(dict.fromkeys(reader for one in here for reader in ir.after(one)))
    return None


def _shape(port: ElementTree.Element) -> list[int]:
    return [int(dim.text or 0) for dim in port.iterfind("dim")]


def _outputs(layer: ElementTree.Element) -> list[str]:
    found = []
    for port in layer.iterfind("output/port"):
        found.append(f"ir:{layer.get('id')}:{port.get('id')}")
        # A comma inside a name is written with a backslash before it.
        names = port.get("names", "").replace("\\,", "\0").split(",")
        found += [name.replace("\0", ",") for name in names if name]
    return found
