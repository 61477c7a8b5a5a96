"""Small ONNX models that take all memory or never end, and one that does neither."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper


def model_of(nodes: list[onnx.NodeProto], output: tuple[int, ...], *tensors: TensorProto) -> bytes:
    """Return a model of one input of 1 × 4 numbers; its output is called y."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, output)],
        list(tensors),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return model.SerializeToString()


def honest() -> bytes:
    return model_of([helper.make_node("Relu", ["x"], ["y"])], (1, 4))


def expanded(*sizes: int) -> list[onnx.NodeProto]:
    """Return the nodes that make a matrix "large" of one number of x."""
    return [
        helper.make_node("Constant", [], ["sizes"], value_ints=sizes),
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=1),
        helper.make_node("Expand", ["sum", "sizes"], ["large"]),
    ]


def endless() -> bytes:
    """A small file of products that take hours, without a loop."""
    nodes = expanded(4096, 4096)
    last = "large"
    for nth in range(1000):
        nodes.append(helper.make_node("MatMul", [last, "large"], [f"m{nth}"]))
        last = f"m{nth}"
    nodes.append(helper.make_node("ReduceMean", [last], ["y"], keepdims=1))
    return model_of(nodes, (1, 1))


def greedy() -> bytes:
    """A small file that needs 4 GiB."""
    nodes = expanded(1 << 15, 1 << 15)
    nodes.append(helper.make_node("ReduceMean", ["large"], ["y"], keepdims=1))
    return model_of(nodes, (1, 1))
