"""The graph of a model as far as origins need it: who makes and who reads which tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class GraphNode:
    """One node; `module` is the path of the module it says that it is of, "" where it says none.

    `unique` is the name that viewers of ONNX files give it, "" in other graphs.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    module: str = ""
    unique: str = ""


class ModelGraph:
    """Nodes in an order in which they can run, found by name or by the tensors they make or read.

    A node is identified by its index in `nodes`. Tensors that no node makes are inputs and weights.
    """

    def __init__(self, nodes: Sequence[GraphNode]) -> None:
        self.nodes = tuple(nodes)
        self._makers = {
            tensor: place for place, node in enumerate(nodes) for tensor in node.outputs if tensor
        }
        self._readers: dict[str, list[int]] = {}
        self._named: dict[str, int] = {}
        for place, node in enumerate(nodes):
            self._named.setdefault(node.name, place)
            for tensor in dict.fromkeys(node.inputs):
                self._readers.setdefault(tensor, []).append(place)

    def maker(self, tensor: str) -> int | None:
        """Return the node that makes a tensor; None for inputs and weights."""
        return self._makers.get(tensor)

    def readers(self, tensor: str) -> Sequence[int]:
        """Return the nodes that read a tensor."""
        return self._readers.get(tensor, ())

    def named(self, name: str) -> int | None:
        """Return the first node of this name."""
        return self._named.get(name)

    def before(self, place: int) -> list[int]:
        """Return the nodes whose tensors a node reads."""
        makers = (self.maker(tensor) for tensor in self.nodes[place].inputs)
        return [maker for maker in makers if maker is not None]

    def after(self, place: int) -> list[int]:
        """Return the nodes that read what a node makes."""
        return [reader for tensor in self.nodes[place].outputs for reader in self.readers(tensor)]
