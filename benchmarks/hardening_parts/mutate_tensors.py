"""Weights and arrays: pickles that would run code, headers that lie, tensors that are none."""

from __future__ import annotations

import io
import json
import pickle
import random
import struct
from pathlib import Path
from typing import Any

from .mutate_archives import mutated_zip
from .mutate_bytes import mutated_bytes
from .mutate_values import mutated_json

CANARY = "HARDENING_CANARY"
NPY_SHAPES = (
    *("(-1,)", "(10**9,)", "(2**63, 2)", "()", "(0,)", "(1,)*40", "('a',)", "None", "(1e9,)"),
    *("(True,)", "(4294967296, 4294967296)", "(1, 2, 3", "__import__('os').system('x')"),
)
NPY_TYPES = ("'|O'", "'<f16'", "'<U99999999'", "'<M8[ns]'", "[('a', '|O')]", "'|V9999999'", "'x'")


class _Runs:
    """A pickle of it makes a file when it is loaded: the canary, named in the environment."""

    def __init__(self, call: tuple[Any, ...]) -> None:
        self._call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self._call


def canary_pickle(canary: Path, rng: random.Random) -> bytes:
    """Return a pickle that makes the file `canary` if it is loaded without care."""
    touch = f"open({str(canary)!r}, 'w').close()"
    call = rng.choice(
        (
            (exec, (touch,)),
            (eval, (touch,)),
            (open, (str(canary), "w")),
            (Path.touch, (canary,)),
        )
    )
    thing = _Runs(call)
    value = rng.choice((thing, {"model": thing}, [thing], {thing: 1}))
    return pickle.dumps(value, protocol=rng.choice((0, 1, 2, 4)))


def mutated_checkpoint(data: bytes, rng: random.Random, canary: Path) -> bytes:
    """Return a .pth: its pickle runs code, its records are damaged, its tensors are not weights."""
    kind = rng.random()
    if kind < 0.2:
        return canary_pickle(canary, rng)  # the format before zips
    if kind < 0.4:

        def code_for_pickle(content: bytes, rng: random.Random) -> bytes:
            return canary_pickle(canary, rng) if content[:1] == b"\x80" else content

        return mutated_zip(data, rng, code_for_pickle)
    if kind < 0.7:
        return mutated_zip(data, rng)
    return _odd_tensors(data, rng)


def _odd_tensors(data: bytes, rng: random.Random) -> bytes:
    import torch

    state = torch.load(io.BytesIO(data), weights_only=True)
    name = rng.choice(list(state))
    tensor = state[name]
    odd: Any = rng.choice(
        (
            lambda: tensor * float("nan"),
            lambda: tensor * float("inf"),
            lambda: tensor.to(torch.complex64),
            lambda: tensor.to(torch.int8),
            lambda: tensor.to("meta"),
            lambda: torch.zeros(1).expand(*(2**16,) * 3),
            tensor.to_sparse,
            lambda: tensor.unsqueeze(0),
            lambda: tensor.flatten()[:1],
            lambda: torch.quantize_per_tensor(tensor.float(), 0.1, 0, torch.qint8),
            lambda: torch.nn.Parameter(tensor),
            tensor.double,
            lambda: torch.empty(0),
            lambda: "text",
            lambda: 10**400,
            lambda: None,
            lambda: [tensor],
            lambda: {"a": tensor},
        )
    )()
    kind = rng.random()
    if kind < 0.7:
        state[name] = odd
    elif kind < 0.8:
        del state[name]
    elif kind < 0.9:
        state[rng.choice(("\x1b[2J", "x" * 5000, "../x", "extra.weight", 5, None, ("a", 1)))] = odd
    else:
        state = rng.choice(
            ({"model": state}, {"state_dict": odd}, [state], odd, {}, {"module": {}})
        )
    out = io.BytesIO()
    torch.save(state, out)
    return out.getvalue()


def mutated_safetensors(data: bytes, rng: random.Random) -> bytes:
    """Return a .safetensors with a hostile header, or damaged."""
    if rng.random() < 0.3:
        return mutated_bytes(data, rng)
    (size,) = struct.unpack("<Q", data[:8])
    header, body = data[8 : 8 + size], data[8 + size :]
    if rng.random() < 0.4:
        values = json.loads(header)
        entry = values[rng.choice([name for name in values if name != "__metadata__"])]
        field = rng.choice(("dtype", "shape", "data_offsets"))
        entry[field] = {
            "dtype": rng.choice(("F16", "I64", "BOOL", "F4", "x", "F64")),
            "shape": rng.choice(([], [0], [2**40], [2**63, 2], [-1], [1] * 100)),
            "data_offsets": rng.choice(([0, 0], [0, 2**60], [5, 1], [1, 2], [-4, 0])),
        }[field]
        header = json.dumps(values).encode()
    else:
        header = mutated_json(header, rng)
    size = rng.choice((len(header),) * 8 + (0, 2**62, len(header) + 1))
    return struct.pack("<Q", size) + header + body


def mutated_npz(data: bytes, rng: random.Random) -> bytes:
    """Return an .npz whose arrays' headers lie, or that is damaged."""
    return mutated_zip(data, rng, _mutated_npy)


def _mutated_npy(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.4 or len(data) < 12:
        return mutated_bytes(data, rng)
    size = struct.unpack("<H", data[8:10])[0]
    text, body = data[10 : 10 + size].decode("latin1"), data[10 + size :]
    shape = text[text.index("(") : text.index(")") + 1]
    kind = text.split("'descr': ")[1].split(",")[0]
    if rng.random() < 0.6:
        text = text.replace(shape, rng.choice(NPY_SHAPES))
    else:
        text = text.replace(kind, rng.choice(NPY_TYPES))
    header = text.strip().encode("latin1").ljust(size - 1) + b"\n"
    return data[:8] + struct.pack("<H", len(header)) + header + body
