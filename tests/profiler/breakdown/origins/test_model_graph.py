"""A graph finds its nodes by name and by tensor."""

from __future__ import annotations

from vitprof.profiler.breakdown.origins.model_graph import GraphNode, ModelGraph

GRAPH = ModelGraph(
    [
        GraphNode("a", "Conv", ("x", "w"), ("y",)),
        GraphNode("b", "Relu", ("y",), ("z",)),
        GraphNode("c", "Add", ("y", "z"), ("out",)),
    ]
)


def test_neighbours_are_found_by_the_tensors_between_them() -> None:
    assert (GRAPH.maker("y"), GRAPH.maker("x")) == (0, None)
    assert list(GRAPH.readers("y")) == [1, 2]
    assert GRAPH.before(2) == [0, 1]
    assert GRAPH.after(0) == [1, 2]
    assert GRAPH.named("b") == 1
    assert GRAPH.named("d") is None
