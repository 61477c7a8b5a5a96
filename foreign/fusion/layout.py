"""Where the runtime uses its own layout of convolutions, and moves tensors into it and out of it.

Channels lie in blocks there (of 16 with AVX-512, 8 with AVX2). Convolutions whose channels fit take
part, and so does what lies between them and can work on blocks; elsewhere a ReorderOutput brings a
tensor back, once for all of its readers, and a ReorderInput brings it in.
"""

from __future__ import annotations

from dataclasses import replace

from ..graph import Graph, Node, Tensor
from ..rules import Rules
from .convolutions import CONV_ACTIVATIONS
from .matching import constant_of, is_per_channel

# The channels of what is brought into the layout are a multiple of this.
ALIGNMENT = 4
ELEMENTWISE = frozenset({"Relu", "LeakyRelu", "Sigmoid", "Tanh", "Gelu", "QuickGelu"})
POOLS = frozenset({"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"})
TO_CHANNELS_LAST, TO_CHANNELS_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


def laid_out(graph: Graph, rules: Rules) -> list[Node]:
    """Return the nodes as they run, with those that move tensors between the layouts."""
    if not rules.channels_per_block:
        return graph.nodes
    return _Layout(graph, rules.channels_per_block).nodes()


class _Layout:
    def __init__(self, graph: Graph, block: int) -> None:
        self._graph = graph
        self._block = block
        self._blocked: dict[str, Node] = {}  # tensors in blocks, and what made them
        self._brought: set[str] = set()  # plain tensors that were brought in
        self._back: set[str] = set()  # tensors in blocks that were brought back too
        self._out: list[Node] = []
        self._number: dict[int, int] = {}

    def nodes(self) -> list[Node]:
        for node in self._graph.nodes:
            made = self._in_blocks(node)
            if made is None:
                for name in dict.fromkeys(node.inputs):
                    self._bring_back(name)
                self._emit(node)
            elif made:
                self._blocked[node.output] = made[0]
        for name in self._graph.outputs:
            self._bring_back(name)
        return [node for node in self._out if node.op]

    def _emit(self, node: Node) -> Node:
        self._number[id(node)] = len(self._out)
        self._out.append(node)
        return node

    def _in_blocks(self, node: Node) -> list[Node] | None:
        """Return [the node] as it works on blocks; [] where it vanished, None where it cannot."""
        bringing_in = {"Conv": self._conv, **dict.fromkeys(POOLS, self._pool)}
        if node.op in bringing_in:
            return bringing_in[node.op](node)
        if not node.inputs or node.inputs[0] not in self._blocked:
            scaled = constant_of(self._graph, node) if node.op == "Mul" else None
            if scaled is None or scaled[0] not in self._blocked:
                return None
        on_blocks = {
            "Transpose": self._channels_last,
            "Resize": self._resize,
            "BatchNormalization": self._scaled,
            "Mul": self._product,
            "Concat": self._concat,
            **dict.fromkeys(("Add", "Sum"), self._sum),
            **dict.fromkeys(ELEMENTWISE, self._activation),
        }
        work = on_blocks.get(node.op)
        return None if work is None else work(node)

    def _scaled(self, node: Node) -> list[Node]:
        """What scales each channel runs as a depthwise convolution of one tap."""
        x = node.inputs[0] if node.inputs[0] in self._blocked else node.inputs[1]
        attributes = {"group": self._graph.shape(x)[1], "scales": 1, "blocked": 1}
        return [self._emit(Node("Conv", (x,), node.outputs, attributes, node.covers))]

    def _product(self, node: Node) -> list[Node] | None:
        scaled = constant_of(self._graph, node)
        if scaled and self._is_per_channel(scaled):
            return self._scaled(node)
        return [self._emit(self._marked(node))] if self._all_alike(node) else None

    def _concat(self, node: Node) -> list[Node] | None:
        if node.attributes.get("axis") not in {1, -3}:
            return None
        if not all(name in self._blocked for name in node.inputs):
            return None
        if any(self._graph.shape(name)[1] % self._block for name in node.inputs):
            return None
        return [self._emit(self._marked(node))]

    def _all_alike(self, node: Node) -> bool:
        """Whether all inputs are in blocks and of the result's shape."""
        shape = self._graph.shape(node.output)
        return all(x in self._blocked and self._graph.shape(x) == shape for x in node.inputs)

    def _conv(self, node: Node) -> list[Node] | None:
        x, weights = node.inputs[:2]
        shape = self._graph.shape(weights)
        if len(shape) != 4 or not self._graph.is_constant(weights):
            return None
        out, of_group = shape[:2]
        groups = int(node.attributes.get("group", 1))
        brings_in = True
        if groups > 1:
            if of_group == 1 and out == groups:
                if out % ALIGNMENT:
                    return None
            elif of_group % self._block or (out // groups) % self._block:
                return None
        elif of_group < self._block:
            brings_in = False  # so few channels are read as they are
        elif of_group % ALIGNMENT:
            return None
        if brings_in:
            self._bring_in(x)
        else:
            self._bring_back(x)
        return [self._emit(self._marked(node))]

    def _pool(self, node: Node) -> list[Node] | None:
        shape = self._graph.shape(node.inputs[0])
        if len(shape) != 4 or len([name for name in node.outputs if name]) > 1:
            return None
        if shape[1] % self._block:
            return None
        self._bring_in(node.inputs[0])
        return [self._emit(self._marked(node))]

    def _resize(self, node: Node) -> list[Node] | None:
        x = node.inputs[0]
        mode = node.attributes.get("mode", b"nearest")
        if x not in self._blocked or mode not in {b"nearest", b"linear"}:
            return None
        before, after = self._graph.shape(x), self._graph.shape(node.output)
        if len(before) != 4 or any(b % a for a, b in zip(before, after, strict=True)):
            return None
        return [self._emit(self._marked(node))]

    def _channels_last(self, node: Node) -> list[Node] | None:
        """A swap to channels last is done while a tensor is brought back."""
        x = node.inputs[0]
        if x not in self._blocked or list(node.attributes.get("perm", ())) != TO_CHANNELS_LAST:
            return None
        if len(self._graph.readers(x)) != 1 or x in self._graph.outputs:
            return None
        self._emit(Node("ReorderOutput", (x,), node.outputs, {"channels_last": 1}, node.covers))
        return []

    def _activation(self, node: Node) -> list[Node]:
        x = node.inputs[0]
        maker = self._blocked[x]
        alone = self._graph.only_reader(x) is not None
        is_free = maker.op == "Conv" and "activation" not in maker.attributes
        if alone and is_free and node.op in CONV_ACTIVATIONS:
            return [self._replace(maker, node, activation=node.op)]
        return [self._emit(self._marked(node))]

    def _sum(self, node: Node) -> list[Node] | None:
        if not self._all_alike(node):
            return None
        given = node.inputs
        if len(given) == 2 and given[0] != given[1]:
            for x, other in ((given[0], given[1]), (given[1], given[0])):
                maker = self._blocked[x]
                takes = (
                    maker.op == "Conv"
                    and self._graph.only_reader(x) is not None
                    and not {"activation", "added"} & set(maker.attributes)
                )
                if takes:
                    self._run_behind(other, maker)
                    return [self._replace(maker, node, added=1)]
        return [self._emit(self._marked(node))]

    def _run_behind(self, name: str, conv: Node) -> None:
        """Move a convolution behind what makes the tensor that it adds, where it ran before."""
        maker = self._blocked[name]
        if self._number[id(maker)] < self._number[id(conv)]:
            return
        position = self._number.pop(id(conv))
        self._out[position] = Node("", (), ())
        self._number[id(conv)] = len(self._out)
        self._out.append(conv)

    def _replace(self, maker: Node, node: Node, **attributes: object) -> Node:
        position = self._number[id(maker)]
        changed = replace(
            maker,
            outputs=node.outputs,
            attributes={**maker.attributes, **attributes},
            covers=(*maker.covers, *node.covers),
        )
        self._out[position] = changed
        self._number[id(changed)] = position
        return changed

    def _bring_in(self, name: str) -> None:
        if name in self._blocked or name in self._brought:
            return
        self._brought.add(name)
        source = self._graph.maker(name)
        attributes = {}
        covers: tuple[str, ...] = ()
        swap = self._swap_before(source)
        if swap is not None:
            # The swap is done while the tensor is brought in.
            self._out[self._number[id(swap)]] = Node("", (), ())
            attributes, covers = {"channels_last": 1}, swap.covers
        tensor = self._graph.tensors[name]
        blocked = f"{name}#blocks"
        self._graph.tensors[blocked] = Tensor(blocked, tensor.shape, tensor.dtype)
        self._emit(Node("ReorderInput", (name,), (blocked,), attributes, covers))

    def _swap_before(self, source: Node | None) -> Node | None:
        """Return the swap of channels last to first that a tensor comes from, if only it does.

        It may be one of rows and channels, before rows are taken for a map.
        """
        view = None
        if source is not None and source.op == "Reshape":
            view, source = source, self._graph.maker(source.inputs[0])
        if source is None or source.op != "Transpose" or id(source) not in self._number:
            return None
        wanted = TO_CHANNELS_FIRST if view is None else [0, 2, 1]
        if list(source.attributes.get("perm", ())) != wanted:
            return None
        alone = [node for node in (source, view) if node is not None]
        if any(self._graph.only_reader(node.output) is None for node in alone):
            return None
        if (
            view is not None
            and self._graph.shape(view.output)[:2] != self._graph.shape(source.output)[:2]
        ):
            return None
        return source

    def _bring_back(self, name: str) -> None:
        if name in self._blocked and name not in self._back:
            self._back.add(name)
            self._emit(Node("ReorderOutput", (name,), (f"{name}#plain",), {}))
            self._graph.tensors[f"{name}#plain"] = self._graph.tensors[name]

    def _marked(self, node: Node) -> Node:
        return replace(node, attributes={**node.attributes, "blocked": 1})

    def _is_per_channel(self, given: tuple[str, str]) -> bool:
        return is_per_channel(self._graph, given[1], self._graph.shape(given[0])[1])
