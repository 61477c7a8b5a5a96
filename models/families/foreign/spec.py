"""A foreign model as data: how often it has which block and which kernel."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self

from ....errors import UserError
from ...block import Block
from ...checks import (
    check_known_fields,
    check_required_fields,
    check_whole_number,
    shown,
)
from ...spec import Spec
from ..registry import BUILT_IN, find_of

NO_BLOCKS: Mapping[str, Any] = {}
# A large model has some thousands of nodes.
MOST_NODES = 100_000


class ModelSource(Protocol):
    """Where a foreign model came from, and what can be compiled of it (`foreign/sources/`)."""

    def onnx(self) -> bytes:
        """Return the model as one self-contained ONNX file. Raises UserError."""

    def module(self) -> Any:
        """Return the torch module in eval mode, None where there is only a graph."""


@dataclass(frozen=True, kw_only=True)
class ForeignSpec(Spec):
    """The blocks and kernels of a model of no family, each with how often it occurs.

    `parts` are sorted by op and dims, so that specs of the same parts are equal. `inputs` are the
    shapes of the model's inputs by name, batch included. `unknown` are operators that no kernel
    stands for, each as often as it occurs: parts have no time of them. `digest` tells models apart
    that have the same parts: the SHA-256 of the graph, in hex. `source` is what can be compiled; a
    spec that was read from a file has none, and can be predicted but not run.
    """

    family: ClassVar[str] = "foreign"

    parts: tuple[tuple[Block, int], ...]
    inputs: tuple[tuple[str, tuple[int, ...]], ...] = ()
    digest: str = ""
    unknown: tuple[str, ...] = ()
    source: ModelSource | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.parts and not self.unknown:
            raise UserError("parts is empty; a model has at least one.")
        ordered = sorted(self.parts, key=lambda part: (part[0].op, part[0].dims))
        object.__setattr__(self, "parts", tuple(ordered))

    def blocks(self) -> list[Block]:
        """Return every block and kernel as often as it occurs, sorted by op and dims."""
        return [block for block, count in self.parts for _ in range(count)]

    @property
    def batch(self) -> int:
        """Images or texts of one run: the first size of the first input."""
        return self.inputs[0][1][0] if self.inputs and self.inputs[0][1] else 1

    @property
    def line_family(self) -> str:
        """The family that all parts are blocks of, where it is one: then this is a model of it.

        Others use blocks of Vision Transformers beside their own.
        """
        of_op = {op.name: name for name in BUILT_IN for op in find_of(name, "ops")}
        found = {of_op.get(block.op, self.family) for block, _ in self.parts}
        own = found - {"vit"} or found
        return own.pop() if len(own) == 1 else self.family

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the first input without its first size; (1,) where it is not known."""
        return (self.inputs[0][1][1:] or (1,)) if self.inputs else (1,)

    @classmethod
    def of(cls, blocks: Sequence[Block], **fields: Any) -> Self:
        """Return the spec of blocks in the order they run."""
        counts: dict[Block, int] = {}
        for block in blocks:
            counts[block] = counts.get(block, 0) + 1
        return cls(parts=tuple(counts.items()), **fields)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values, `family` first; the source is not among them."""
        return {
            "family": self.family,
            "name": self.name,
            "digest": self.digest,
            "inputs": {name: list(shape) for name, shape in self.inputs},
            "parts": self._parts_by_op(),
            **({"unknown": list(self.unknown)} if self.unknown else {}),
        }

    def _parts_by_op(self) -> dict[str, Any]:
        """Return, by op, its axes and of each part the dims and the count: rows of a table hold it.

        Named once an op, for a model has hundreds of parts.
        """
        found: dict[str, Any] = {}
        for block, count in self.parts:
            axes = [*block.definition.axes, "count"]
            of_op = found.setdefault(block.op, {"axes": axes, "parts": []})
            of_op["parts"].append([*(value for _, value in block.dims), count])
        return found

    @classmethod
    def from_fields(cls, record: Mapping[str, Any]) -> Self:
        """Return the spec with these JSON fields; raises UserError naming the wrong one."""
        check_known_fields(record, ["name", "digest", "inputs", "parts", "unknown"])
        check_required_fields(record, ["parts"])
        digest = record.get("digest", "")
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{0,64}", digest):
            raise UserError(f"digest={shown(digest)} must be a short text of hex digits.")
        unknown = record.get("unknown", [])
        if not isinstance(unknown, list) or not all(isinstance(one, str) for one in unknown):
            raise UserError(f"unknown={shown(unknown)} must be a list of operators.")
        return cls(
            name=record.get("name", "custom"),
            parts=_parts(record["parts"]) if record["parts"] or not unknown else (),
            unknown=tuple(unknown),
            inputs=_inputs(record.get("inputs", {})),
            digest=digest,
        )


def _parts(value: object) -> tuple[tuple[Block, int], ...]:
    if not isinstance(value, Mapping) or not value:
        raise UserError(f"parts={shown(value)} must be an object of parts by op.")
    found: dict[Block, int] = {}
    for op, of_op in value.items():
        axes, rows = _axes_and_rows(op, of_op)
        for row in rows:
            if not isinstance(row, list) or len(row) != len(axes):
                raise UserError(f"a part of '{op}' is {shown(row)}, not {len(axes)} numbers.")
            dims = dict(zip(axes, row, strict=True))
            count = dims.pop("count")
            check_whole_number(f"count of a part of '{op}'", count, 1, MOST_NODES)
            block = Block.of(op, **dims)
            found[block] = found.get(block, 0) + count
    if sum(found.values()) > MOST_NODES:
        raise UserError(f"parts have more than {MOST_NODES} blocks and kernels.")
    return tuple(found.items())


def _axes_and_rows(op: str, value: object) -> tuple[list[str], list[Any]]:
    axes = value.get("axes") if isinstance(value, Mapping) else None
    rows = value.get("parts") if isinstance(value, Mapping) else None
    is_named = isinstance(axes, list) and all(isinstance(axis, str) for axis in axes)
    if not is_named or not isinstance(rows, list) or "count" not in (axes or ()):
        raise UserError(f"parts of '{op}' are {shown(value)}, not `axes` (with count) and `parts`.")
    assert isinstance(axes, list)
    return axes, rows


def _inputs(value: object) -> tuple[tuple[str, tuple[int, ...]], ...]:
    if not isinstance(value, Mapping):
        raise UserError(f"inputs={shown(value)} must be an object of shapes by name.")
    found = []
    for name, shape in value.items():
        if not isinstance(shape, list):
            raise UserError(f"the shape of input '{name}' is {shown(shape)}, not a list of sizes.")
        for size in shape:
            check_whole_number(f"a size of input '{name}'", size, 1, 2**31)
        found.append((str(name), tuple(shape)))
    return tuple(found)


def none_known() -> list[Spec]:
    """Return the specs known by name: none is."""
    return []


no_ops: Sequence[Any] = ()
