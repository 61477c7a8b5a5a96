"""A `.pte` file taken apart: whether it is whole, and which operators its delegate takes.

ExecuTorch's runtime, as its wheels are built, follows a file's offsets unchecked: a truncated file
ends the process. So a file is checked here before the runtime sees it. The schema is program.fbs
of ExecuTorch 1.5, file identifier ET12.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ...untrusted.flatbuffer import DamagedError, Field, Schema, Table, check_table, root
from ..protocol import BackendError

IDENTIFIER = b"ET12"
XNNPACK_ID = "XnnpackBackend"
_MOST_MEMORY = 64 << 30
_HEADER = struct.Struct("<4sIQQQ")
_XNNPACK_HEADER = struct.Struct("<4x4sHIIIQ")

_INT, _LONG, _BYTE, _TEXT = Field(4), Field(8), Field(1), Field()
_INTS, _LONGS = Field(4, vector=True), Field(8, vector=True)
_BYTES = Field(1, vector=True)
_VALUES = (
    *("Null", "Int", "Bool", "Double", "Tensor", "String", "IntList", "DoubleList"),
    *("BoolList", "TensorList", "OptionalTensorList"),
)
_CALLS = ("KernelCall", "DelegateCall", "MoveCall", "JumpFalseCall", "FreeCall")
_SCHEMA: Schema = {
    "Program": (
        _INT,
        Field("ExecutionPlan", vector=True, required=True),
        Field("Bytes", vector=True),
        Field("Bytes", vector=True),
        Field("DataSegment", vector=True),
        Field("SubsegmentOffsets"),
        Field("SubsegmentOffsets", vector=True),
        Field("NamedData", vector=True),
    ),
    "ExecutionPlan": (
        Field(required=True),
        Field("ContainerMetadata"),
        Field("EValue", vector=True, required=True),
        Field(4, vector=True, required=True),
        Field(4, vector=True, required=True),
        Field("Chain", vector=True, required=True),
        Field("Operator", vector=True, required=True),
        Field("BackendDelegate", vector=True, required=True),
        Field(8, vector=True, required=True),
        Field("NonConstBufferDevice", vector=True),
    ),
    "ContainerMetadata": (_TEXT, _TEXT),
    "Null": (),
    "Int": (_LONG,),
    "Bool": (_BYTE,),
    "Double": (_LONG,),
    "String": (Field(required=True),),
    "IntList": (Field(8, vector=True, required=True),),
    "DoubleList": (Field(8, vector=True, required=True),),
    "BoolList": (Field(1, vector=True, required=True),),
    "TensorList": (Field(4, vector=True, required=True),),
    "OptionalTensorList": (Field(4, vector=True, required=True),),
    "Tensor": (
        *(_BYTE, _INT),
        Field(4, vector=True, required=True),
        Field(1, vector=True, required=True),
        *(_BYTE, _INT, Field("AllocationDetails"), _BYTE, _BYTE, Field("ExtraTensorInfo")),
    ),
    "AllocationDetails": (_INT, _INT, _INT),
    "ExtraTensorInfo": (_LONG, _TEXT, _BYTE, _BYTE, _BYTE),
    "EValue": (Field(union=_VALUES, required=True),),
    "Operator": (Field(required=True), _TEXT),
    "KernelCall": (_INT, Field(4, vector=True, required=True)),
    "DelegateCall": (_INT, Field(4, vector=True, required=True)),
    "MoveCall": (_INT, _INT),
    "JumpFalseCall": (_INT, _INT),
    "FreeCall": (_INT,),
    "Instruction": (Field(union=_CALLS, required=True),),
    "Frame": (_TEXT, _INT, _TEXT, _TEXT),
    "FrameList": (Field("Frame", vector=True),),
    "DataReference": (_BYTE, _INT),
    "CompileSpec": (Field(required=True), Field(1, vector=True, required=True)),
    "BackendDelegate": (
        Field(required=True),
        Field("DataReference", required=True),
        Field("CompileSpec", vector=True, required=True),
    ),
    "Chain": (
        *(_INTS, _INTS),
        Field("Instruction", vector=True, required=True),
        Field("FrameList", vector=True),
    ),
    "NonConstBufferDevice": (_INT, _BYTE, _BYTE),
    "Bytes": (_BYTES,),
    "DataSegment": (_LONG, _LONG),
    "SubsegmentOffsets": (_INT, _LONGS),
    "NamedData": (Field(required=True), _INT),
}
_GRAPH: Schema = {
    # version, nodes, values, number of externs, inputs, outputs, two that are gone, constants
    "Graph": (
        *(_TEXT, Field("Union", vector=True), Field("Union", vector=True), _INT, _INTS, _INTS),
        *(_INTS, _INTS, Field("Constant", vector=True)),
    ),
    "Union": (_BYTE,),
    "Constant": (_LONG, _LONG, _TEXT),
}


@dataclass(frozen=True)
class Pte:
    """What a program runs: calls of the runtime's own kernels by name, and nodes of the delegate.

    delegated: by delegate call, how many nodes XNNPACK's graph has. operators: those kernels as the
    runtime registers them, with their overloads, each once.
    """

    kernels: tuple[str, ...]
    delegated: tuple[int, ...]
    operators: tuple[str, ...]

    @property
    def delegated_share(self) -> float:
        """Which share of the operators the delegate runs, from 0 to 1."""
        nodes = sum(self.delegated)
        return nodes / max(1, nodes + len(self.kernels))


def read_pte(artifact: bytes) -> Pte:
    """Return what a program of one method runs.

    Raises BackendError for one that is truncated, damaged, of another version of the format, that
    needs another delegate than XNNPACK, or memory without bounds.
    """
    if artifact[4:8] != IDENTIFIER:
        found = artifact[4:8]
        if found[:2] == b"ET" and len(found) == 4:
            raise BackendError(
                f"this .pte has the format {found.decode('ascii', 'replace')} and ExecuTorch 1.5 "
                f"reads {IDENTIFIER.decode()}; build it with the ExecuTorch that runs it."
            )
        raise BackendError("this is not an ExecuTorch program (.pte).")
    try:
        return _read(memoryview(artifact))
    except DamagedError as error:
        raise BackendError(f"this .pte is truncated or damaged: {error}.") from None


def _read(data: memoryview) -> Pte:
    program_end, base = _header(data)
    program = root(data[:program_end])
    check_table(program, "Program", _SCHEMA)
    segments = [(base + one.number(0, 8), one.number(1, 8)) for one in program.tables(4)]
    for start, size in segments:
        if not base or start + size > len(data):
            raise DamagedError(f"a segment ends at byte {start + size} of {len(data)}")
    for offsets in (program.table(5), *program.tables(6)):
        _check_offsets(offsets, segments)
    for named in program.tables(7):
        _check_below("named data", named.number(1, 4), len(segments))
    plans = program.tables(1)
    if len(plans) != 1:
        raise DamagedError(f"it has {len(plans)} methods and not one")
    return _plan(program, plans[0], [data[start : start + size] for start, size in segments])


def _header(data: memoryview) -> tuple[int, int]:
    """Return where the program ends and where its segments begin, 0 where it has none."""
    if len(data) < 8 + _HEADER.size or bytes(data[8:12]) != b"eh00":
        return len(data), 0
    _, length, size, base, segment_bytes = _HEADER.unpack_from(data, 8)
    if not 24 <= length <= 1024 or not 8 <= size <= len(data) or (base and base < size):
        raise DamagedError(f"its header tells of {size} bytes, and it has {len(data)}")
    if length > 24 and base + segment_bytes > len(data):
        raise DamagedError(f"it should have {base + segment_bytes} bytes and has {len(data)}")
    return size, base


def _plan(program: Table, plan: Table, segments: list[memoryview]) -> Pte:
    values = plan.tables(2)
    if sum(plan.numbers(8, 8)) > _MOST_MEMORY:
        raise DamagedError("it asks for more memory than there is")
    for slot in (3, 4):
        _check_indices(plan.numbers(slot, 4), len(values))
    buffers = len(plan.numbers(8, 8))
    constants = program.table(5)
    data = len(constants.numbers(1, 8)) if constants else len(program.tables(2))
    for value in values:
        tensor = value.table(1)
        if value.number(0, 1) == 1 + _VALUES.index("Tensor") and tensor is not None:
            _check_tensor(tensor, buffers, data)
    operators = plan.tables(6)
    names = [one.text(0) for one in operators]
    full = tuple(".".join(filter(None, (one.text(0), one.text(1)))) for one in operators)
    delegates = [_nodes(program, one, segments) for one in plan.tables(7)]
    kernels: list[str] = []
    delegated: list[int] = []
    for chain in plan.tables(5):
        instructions = chain.tables(2)
        for instruction in instructions:
            call = instruction.table(1)
            assert call is not None  # the schema has been checked
            kind = _CALLS[instruction.number(0, 1) - 1]
            if kind == "KernelCall":
                _check_below("an operator", call.number(0, 4), len(names))
                _check_indices(call.numbers(1, 4), len(values))
                kernels.append(names[call.number(0, 4)])
            elif kind == "DelegateCall":
                _check_below("a delegate", call.number(0, 4), len(delegates))
                _check_indices(call.numbers(1, 4), len(values))
                delegated.append(delegates[call.number(0, 4)])
            else:
                _check_below("a value", call.number(0, 4), len(values))
                if kind == "MoveCall":
                    _check_below("a value", call.number(1, 4), len(values))
                if kind == "JumpFalseCall":
                    _check_below("an instruction", call.number(1, 4), len(instructions))
    return Pte(tuple(kernels), tuple(delegated), tuple(dict.fromkeys(full)))


def _check_tensor(tensor: Table, buffers: int, constants: int) -> None:
    sizes, order = tensor.numbers(2, 4), tensor.items(3, 1)
    if len(order) != len(sizes) or len(sizes) > 16 or any(size >= 1 << 31 for size in sizes):
        raise DamagedError("a tensor has no sensible shape")
    planned = tensor.table(6)
    if planned is not None:
        _check_below("a tensor's memory", planned.number(0, 4), buffers + 1)
    elif tensor.table(9) is None:
        _check_below("a tensor's data", tensor.number(5, 4), max(1, constants))


def _nodes(program: Table, delegate: Table, segments: list[memoryview]) -> int:
    """Return how many nodes the graph of a delegate has."""
    if delegate.text(0) != XNNPACK_ID:
        raise DamagedError(f"it needs the delegate '{delegate.text(0)[:40]}', not XNNPACK")
    reference = delegate.table(1)
    assert reference is not None  # the schema has been checked
    index = reference.number(1, 4)
    if reference.number(0, 1) == 1:
        _check_below("a delegate's segment", index, len(segments))
        blob = segments[index]
    else:
        inline = program.tables(3)
        _check_below("a delegate's data", index, len(inline))
        blob = inline[index].items(0, 1)
    if len(blob) < _XNNPACK_HEADER.size or bytes(blob[4:8]) != b"XH00":
        raise DamagedError("XNNPACK's graph has no header")
    _, _, start, size, constants, bytes_ = _XNNPACK_HEADER.unpack_from(blob)
    if start + size > len(blob) or constants + bytes_ > len(blob):
        raise DamagedError("XNNPACK's graph is longer than its segment")
    graph = root(blob[start : start + size])
    check_table(graph, "Graph", _GRAPH)
    named = {one.text(0) for one in program.tables(7)}
    for constant in graph.tables(8):
        if constant.text(2):
            if constant.text(2) not in named:
                raise DamagedError("XNNPACK's graph refers to a weight that is not there")
        elif constants + constant.number(0, 8) + constant.number(1, 8) > len(blob):
            raise DamagedError("a weight lies outside XNNPACK's graph")
    return len(graph.tables(1))


def _check_offsets(offsets: Table | None, segments: list[tuple[int, int]]) -> None:
    if offsets is None or not offsets.numbers(1, 8):
        return
    _check_below("a segment", offsets.number(0, 4), len(segments))
    _, size = segments[offsets.number(0, 4)]
    if max(offsets.numbers(1, 8)) > size:
        raise DamagedError("a weight lies outside its segment")


def _check_indices(indices: list[int], count: int) -> None:
    for index in indices:
        _check_below("a value", index, count)


def _check_below(what: str, index: int, count: int) -> None:
    if index >= count:
        raise DamagedError(f"it refers to {what} of number {index}, and has {count}")
