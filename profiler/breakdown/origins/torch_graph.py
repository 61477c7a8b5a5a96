"""The graph of an exported PyTorch program, and a way to run it that marks each of its nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .model_graph import GraphNode, ModelGraph

if TYPE_CHECKING:
    import torch

# What the profiler calls the span of one node of the graph.
NODE = "vitprof: node "


def graph_of_program(module: torch.nn.Module) -> ModelGraph:
    """Return the graph of an exported program's module; weights are called by their own names."""
    nodes = [
        GraphNode(
            node.name,
            str(node.target),
            tuple(map(_tensor, node.all_input_nodes)),
            (node.name,),
            _module_of(node.meta.get("nn_module_stack")),
        )
        for node in _fx(module).graph.nodes
        if node.op not in {"placeholder", "get_attr", "output"}
    ]
    return ModelGraph(nodes)


def marked(module: torch.nn.Module) -> Any:
    """Return a function that runs the program node by node, each in a span of the profiler."""
    import torch
    from torch.profiler import record_function

    class Marked(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> Any:
            if n.op in {"placeholder", "get_attr", "output"}:
                return super().run_node(n)
            with record_function(NODE + n.name):
                return super().run_node(n)

    return Marked(_fx(module)).run


def _fx(module: torch.nn.Module) -> torch.fx.GraphModule:
    import torch

    assert isinstance(module, torch.fx.GraphModule), "an exported program is a graph"
    return module


def _tensor(node: torch.fx.Node) -> str:
    return str(node.target) if node.op == "get_attr" else node.name


def _module_of(stack: Any) -> str:
    """Return the path of the innermost module; the stack is {key: (path, type)}."""
    if not isinstance(stack, dict) or not stack:
        return ""
    return str(list(stack.values())[-1][0]).removeprefix("L['self']").removeprefix(".")
