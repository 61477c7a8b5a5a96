"""Reading flatbuffers without trusting them: every offset is checked before it is followed.

The format: https://flatbuffers.dev/internals. Both ExecuTorch's programs and Arrow's messages are
written in it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_DEEPEST = 16
_WHOLE = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}


class DamagedError(ValueError):
    """Bytes that are not a flatbuffer of the schema; the text says what is wrong."""


@dataclass(frozen=True)
class Field:
    """What one slot of a table holds.

    of: the size of a whole number in bytes, or the name of a table; "" is text. vector: a list of
    such. union: the tables it may be, by number from 1; it takes two slots.
    """

    of: int | str = ""
    vector: bool = False
    union: tuple[str, ...] = ()
    required: bool = False


Schema = Mapping[str, Sequence[Field]]


class Table:
    """A table of a flatbuffer. Slots are numbered as in the schema's file."""

    def __init__(self, data: memoryview, at: int) -> None:
        self._data = data
        self._at = at
        vtable = at - _whole(data, at, 4, signed=True)
        size = _whole(data, vtable, 2)
        if size < 4 or size % 2 or vtable + size > len(data):
            raise DamagedError(f"the table at byte {at} has no list of slots")
        self._vtable, self._slots = vtable, (size - 4) // 2

    def number(self, slot: int, size: int, default: int = 0) -> int:
        """Return a whole number of `size` bytes."""
        place = self._place(slot)
        return default if place is None else _whole(self._data, place, size)

    def table(self, slot: int) -> Table | None:
        """Return the table in a slot, None where there is none."""
        place = self._target(slot)
        return None if place is None else Table(self._data, place)

    def text(self, slot: int) -> str:
        """Return the text in a slot, "" where there is none."""
        return bytes(self.items(slot, 1)).decode(errors="replace")

    def items(self, slot: int, size: int) -> memoryview:
        """Return the bytes of a vector of `size`-byte items, empty where there is none."""
        place = self._target(slot)
        if place is None:
            return self._data[:0]
        count = _whole(self._data, place, 4)
        end = place + 4 + count * size
        if end > len(self._data):
            raise DamagedError(f"the vector at byte {place} claims to have {count} items")
        return self._data[place + 4 : end]

    def numbers(self, slot: int, size: int) -> list[int]:
        """Return a vector of whole numbers of `size` bytes."""
        found = self.items(slot, size)
        return list(struct.unpack(f"<{len(found) // size}{_WHOLE[size][1]}", found))

    def tables(self, slot: int) -> list[Table]:
        """Return a vector of tables."""
        place = self._target(slot)
        if place is None:
            return []
        count = len(self.items(slot, 4)) // 4
        places = (place + 4 + 4 * nth for nth in range(count))
        return [Table(self._data, at + _whole(self._data, at, 4)) for at in places]

    def __contains__(self, slot: int) -> bool:
        return self._place(slot) is not None

    def _place(self, slot: int) -> int | None:
        if slot >= self._slots:
            return None
        offset = _whole(self._data, self._vtable + 4 + 2 * slot, 2)
        return self._at + offset if offset else None

    def _target(self, slot: int) -> int | None:
        place = self._place(slot)
        return None if place is None else place + _whole(self._data, place, 4)


def root(data: memoryview) -> Table:
    """Return the root table of a flatbuffer; raises DamagedError."""
    return Table(data, _whole(data, 0, 4))


def check_table(table: Table, name: str, schema: Schema, depth: int = 0) -> None:
    """Raise DamagedError unless all that the schema reaches from `table` lies within the bytes."""
    if depth > _DEEPEST:
        raise DamagedError(f"its tables are nested deeper than {_DEEPEST}")
    slot = 0
    for field in schema[name]:
        if field.required and slot not in table:
            raise DamagedError(f"a {name} lacks its slot {slot}")
        if field.union:
            _check_union(table, slot, field, schema, depth)
            slot += 2
            continue
        if isinstance(field.of, int):
            if field.vector:
                table.items(slot, field.of)
            else:
                table.number(slot, field.of)
        elif field.of == "":
            table.text(slot)
        else:
            inner = table.table(slot) if not field.vector else None
            for one in table.tables(slot) if field.vector else [inner] if inner else []:
                check_table(one, field.of, schema, depth + 1)
        slot += 1


def _check_union(table: Table, slot: int, field: Field, schema: Schema, depth: int) -> None:
    kind = table.number(slot, 1)
    if kind > len(field.union) or (kind == 0 and field.required):
        raise DamagedError(f"a union has the kind {kind}")
    inner = table.table(slot + 1)
    if kind and inner is None:
        raise DamagedError("a union has a kind and nothing in it")
    if kind and inner is not None:
        check_table(inner, field.union[kind - 1], schema, depth + 1)


def _whole(data: memoryview, at: int, size: int, *, signed: bool = False) -> int:
    if not 0 <= at <= len(data) - size:
        raise DamagedError(f"it refers to byte {at} of {len(data)}")
    form = _WHOLE[size].lower() if signed else _WHOLE[size]
    return int(struct.unpack_from(form, data, at)[0])
