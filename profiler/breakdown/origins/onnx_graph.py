"""The graph of an ONNX model, and the modules that exporters write into the names of its nodes."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .model_graph import GraphNode, ModelGraph

# torch's newer exporter writes "['', 'blocks.0', 'blocks.0.attn', 'linear']" here.
_SCOPES = "pkg.torch.onnx.name_scopes"
_LONGEST_SCOPES = 10_000


def graph_of_onnx(data: bytes) -> ModelGraph:
    """Return the graph of a model that has been loaded before; only its names are kept.

    A node without a name is called by its operator and its place in the file.
    """
    import onnx

    nodes = onnx.load_from_string(data).graph.node
    unique = unique_names([node.name for node in nodes])
    return ModelGraph(
        [
            GraphNode(
                node.name or f"{node.op_type} (node {place})",
                node.op_type,
                tuple(node.input),
                tuple(node.output),
                _module_of(node),
                unique[place],
            )
            for place, node in enumerate(nodes)
        ]
    )


def unique_names(names: Sequence[str]) -> list[str]:
    """Return the names that nodes get from `NameFixPass` of the package onnx-ir, each once.

    One without a name is a "node"; one whose name is taken gets the next free number behind it.
    """
    taken: set[str] = set()
    counts: Counter[str] = Counter()
    found = []
    for wanted in (name or "node" for name in names):
        name = wanted
        while name in taken:
            counts[wanted] += 1
            name = f"{wanted}_{counts[wanted]}"
        taken.add(name)
        found.append(name)
    return found


def _module_of(node: Any) -> str:
    for entry in node.metadata_props:
        if entry.key == _SCOPES:
            return _module_of_scopes(entry.value)
    return module_of_name(node.name)


def _module_of_scopes(text: str) -> str:
    if len(text) > _LONGEST_SCOPES:
        return ""
    try:
        scopes = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ""
    known = isinstance(scopes, list) and len(scopes) > 1 and isinstance(scopes[-2], str)
    return scopes[-2] if known else ""


def module_of_name(name: str) -> str:
    """Return "stages.0.blocks.1.conv" for "/stages/stages.0/blocks/blocks.1/conv/Conv".

    A list of modules names each of them after itself, so that "stages.0" takes the place of
    "stages". What stands last is the node's own name.
    """
    path: list[str] = []
    for part in filter(None, name.split("/")[:-1]):
        if path and part.startswith(f"{path[-1]}."):
            path.pop()
        path.append(part)
    return ".".join(path)
