"""Each node's time as OpenVINO counts it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...backends import BackendOptions
from ...backends.openvino.backend import OpenVinoBackend
from ...backends.openvino.ir import IR
from ...backends.openvino.session import runtime_info
from ...errors import UserError
from .classes import ELEMENTWISE, MATMUL, class_of_openvino, heaviest_class
from .origins.openvino_graph import SEPARATOR, kinds_of_ir, products_of_ir
from .profile import Node, Profile
from .work import Tensor, Work, work_of

_NOT_COMPUTED = ("Input", "Const", "Output")
# How far what OpenVINO put in between may be from a node of the model.
_LONGEST_CHAIN = 4
_DTYPES = {
    "f32": "float",
    "f16": "float16",
    "bf16": "bfloat16",
    "i64": "int64",
    "i32": "int32",
    "i8": "int8",
    "u8": "uint8",
    "boolean": "bool",
}


def profile_openvino(artifact: bytes, options: BackendOptions, warmup: int, runs: int) -> Profile:
    """Run a fresh session in which OpenVINO counts each node's time; return means of `runs` runs.

    The session is otherwise the one that is measured. OpenVINO tells means since loading, in whole
    microseconds rounded down, so those of the warm-up are taken out. Raises BackendError like
    loading and running, UserError where nothing was counted.
    """
    ir = IR.from_bytes(artifact)
    kinds, products = kinds_of_ir(ir), products_of_ir(ir)
    with OpenVinoBackend().open(artifact, options, profiling=True) as executable:
        for _ in range(warmup):
            executable.run()
        before = _mean_us(executable.node_times()) if warmup else {}
        started = time.perf_counter()
        for _ in range(runs):
            executable.run()
        total_ms = (time.perf_counter() - started) * 1e3 / runs
        mean = _mean_us(executable.node_times())
        graph = ExecutedGraph.of(executable.graph())
    us = {
        name: means_between(before.get(name, 0.0), warmup, after, runs)
        for name, after in mean.items()
    }
    nodes = tuple(
        _node(one, us[one.name], graph.origins(one, frozenset(kinds)), kinds, products)
        for one in graph.nodes
        if one.name in us
    )
    if not any(node.ms for node in nodes):
        raise UserError(
            "OpenVINO counted no node's time: it tells whole microseconds, and the model's nodes "
            "are shorter; break down a larger model."
        )
    return Profile(total_ms, nodes)


def means_between(before: float, warmup: int, after: float, runs: int) -> float:
    """Return the mean of the last `runs` runs, given those of the first ones and of all."""
    return max((after * (warmup + runs) - before * warmup) / runs, 0.0)


@dataclass(frozen=True)
class ExecutedNode:
    """One node of the graph that OpenVINO executes; `origins`: names of nodes of the model."""

    name: str
    op: str
    origins: tuple[str, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    before: tuple[str, ...]


class ExecutedGraph:
    """The nodes that OpenVINO executes, in their order."""

    def __init__(self, nodes: Sequence[ExecutedNode]) -> None:
        self.nodes = nodes
        self._named = {node.name: node for node in nodes}
        self._after: dict[str, list[str]] = {}
        for node in nodes:
            for name in node.before:
                self._after.setdefault(name, []).append(node.name)

    @classmethod
    def of(cls, graph: Any) -> ExecutedGraph:
        """Read an `openvino.Model` of an executed graph; raises UserError for an unknown order."""
        nodes = [
            node for node in graph.get_ops() if runtime_info(node, "layerType") not in _NOT_COMPUTED
        ]
        nodes.sort(key=_order)
        return cls([_executed(node) for node in nodes])

    def origins(self, node: ExecutedNode, known: frozenset[str]) -> tuple[str, ...]:
        """Return the nodes of the model that a node came from, of those that are `known`.

        What OpenVINO put in between comes from what reads it, or else from what it reads.
        """
        for names_of in (lambda one: self._after.get(one.name, ()), lambda one: one.before):
            here = [node]
            for _ in range(_LONGEST_CHAIN):
                found = [name for one in here for name in one.origins if name in known]
                if found:
                    return tuple(found if here[0] is node else found[:1])
                names = dict.fromkeys(name for one in here for name in names_of(one))
                here = [self._named[name] for name in names if name in self._named]
                if not here:
                    break
        return ()


def _mean_us(infos: Sequence[Any]) -> dict[str, float]:
    return {info.node_name: info.real_time.total_seconds() * 1e6 for info in infos}


def _order(node: Any) -> int:
    order = runtime_info(node, "execOrder")
    if not order.isdigit():
        raise UserError("this version of OpenVINO does not tell in which order it executes nodes.")
    return int(order)


def _executed(node: Any) -> ExecutedNode:
    names = runtime_info(node, "originalLayersNames").split(",")
    makers = [port.get_source_output().get_node() for port in node.inputs()]
    return ExecutedNode(
        node.get_friendly_name(),
        runtime_info(node, "layerType"),
        tuple(name for name in names if name),
        tuple(_tensor(port.get_source_output()) for port in node.inputs()),
        tuple(_tensor(port) for port in node.outputs()),
        tuple(dict.fromkeys(maker.get_friendly_name() for maker in makers)),
    )


def _tensor(port: Any) -> Tensor:
    kind = port.get_element_type().get_type_name()
    return Tensor(_DTYPES.get(kind, kind), tuple(port.get_shape()))


def _node(
    one: ExecutedNode,
    us: float,
    origins: Sequence[str],
    kinds: Mapping[str, str],
    products: Mapping[str, int],
) -> Node:
    kind = class_of_openvino(one.op)
    if one.op == "Subgraph":  # code made for several nodes at once
        kind = heaviest_class([kinds[name] for name in origins]) or ELEMENTWISE
    if one.op == "Subgraph" and kind == MATMUL:
        inside = sum(products.get(name, 0) for name in origins)
        work = Work(inside, sum(tensor.bytes for tensor in (*one.inputs, *one.outputs)))
    else:
        work = work_of(one.op, kind, _with_plain_weights(one.inputs), one.outputs)
    return Node(one.name, one.op, kind, us / 1e3, work, SEPARATOR.join(origins))


def _with_plain_weights(inputs: Sequence[Tensor]) -> list[Tensor]:
    """Return the inputs; a grouped convolution's weights, which are by group, as others' are."""
    found = list(inputs)
    if len(found) > 1 and len(found[1].shape) == len(found[0].shape) + 1 > 3:
        groups, of_group, *kernel = found[1].shape
        found[1] = Tensor(found[1].dtype, (groups * of_group, *kernel))
    return found
