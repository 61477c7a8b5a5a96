"""A foreign model's spec as one table prices it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from ..models.families.foreign.spec import ForeignSpec
from .onnx_file import onnx_from_bytes
from .parts import parts_of
from .rules import Rules
from .shapes import graph_of


def priced(
    spec: ForeignSpec, ops: Collection[str], observed: Mapping[str, Any], partial: bool = False
) -> tuple[ForeignSpec, tuple[str, ...]]:
    """Return the spec with the parts that a table of these ops, measured so, can price.

    `observed` is what the table's header says of the machine. A spec without a source is returned
    as it is. Beside it are the operators that have no price; any is a UserError unless `partial`.
    """
    if spec.source is None:
        return spec, ()
    graph = graph_of(onnx_from_bytes(spec.source.onnx(), spec.name), dict(spec.inputs))
    found = parts_of(graph, Rules.of(observed), ops)
    if not partial:
        found.check_known()
    counts: dict[Any, int] = {}
    for block in found.blocks:
        counts[block] = counts.get(block, 0) + 1
    return replace(spec, parts=tuple(counts.items())), found.unknown
