"""Bytes flipped, cut, doubled, moved: damage that knows nothing of a format."""

from __future__ import annotations

import random

LONGEST = 4096
NUMBERS = (b"\xff" * 4, b"\x00" * 8, b"\x7f\xff\xff\xff", b"\xff" * 8, b"\x80\x00\x00\x00")


def mutated_bytes(data: bytes, rng: random.Random) -> bytes:
    """Return the data with one to eight injuries; now and then nothing, or noise alone."""
    kind = rng.random()
    if kind < 0.02:
        return b""
    if kind < 0.04:
        return rng.randbytes(rng.randint(1, LONGEST))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        data = rng.choice(_INJURIES)(data, rng) if data else data
    return data


def _place(data: bytes, rng: random.Random) -> tuple[int, int]:
    # Headers stand at the beginning and at the end of files: half of the injuries are there.
    begin = rng.randrange(len(data))
    near = min(len(data), 256)
    if rng.random() < 0.25:
        begin = rng.randrange(near)
    elif rng.random() < 0.33:
        begin = len(data) - 1 - rng.randrange(near)
    return begin, min(len(data), begin + rng.choice((1, 4, 16, 256, LONGEST)))


def _flip(data: bytes, rng: random.Random) -> bytes:
    begin, _ = _place(data, rng)
    changed = bytes([data[begin] ^ (1 << rng.randrange(8))])
    return data[:begin] + changed + data[begin + 1 :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: _place(data, rng)[0]]


def _remove(data: bytes, rng: random.Random) -> bytes:
    begin, end = _place(data, rng)
    return data[:begin] + data[end:]


def _double(data: bytes, rng: random.Random) -> bytes:
    begin, end = _place(data, rng)
    return data[:end] + data[begin:end] * rng.choice((1, 1, 3, 50)) + data[end:]


def _number(data: bytes, rng: random.Random) -> bytes:
    begin, _ = _place(data, rng)
    number = rng.choice(NUMBERS)
    return data[:begin] + number + data[begin + len(number) :]


def _noise(data: bytes, rng: random.Random) -> bytes:
    begin, end = _place(data, rng)
    return data[:begin] + rng.randbytes(end - begin) + data[end:]


def _move(data: bytes, rng: random.Random) -> bytes:
    begin, end = _place(data, rng)
    to, _ = _place(data, rng)
    return data[:to] + data[begin:end] + data[to:]


_INJURIES = (_flip, _flip, _cut, _remove, _double, _number, _noise, _move)
