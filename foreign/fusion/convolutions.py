"""Convolutions: with the batch norm, factor, bias, padding and activation around them."""

from __future__ import annotations

from ..graph import Graph, Node
from .activations import expand_hard_swish
from .matching import constant_of, is_per_channel, made_by, only_reader, scalar

# What a convolution of the runtime computes in the same pass.
CONV_ACTIVATIONS = frozenset(
    {"Relu", "Sigmoid", "Tanh", "LeakyRelu", "Clip", "HardSigmoid", "HardSwish"}
)


def fuse_convolutions(graph: Graph) -> None:
    """Fold what is linear and constant into weights and bias, then take in the activation."""
    for node in graph.nodes:
        if node in graph and node.op == "Conv":
            _with_activation(graph, _folded(graph, _with_padding(graph, node)))
    expand_hard_swish(graph)


def _with_padding(graph: Graph, conv: Node) -> Node:
    pad = made_by(graph, conv.inputs[0], "Pad")
    if pad is None or only_reader(graph, pad, "Conv") is None:
        return conv
    mode = pad.attributes.get("mode", b"constant")
    if mode not in {b"constant", "constant"}:
        return conv
    amounts = graph.tensors[pad.inputs[1]].value if len(pad.inputs) > 1 else None
    filled = scalar(graph, pad.inputs[2]) if len(pad.inputs) > 2 and pad.inputs[2] else 0.0
    if amounts is None or filled != 0.0 or (amounts < 0).any():
        return conv
    rank = len(graph.shape(conv.inputs[0]))
    sizes = amounts.reshape(2, -1)
    if sizes.shape[1] != rank or sizes[:, :2].any():
        return conv
    had = conv.attributes.get("pads", [0] * 2 * (rank - 2))
    pads = [int(a) + int(b) for a, b in zip(had, sizes[:, 2:].reshape(-1), strict=True)]
    inputs = (pad.inputs[0], *conv.inputs[1:])
    attributes = {**conv.attributes, "pads": pads}
    return graph.fuse([pad, conv], Node("Conv", inputs, conv.outputs, attributes))


def _folded(graph: Graph, conv: Node) -> Node:
    while True:
        after = only_reader(graph, conv, "BatchNormalization", "Mul", "Add")
        if after is None or not graph.is_constant(conv.inputs[1]):
            return conv
        channels = graph.shape(conv.output)[1]
        if after.op == "BatchNormalization":
            bias = after.inputs[2]
        else:
            given = constant_of(graph, after)
            if given is None or not is_per_channel(graph, given[1], channels):
                return conv
            bias = given[1]
        has_bias = len(conv.inputs) > 2 and conv.inputs[2]
        inputs = conv.inputs[:2]
        if after.op != "Mul":
            inputs = (*inputs, bias)
        elif has_bias:
            inputs = conv.inputs
        conv = graph.fuse([conv, after], Node("Conv", inputs, after.outputs, conv.attributes))


def _with_activation(graph: Graph, conv: Node) -> None:
    activation = only_reader(graph, conv, *CONV_ACTIVATIONS)
    if activation is None:
        return
    if activation.op == "Clip" and any(
        scalar(graph, x) is None for x in activation.inputs[1:] if x
    ):
        return
    attributes = {**conv.attributes, "activation": activation.op}
    graph.fuse([conv, activation], Node("Conv", conv.inputs, activation.outputs, attributes))
