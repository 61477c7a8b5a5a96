"""Each executed node with the module or the node of the file it came from, and its block."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ....models import Spec
from ....models.families.foreign.spec import ForeignSpec
from ...workshop import Workshop
from ..profile import Node
from .labels import BlockLabel, Labels, PrefixLabels, SpecLabels, block_of_each, module_of
from .model_graph import ModelGraph

# What a node is of that came from nothing that is known.
UNATTRIBUTED = BlockLabel("unattributed")


@dataclass(frozen=True)
class Origin:
    """Where an executed node came from: a node of the model's graph, its module, and its block.

    `node` and `module` are "" where they are not known; the block is then UNATTRIBUTED. `unique` is
    the node's name in viewers of ONNX files.
    """

    node: str
    module: str
    block: BlockLabel
    unique: str = ""


@dataclass(frozen=True)
class Traced:
    """The origin of each executed node in order, and the blocks in the order they run."""

    origins: tuple[Origin, ...]
    blocks: tuple[BlockLabel, ...]


# Traces the nodes that a session of a model in an open workshop executed.
Tracer = Callable[[Workshop, Spec, Sequence[Node]], Traced]


def trace_onnxruntime(workshop: Workshop, spec: Spec, nodes: Sequence[Node]) -> Traced:
    """Trace ONNX Runtime's nodes to those of the ONNX model that it was given."""
    from ....backends.onnxruntime.prepared import is_prepared
    from .executed import origins_of_executed
    from .onnx_graph import graph_of_onnx

    model = graph_of_onnx(workshop.build(spec))
    artifact = workshop.artifact(spec)
    executed = graph_of_onnx(artifact) if is_prepared(artifact) else None
    return _traced(origins_of_executed(nodes, executed, model), model, _labels(spec, model))


def trace_openvino(workshop: Workshop, spec: Spec, nodes: Sequence[Node]) -> Traced:
    """Trace OpenVINO's nodes to those of the ONNX model that its artifact was made of."""
    from ....backends.openvino.ir import IR
    from .onnx_graph import graph_of_onnx
    from .openvino_graph import graph_of_ir, origins_of_openvino

    model = graph_of_onnx(_exported(workshop, spec))
    ir = graph_of_ir(IR.from_bytes(workshop.artifact(spec)))
    return _traced(origins_of_openvino(nodes, ir, model), model, _labels(spec, model))


def trace_torch(workshop: Workshop, spec: Spec, nodes: Sequence[Node]) -> Traced:
    """Trace PyTorch's operations to the nodes of the exported program that they ran for."""
    from ....backends.pytorch.program import TorchProgram
    from .torch_graph import graph_of_program

    program = TorchProgram.from_bytes(workshop.artifact(spec))
    model = graph_of_program(program.module("cpu"))
    return _traced([model.named(node.source) for node in nodes], model, _labels(spec, model))


def _exported(workshop: Workshop, spec: Spec) -> bytes:
    """Return the ONNX model that an artifact is made of where it is another one itself."""
    from ....backends.onnx.export import onnx_from_module
    from ...random_module import random_module

    if isinstance(spec, ForeignSpec):
        assert spec.source is not None, "it has been built"
        return spec.source.onnx()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module, shape = random_module(spec)
        return onnx_from_module(module, (workshop.batch, *shape))


def _labels(spec: Spec, model: ModelGraph) -> Labels:
    return PrefixLabels(model) if isinstance(spec, ForeignSpec) else SpecLabels(spec)


def _traced(places: Sequence[int | None], model: ModelGraph, labels: Labels) -> Traced:
    block_of = block_of_each(model, labels)
    origins = []
    for place in places:
        block = None if place is None else block_of[place]
        if place is None:
            origins.append(Origin("", "", UNATTRIBUTED))
            continue
        label = UNATTRIBUTED if block is None else labels.blocks[block]
        node = model.nodes[place]
        module = module_of(model, place, labels)
        if not module and labels.has_module(node.module):
            module = node.module
        origins.append(Origin(node.name, module, label, node.unique))
    return Traced(tuple(origins), tuple(labels.blocks))
