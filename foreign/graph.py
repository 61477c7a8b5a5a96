"""The graph of a foreign model: nodes with attributes, and tensors with shapes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

# Where a node stands in the order of running; what takes its place stands between its neighbours.
Place = tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """One tensor: its shape, its type by numpy's name, and whether it is a constant.

    `value` holds small constants (shapes, scales, axes); of large ones only the shape is kept.
    `looked_up` are table and indices of a constant that was gathered from a constant table.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    constant: bool = False
    value: np.ndarray | None = field(default=None, compare=False)
    looked_up: tuple[str, str] | None = field(default=None, compare=False)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def scalar(self) -> float | None:
        """Return the one value of a constant, None where it has several or is none."""
        if self.value is None or self.value.size != 1:
            return None
        return float(self.value.reshape(-1)[0])


@dataclass(frozen=True, eq=False)
class Node:
    """One node: an operation on tensors, by name. An input that is left away is "".

    `covers` are the names of the nodes of the file that it stands for: itself, or what was fused.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    covers: tuple[str, ...] = ()

    @property
    def output(self) -> str:
        return self.outputs[0]


class Graph:
    """Nodes in an order in which they can run, and their tensors by name.

    Rewriting keeps it up to date: `fuse` puts one node in the place of several, in time that does
    not depend on the size of the graph.
    """

    def __init__(
        self,
        nodes: Iterable[Node],
        tensors: Mapping[str, Tensor],
        inputs: Sequence[str],
        outputs: Sequence[str],
    ) -> None:
        self.tensors = dict(tensors)
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        # By place in the order of running; what was fused leaves a gap.
        self._nodes: dict[Place, Node] = {}
        self._place: dict[int, Place] = {}
        self._made_by: dict[str, Node] = {}
        self._read_by: dict[str, list[Node]] = {}
        for number, node in enumerate(nodes):
            self._add(node, (number,))

    @property
    def nodes(self) -> list[Node]:
        """The nodes in the order in which they run."""
        return [self._nodes[place] for place in sorted(self._nodes)]

    def walk(self) -> Iterator[Node]:
        """Yield the nodes in the order in which they run, each as it is when its turn comes."""
        for place in sorted(self._nodes):
            if place in self._nodes:
                yield self._nodes[place]

    def copy(self) -> Graph:
        """Return a graph that can be rewritten by itself; nodes and tensors are shared."""
        return Graph(self.nodes, self.tensors, self.inputs, self.outputs)

    def __contains__(self, node: Node) -> bool:
        return id(node) in self._place

    def shape(self, name: str) -> tuple[int, ...]:
        return self.tensors[name].shape

    def is_constant(self, name: str) -> bool:
        return name != "" and self.tensors[name].constant

    def maker(self, name: str) -> Node | None:
        """Return the node that computes a tensor; None for inputs, constants and ""."""
        return self._made_by.get(name)

    def readers(self, name: str) -> Sequence[Node]:
        """Return the nodes that read a tensor, each once."""
        return self._read_by.get(name, [])

    def only_reader(self, name: str) -> Node | None:
        """Return the one node that reads a tensor, if nothing else does and it is not an output."""
        readers = self.readers(name)
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def fuse(self, nodes: Sequence[Node], into: Node) -> Node:
        """Put one node in the place of several; the last of them in the order says where."""
        places = [self._place[id(node)] for node in nodes]
        covers = tuple(
            name
            for _, node in sorted(zip(places, nodes, strict=True), key=_place_of)
            for name in node.covers
        )
        for node in nodes:
            self._remove(node)
        fused = replace(into, covers=covers)
        self._add(fused, max(places))
        return fused

    def split(self, node: Node, first: Node, second: Node) -> None:
        """Put two nodes in the place of one; both cover what it covered."""
        self.split_many([node], [first, second], covering=1)

    def place(self, node: Node) -> Place:
        """Return where a node stands in the order of running."""
        return self._place[id(node)]

    def split_many(
        self,
        nodes: Sequence[Node],
        into: Sequence[Node],
        covering: int,
        at_first: bool = False,
    ) -> None:
        """Put a few nodes, in this order, in the place of others; one of them covers those.

        They run when the last of the others did, or `at_first` when the first did.
        """
        places = sorted(self._place[id(node)] for node in nodes)
        covers = tuple(name for place in places for name in self._nodes[place].covers)
        for node in nodes:
            self._remove(node)
        for number, node in enumerate(into):
            kept = replace(node, covers=covers if number == covering else ())
            self._add(kept, (*places[0 if at_first else -1], number))

    def drop(self, node: Node, instead: str) -> None:
        """Take away a node that hands on `instead`; its readers read that from now on."""
        output = node.output
        self._remove(node)
        for reader in list(self.readers(output)):
            place = self._place[id(reader)]
            self._remove(reader)
            inputs = tuple(instead if name == output else name for name in reader.inputs)
            self._add(replace(reader, inputs=inputs), place)
        if output in self.outputs:
            self.outputs = tuple(instead if one == output else one for one in self.outputs)

    def change(self, node: Node, **fields: Any) -> Node:
        """Put a changed copy in the place of a node."""
        place = self._place[id(node)]
        self._remove(node)
        changed = replace(node, **fields)
        self._add(changed, place)
        return changed

    def _add(self, node: Node, place: Place) -> None:
        self._nodes[place] = node
        self._place[id(node)] = place
        for name in node.outputs:
            self._made_by[name] = node
        for name in dict.fromkeys(node.inputs):
            self._read_by.setdefault(name, []).append(node)

    def _remove(self, node: Node) -> None:
        del self._nodes[self._place.pop(id(node))]
        for name in node.outputs:
            if self._made_by.get(name) is node:
                del self._made_by[name]
        for name in dict.fromkeys(node.inputs):
            self._read_by[name] = [one for one in self._read_by[name] if one is not node]


def _place_of(placed: tuple[Place, Node]) -> Place:
    return placed[0]
