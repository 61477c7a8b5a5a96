"""What prices a graph: blocks where a table has them, kernels for the rest."""

from __future__ import annotations

import pytest
from small_onnx.small_graphs import Small
from vitprof.backends import onnx_from_module
from vitprof.errors import UserError
from vitprof.foreign.graph import Graph
from vitprof.foreign.onnx_file import onnx_from_bytes
from vitprof.foreign.parts import parts_of
from vitprof.foreign.rules import Rules
from vitprof.foreign.shapes import graph_of
from vitprof.models import create_model, create_spec
from vitprof.models.families.foreign.spec import ForeignSpec


def graph_named(name: str) -> Graph:
    spec = create_spec(name)
    model = onnx_from_module(create_model(spec), (1, *spec.input_shape))
    return graph_of(onnx_from_bytes(model, name))


@pytest.mark.parametrize("name", ["vit-micro-8", "efficientvit-m0", "swin-tiny"])
def test_a_model_of_a_family_is_just_its_blocks(name: str) -> None:
    spec = create_spec(name)
    ops = {block.op for block in spec.blocks()}
    parts = parts_of(graph_named(name), Rules(), ops)
    assert sorted(map(str, parts.blocks)) == sorted(map(str, spec.blocks()))
    assert not parts.unknown
    assert ForeignSpec.of(parts.blocks).line_family == spec.family


def test_blocks_that_the_table_lacks_are_kernels() -> None:
    spec = create_spec("vit-micro-8")
    parts = parts_of(graph_named("vit-micro-8"), Rules(), {"attention"})
    ops = {block.op for block in parts.blocks}
    assert "attention" in ops and "mlp" not in ops and "kernel_matmul" in ops
    assert sum(block.macs for block in parts.blocks) == spec.macs
    assert ForeignSpec.of(parts.blocks).line_family == "foreign"


def test_what_no_kernel_stands_for_is_named() -> None:
    g = Small(1, 8, 8)
    graph = graph_of(onnx_from_bytes(g.model(g.op("Relu", g.op("Det", "x"))), "det"))
    parts = parts_of(graph, Rules())
    assert parts.unknown == ("Det",) and len(parts.blocks) == 1
    with pytest.raises(UserError, match="'Det'"):
        parts.check_known()
