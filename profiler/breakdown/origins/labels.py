"""Which block a node of a model is of: the blocks of a spec, or the modules that names tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

from ....models import Spec
from .model_graph import ModelGraph

# Lists of layers inside a stage, which is itself one of a list.
_LISTS = frozenset({"blocks", "block", "layers", "layer", "units", "unit", "resblocks"})
# Weights are handed on by these before they are used.
_HANDING_ON = frozenset({"Transpose", "Identity", "Reshape", "Cast", "DequantizeLinear"})
WHOLE = "model"


@dataclass(frozen=True)
class BlockLabel:
    """A block by name, and its op where it is one of a spec's."""

    name: str
    op: str = ""


class Labels(Protocol):
    """The blocks of a model, in the order they run, and where a module belongs.

    `weights_first`: the names of weights tell more of a node's module than its own name.
    """

    weights_first: ClassVar[bool]

    @property
    def blocks(self) -> Sequence[BlockLabel]: ...

    def of_module(self, path: str) -> int | None:
        """Return the block of a module, by its place in `blocks`; None if it is of none."""

    def has_module(self, path: str) -> bool:
        """Tell whether the model has a module of this path, of a block or not."""


class SpecLabels:
    """The blocks of a spec, called after the modules of its model: "blocks.0.attention".

    Modules that are called by steps made while the model runs lose the beginning of their path in
    the names of nodes, not in those of weights.
    """

    weights_first: ClassVar[bool] = True

    def __init__(self, spec: Spec) -> None:
        import torch

        from ....models import create_model

        if any(getattr(spec, "merges", ())):
            # Merging has no module of its own; its time is that of the attention before it.
            spec = replace(spec, merges=())  # type: ignore[call-arg]
        with torch.device("meta"):
            model = create_model(spec)
        names = {id(module): name for name, module in model.named_modules() if name}
        self._modules = frozenset(names.values())
        self.blocks: list[BlockLabel] = []
        self._of: dict[str, int] = {}
        for number, (block, step) in enumerate(zip(spec.blocks(), model.chain(), strict=True)):
            modules = [names[id(one)] for one in step.modules() if id(one) in names]
            self.blocks.append(BlockLabel(_label(modules, block.op), block.op))
            for name in modules:
                self._of.setdefault(name, number)

    def of_module(self, path: str) -> int | None:
        while path:
            if path in self._of:
                return self._of[path]
            path = path.rpartition(".")[0]
        return None

    def has_module(self, path: str) -> bool:
        return path in self._modules


def _label(modules: Sequence[str], op: str) -> str:
    """Return the name of the one module that a block is, or what its modules share, and the op."""
    names = set(modules)
    outermost = [name for name in modules if name.rpartition(".")[0] not in names]
    if len(outermost) == 1:
        return outermost[0]
    shared = [
        parts[0]
        for parts in zip(*(name.split(".") for name in outermost), strict=False)
        if len(set(parts)) == 1
    ]
    return ".".join([*shared, op])


class PrefixLabels:
    """The modules of a model that is only known by its graph, as its names tell them.

    An exporter may store equal weights once, under the name of one of their modules.
    """

    weights_first: ClassVar[bool] = False

    def __init__(self, graph: ModelGraph) -> None:
        modules = [
            module_of(graph, place)
            for place in range(len(graph.nodes))
            if not _hands_on_a_weight(graph, place)  # these stand at the beginning of a file
        ]
        paths = [tuple(module.split(".")) for module in modules if module]
        # "vit", "vit.encoder" and "vit.encoder.layer" in "vit.encoder.layer.0"
        self._containers = {
            path[:end] for path in paths for end in range(1, _first_number(path) + 1)
        }
        names = dict.fromkeys(name for path in paths if (name := self._cut(path)))
        self._of = {name: number for number, name in enumerate(names)}
        self.blocks = [BlockLabel(name) for name in names] or [BlockLabel(WHOLE)]

    def of_module(self, path: str) -> int | None:
        if not self._of:
            return 0
        return self._of.get(self._cut(tuple(path.split("."))))

    def has_module(self, path: str) -> bool:
        return path != ""

    def _cut(self, path: tuple[str, ...]) -> str:
        """Return the first module of a list in a path, and of a list of layers inside it.

        A path without a list gives the module below what holds lists; "" for what only holds them.
        """
        if path in self._containers:
            return ""
        end = _first_number(path) + 1
        if not end:
            held = [n for n in range(len(path)) if path[:n] in self._containers]
            return ".".join(path[: max(held, default=0) + 1])
        while end < len(path) and path[end].isdigit():
            end += 1
        if end + 1 < len(path) and path[end] in _LISTS and path[end + 1].isdigit():
            end += 2
        return ".".join(path[:end])


def _first_number(path: Sequence[str]) -> int:
    """Return where the first number stands, -1 if there is none."""
    return next((place for place, part in enumerate(path) if part.isdigit()), -1)


def module_of(graph: ModelGraph, place: int, labels: Labels | None = None) -> str:
    """Return the module of a node: that of its weights, or that its name tells.

    A weight is named after the module that holds it. With `labels`, only modules that are of a
    block count.
    """
    node = graph.nodes[place]
    owners = [owner for tensor in node.inputs if (owner := _owner(graph, tensor))]
    weights_first = labels is not None and labels.weights_first
    candidates = [*owners, node.module] if weights_first else [node.module, *owners]
    for module in candidates:
        if module and (labels is None or labels.of_module(module) is not None):
            return module
    return ""


def _hands_on_a_weight(graph: ModelGraph, place: int) -> bool:
    return graph.nodes[place].op in _HANDING_ON and not graph.before(place)


def _owner(graph: ModelGraph, tensor: str) -> str:
    """Return "blocks.0.fc1" for the weight "blocks.0.fc1.weight"; "" for all other tensors."""
    owner, _, weight = tensor.rpartition(".")
    if owner and weight.isidentifier() and not {"/", ":"} & set(tensor):
        return owner
    maker = graph.maker(tensor)
    if maker is None or graph.nodes[maker].op not in _HANDING_ON:
        return ""
    first = graph.nodes[maker].inputs[0]
    is_weight = graph.maker(first) is None and "." in first and not {"/", ":"} & set(first)
    return first.rpartition(".")[0] if is_weight else ""


def block_of_each(graph: ModelGraph, labels: Labels) -> list[int | None]:
    """Return the block of every node of a graph.

    What is of no block's module (the addition after a half of a layer, say) is of the last block
    whose tensors it reads; what reads none is of the first that reads it.
    """
    found: list[int | None] = []
    for place in range(len(graph.nodes)):
        block = labels.of_module(module_of(graph, place, labels))
        if block is None:
            earlier = [found[one] for one in graph.before(place) if one < place]
            block = max((one for one in earlier if one is not None), default=None)
        found.append(block)
    for place in reversed(range(len(graph.nodes))):
        if found[place] is None:
            later = [found[one] for one in graph.after(place)]
            found[place] = min((one for one in later if one is not None), default=None)
    return found
