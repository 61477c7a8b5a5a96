"""Small questions about a node's surroundings that several fusions ask."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ..graph import Graph, Node


def other_input(node: Node, name: str) -> str | None:
    """Return the input of a node of two that is not `name`; None where both are."""
    others = [one for one in node.inputs if one and one != name]
    return others[0] if len(others) == 1 else None


def constant_of(graph: Graph, node: Node) -> tuple[str, str] | None:
    """Return (activation, constant) of a node of two inputs, one of them constant."""
    if len(node.inputs) != 2:
        return None
    left, right = node.inputs
    if graph.is_constant(right) and not graph.is_constant(left):
        return left, right
    if graph.is_constant(left) and not graph.is_constant(right):
        return right, left
    return None


def scalar(graph: Graph, name: str) -> float | None:
    """Return the value of a constant of one value."""
    return graph.tensors[name].scalar() if name else None


def is_near(value: float | None, wanted: float) -> bool:
    return value is not None and math.isclose(value, wanted, rel_tol=1e-3)


def made_by(graph: Graph, name: str, *ops: str) -> Node | None:
    """Return the node that makes a tensor, if it is one of these operations."""
    node = graph.maker(name)
    return node if node is not None and node.op in ops else None


def only_reader(graph: Graph, node: Node, *ops: str) -> Node | None:
    """Return the only reader of a node's output, if it is one of these operations."""
    reader = graph.only_reader(node.output)
    return reader if reader is not None and reader.op in ops else None


def is_per_channel(graph: Graph, name: str, channels: int) -> bool:
    """Whether a constant has one value a channel of an (n, channels, h, w) tensor."""
    shape = graph.shape(name)
    return math.prod(shape) == channels and len(shape) >= 3 and shape[-3] == channels


class NoMatchError(Exception):
    """The nodes around are not the pattern."""


T = TypeVar("T")
P = ParamSpec("P")


def must(found: T | None) -> T:
    """Return what a pattern needs; raises NoMatchError for None and False."""
    if found is None or found is False:
        raise NoMatchError
    return found


def where_matched(pattern: Callable[P, T]) -> Callable[P, T | None]:
    """Return the pattern's function, which gives None where the nodes are not the pattern."""

    @functools.wraps(pattern)
    def match(*args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return pattern(*args, **kwargs)
        except NoMatchError:
            return None

    return match
