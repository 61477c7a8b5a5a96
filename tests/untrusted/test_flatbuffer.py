"""Flatbuffers by hand: what lies within the bytes, and what does not."""

from __future__ import annotations

import struct

import pytest
from vitprof.untrusted.flatbuffer import DamagedError, Field, check_table, root

SCHEMA = {"Root": (Field(4), Field(2, vector=True), Field("Root")), "Deep": (Field("Deep"),)}


def one_table(*slots: int, tail: bytes = b"") -> memoryview:
    """A root table with a slot of four bytes for each number; the tail follows it."""
    vtable = struct.pack(
        f"<2H{len(slots)}H", 4 + 2 * len(slots), 0, *range(4, 4 + 4 * len(slots), 4)
    )
    vtable += b"\0" * (len(vtable) % 4)
    table = struct.pack("<i", len(vtable)) + struct.pack(f"<{len(slots)}I", *slots)
    return memoryview(struct.pack("<I", 4 + len(vtable)) + vtable + table + tail)


def test_numbers_and_vectors_are_read() -> None:
    data = one_table(7, 4, tail=struct.pack("<I2H", 2, 5, 6))
    table = root(data)
    check_table(table, "Root", SCHEMA)
    assert table.number(0, 4) == 7
    assert table.numbers(1, 2) == [5, 6]
    assert table.table(2) is None
    assert table.number(9, 4, default=3) == 3


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (memoryview(b""), "refers to byte 0 of 0"),
        (memoryview(struct.pack("<I", 99)), "refers to byte 99"),
        (one_table(7, 4, tail=struct.pack("<I", 9)), "claims to have 9 items"),
        (one_table(7, 4000), "refers to byte"),
    ],
    ids=["empty", "no root", "vector too long", "vector elsewhere"],
)
def test_what_lies_outside_is_refused(data: memoryview, match: str) -> None:
    with pytest.raises(DamagedError, match=match):
        check_table(root(data), "Root", SCHEMA)


def test_a_required_slot_is_missed() -> None:
    with pytest.raises(DamagedError, match="a Root lacks its slot 2"):
        schema = {"Root": (Field(4), Field(4), Field(required=True))}
        check_table(root(one_table(1, 2)), "Root", schema)


def test_a_table_within_itself_ends() -> None:
    # The slot's offset is that from the slot to the table it is in, as an unsigned number: a table
    # cannot lie before what refers to it, so one that does is out of bounds.
    with pytest.raises(DamagedError):
        check_table(root(one_table((1 << 32) - 4)), "Deep", SCHEMA)
