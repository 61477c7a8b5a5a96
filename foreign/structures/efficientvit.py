"""EfficientViT's blocks: convolutions whose batch norms may be folded, and attention in groups."""

from __future__ import annotations

import math

from ...models.families.efficientvit.ops import kernels_code
from ..fusion.matching import NoMatchError, where_matched
from ..fusion.trivial import VIEWS
from ..graph import Graph, Node
from .branches import Branch, nodes_before, root
from .found import FoundBlock, found_block
from .simplify import LAYOUT

_ACTIVATIONS = {"Relu": 1, "HardSwish": 2, "Gelu": 3}
_BATCH_NORM = 1
_MEANS = {"GlobalAveragePool", "ReduceMean"}


@where_matched
def token_interaction(graph: Graph, branch: Branch) -> FoundBlock | None:
    """x + a depthwise convolution of x."""
    if len(branch.nodes) != 1:
        raise NoMatchError
    (conv,) = branch.nodes
    shape = graph.shape(conv.output)
    kernel = _square_kernel(graph, conv, group=shape[1])
    if not kernel or conv.inputs[0] not in branch.start or not _square_map(shape):
        raise NoMatchError
    dims = {"embed": shape[1], "resolution": shape[2], "kernel": kernel}
    return found_block(graph, branch.all_nodes, "dwconv", **dims, norm=_BATCH_NORM)


@where_matched
def feed_forward(graph: Graph, branch: Branch) -> FoundBlock | None:
    """x + 1x1 convolution, activation, 1x1 convolution."""
    if len(branch.nodes) != 3:
        raise NoMatchError
    first, act, second = branch.nodes
    code = _ACTIVATIONS.get(act.op)
    chained = act.inputs[0] == first.output and second.inputs[0] == act.output
    if code is None or not chained or first.inputs[0] not in branch.start:
        raise NoMatchError
    shape = graph.shape(second.output)
    if _square_kernel(graph, first) != 1 or _square_kernel(graph, second) != 1:
        raise NoMatchError
    if not _square_map(shape):
        raise NoMatchError
    hidden = graph.shape(first.output)[1]
    dims = {"embed": shape[1], "mlp": hidden, "resolution": shape[2]}
    return found_block(graph, branch.all_nodes, "ffn", **dims, activation=code, norm=_BATCH_NORM)


@where_matched
def group_attention(graph: Graph, branch: Branch) -> FoundBlock | None:
    """x + cascaded group attention within windows: one head after the other."""
    computing = [node for node in branch.computing if node.op not in {"Scale", "Pad"}]
    head = ["Conv", "Conv", "MatMul", "Add", "Softmax", "MatMul"]
    ops = [node.op for node in computing]
    if ops[: len(head)] != head or len(ops) < len(head) + 2 or ops[-1] != "Conv":
        raise NoMatchError
    heads = (len(ops) - 1) // 7
    cascaded = head + (["Add", *head] * (heads - 1))
    if heads < 1 or ops[:-2] != cascaded or branch.count("Scale") > heads or branch.count("Gather"):
        raise NoMatchError
    act, last = computing[-2:]
    code = _ACTIVATIONS.get(act.op)
    if code is None or last.inputs[0] != act.output or _square_kernel(graph, last) != 1:
        raise NoMatchError
    kernels, shapes, before = list[int](), set[tuple[int, ...]](), None
    for number in range(heads):
        start = number * 7
        parts = computing[start : start + 6]
        given = None if not number else computing[start - 1]
        found = _head(graph, branch, parts, given, before)
        if found is None:
            raise NoMatchError
        kernel, *sizes = found
        kernels.append(kernel)
        shapes.add(tuple(sizes))
        before = parts[-1].output
    if len(shapes) != 1 or not _joins_heads(graph, act, computing, heads):
        raise NoMatchError
    ((inputs, qk, v, window, windows),) = shapes
    shape = graph.shape(branch.plus.output)
    if root(graph, branch.end, LAYOUT | {"Pad"}) != last.output or not _square_map(shape):
        raise NoMatchError
    if inputs * heads != shape[1] or v != inputs or windows != (-(-shape[2] // window)) ** 2:
        raise NoMatchError
    return found_block(
        graph,
        branch.all_nodes,
        "cga",
        embed=shape[1],
        heads=heads,
        qk=qk,
        v=v,
        resolution=shape[2],
        window=window,
        kernels=kernels_code(kernels),
        attention=1,
        cascade=2,
        activation=code,
        norm=_BATCH_NORM,
    )


def _head(
    graph: Graph, branch: Branch, parts: list[Node], given: Node | None, before: str | None
) -> tuple[int, int, int, int, int, int] | None:
    """Return kernel, inputs, qk, v, side of a window and number of windows of one head."""
    qkv, query, logits, bias, softmax, weighted = parts
    moved = LAYOUT | {"Pad", "Scale"}
    if given is not None:
        ends = {root(graph, one, moved) for one in given.inputs}
        if before not in ends or not (ends - {before}) <= branch.start or len(ends) != 2:
            raise NoMatchError
    source = root(graph, qkv.inputs[0], moved)
    if source not in (branch.start if given is None else {given.output}):
        raise NoMatchError
    shape = graph.shape(query.output)
    kernel = _square_kernel(graph, query, group=shape[1])
    if _square_kernel(graph, qkv) != 1 or not kernel or shape[2] != shape[3]:
        raise NoMatchError
    if root(graph, query.inputs[0], moved) != qkv.output:
        raise NoMatchError
    made_of = {root(graph, one, moved) for one in logits.inputs}
    if made_of != {query.output, qkv.output}:
        raise NoMatchError
    added = {root(graph, one, moved) for one in bias.inputs if not graph.is_constant(one)}
    if added != {logits.output} or len([1 for x in bias.inputs if graph.is_constant(x)]) != 1:
        raise NoMatchError
    rank = len(graph.shape(softmax.output))
    if softmax.inputs[0] != bias.output or softmax.attributes.get("axis", -1) not in {-1, rank - 1}:
        raise NoMatchError
    if {root(graph, one, moved) for one in weighted.inputs} != {softmax.output, qkv.output}:
        raise NoMatchError
    qk, v = shape[1], graph.tensors[weighted.output].size // (shape[0] * shape[2] ** 2)
    if graph.shape(qkv.output)[1] != 2 * qk + v or graph.shape(logits.output)[-1] != shape[2] ** 2:
        raise NoMatchError
    return kernel, graph.shape(qkv.inputs[0])[1], qk, v, shape[2], shape[0]


def _joins_heads(graph: Graph, act: Node, computing: list[Node], heads: int) -> bool:
    """Whether the activation takes all heads side by side."""
    outputs = [computing[7 * number + 5].output for number in range(heads)]
    joined = graph.maker(act.inputs[0])
    if joined is None or joined.op != "Concat":
        return heads == 1 and root(graph, act.inputs[0]) == outputs[0]
    return [root(graph, one) for one in joined.inputs] == outputs


@where_matched
def stem(graph: Graph, conv: Node) -> FoundBlock | None:
    """Four 3x3 convolutions of stride 2, an activation between each two."""
    nodes, code = [conv], 0
    for _ in range(3):
        act = graph.only_reader(nodes[-1].output)
        after = graph.only_reader(act.output) if act is not None else None
        if act is None or after is None or after.op != "Conv":
            raise NoMatchError
        found = _ACTIVATIONS.get(act.op)
        if found is None or code not in {0, found}:
            raise NoMatchError
        code = found
        nodes += [act, after]
    images = graph.shape(conv.inputs[0])
    if not _square_map(images) or images[2] % 16:
        raise NoMatchError
    if any(_square_kernel(graph, one, stride=2) != 3 for one in nodes[::2]):
        raise NoMatchError
    widths = [graph.shape(one.output)[1] for one in nodes[::2]]
    embed = widths[-1]
    if widths != [embed // 8, embed // 4, embed // 2, embed] or embed % 8:
        raise NoMatchError
    dims = {"embed": embed, "in_channels": images[1], "resolution": images[2]}
    return found_block(graph, nodes, "conv_stem", **dims, activation=code, norm=_BATCH_NORM)


@where_matched
def patch_merging(graph: Graph, gate: Node) -> FoundBlock | None:
    """1x1 to four times the width, 3x3 of stride 2, gates by the means of channels, 1x1."""
    if gate.op != "Mul" or any(graph.is_constant(one) for one in gate.inputs):
        raise NoMatchError
    last = graph.only_reader(gate.output)
    sigmoids = [one for one in gate.inputs if _op(graph, one) == "Sigmoid"]
    if last is None or last.op != "Conv" or len(sigmoids) != 1:
        raise NoMatchError
    back: list[Node] = []
    name = sigmoids[0]
    for op in ("Sigmoid", "Conv", "Relu", "Conv", "mean"):
        node = graph.maker(name)
        fits = node is not None and (node.op in _MEANS if op == "mean" else node.op == op)
        if node is None or not fits or graph.only_reader(name) is None:
            raise NoMatchError
        back.append(node)
        name = node.inputs[0]
    act = graph.maker(name)
    if act is None or name not in gate.inputs or len(graph.readers(name)) != 2:
        raise NoMatchError
    front = [act]
    for _ in range(3):
        node = graph.maker(front[-1].inputs[0])
        if node is None or graph.only_reader(node.output) is None:
            raise NoMatchError
        front.append(node)
    act2, depthwise, act1, first = front
    code = _ACTIVATIONS.get(act1.op)
    if code is None or act1.op != act2.op or depthwise.op != "Conv" or first.op != "Conv":
        raise NoMatchError
    shape, hidden = graph.shape(first.inputs[0]), graph.shape(first.output)[1]
    if not _square_map(shape) or hidden != 4 * shape[1]:
        raise NoMatchError
    if _square_kernel(graph, depthwise, stride=2, group=hidden) != 3:
        raise NoMatchError
    plain = all(_square_kernel(graph, one) == 1 for one in (first, last, back[1], back[3]))
    means, narrow = graph.tensors[back[4].output].size, graph.shape(back[3].output)[1]
    if not plain or (means, narrow) != (hidden, shape[1]):
        raise NoMatchError
    return found_block(
        graph,
        [*reversed(front), *reversed(back), gate, last],
        "patch_merging",
        in_channels=shape[1],
        out_channels=graph.shape(last.output)[1],
        resolution=shape[2],
        activation=code,
        norm=_BATCH_NORM,
    )


@where_matched
def pooled_classifier(graph: Graph, linear: Node) -> FoundBlock | None:
    """Mean over the map, batch norm (or folded), linear layer."""
    if linear.op != "Linear" or not linear.inputs[2] or len(graph.shape(linear.output)) != 2:
        raise NoMatchError
    nodes, name = nodes_before(graph, linear.inputs[0], VIEWS | {"BatchNormalization"})
    mean = graph.maker(name)
    if mean is None or mean.op not in _MEANS or graph.only_reader(name) is None:
        raise NoMatchError
    shape, given = graph.shape(mean.inputs[0]), graph.tensors[name]
    norms = [node for node in nodes if node.op == "BatchNormalization"]
    if not _square_map(shape) or len(norms) > 1 or given.size != shape[1]:
        raise NoMatchError
    dims = {"embed": shape[1], "resolution": shape[2], "classes": graph.shape(linear.output)[1]}
    found = [mean, *reversed(nodes), linear]
    return found_block(graph, found, "pooled_classifier", **dims, norm=_BATCH_NORM)


def _op(graph: Graph, name: str) -> str | None:
    node = graph.maker(name)
    return None if node is None else node.op


def _square_map(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[0] == 1 and shape[2] == shape[3]


def _square_kernel(graph: Graph, conv: Node, stride: int = 1, group: int = 1) -> int | None:
    """Return the side of the kernel of a convolution with bias that pads its map by half of it."""
    if conv.op != "Conv" or len(conv.inputs) != 3 or not conv.inputs[2]:
        raise NoMatchError
    weight, about = graph.shape(conv.inputs[1]), conv.attributes
    if not graph.is_constant(conv.inputs[1]) or len(weight) != 4 or weight[2] != weight[3]:
        raise NoMatchError
    kernel = weight[2]
    padded = list(about.get("pads", (0,) * 4)) == [kernel // 2] * 4 and kernel % 2 == 1
    strided = list(about.get("strides", (1, 1))) == [stride, stride]
    spread = math.prod(about.get("dilations", (1, 1))) != 1
    named = about.get("auto_pad", b"NOTSET") != b"NOTSET"
    fits = padded and strided and not spread and not named and about.get("group", 1) == group
    return kernel if fits else None
