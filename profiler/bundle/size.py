"""How large a bundle will be, before it is built: an estimate from its plan alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...backends.registry import find_kind
from ...models import Block, Spec
from ...models.families.foreign.spec import ForeignSpec
from ...tables import Setting
from ..plan import Subject

BYTES_OF = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 1, "int8-static": 1}

# Of the default plans of cpu, t4, rtx3080 and iphone13, and of models in int8. A block's first
# numbers, which its weights repeat, are some 6,000; a repetition shrinks to a 115th, the code of a
# TensorRT engine to a 12th.
_RANDOM_VALUES_OF_A_BLOCK = 6_000
_REPETITION = 115
_CODE = 12


@dataclass(frozen=True)
class EstimatedSize:
    """Bytes of a bundle, and of its artifacts when they are unpacked."""

    packed: float
    unpacked: float

    def __add__(self, other: EstimatedSize) -> EstimatedSize:
        return EstimatedSize(self.packed + other.packed, self.unpacked + other.unpacked)

    def __str__(self) -> str:
        return f"about {megabytes(self.packed)} ({megabytes(self.unpacked)} unpacked)"


def estimated_size(subjects: Iterable[Subject], setting: Setting) -> EstimatedSize:
    """Return the estimate for artifacts of these subjects, each once.

    The weights of blocks and models shrink, as they repeat themselves. Those of a foreign model's
    file do not: they are counted as they are.
    """
    total = EstimatedSize(0, 0)
    for subject in subjects:
        total += _size_of(subject, setting)
    return total


def megabytes(count: float) -> str:
    """Return a number of bytes in MB, with three digits or so: "0.42 MB", "11 MB", "794 MB"."""
    value = count / 1e6
    digits = 2 if value < 1 else 1 if value < 10 else 0
    return f"{value:.{digits}f} MB"


def _size_of(subject: Subject, setting: Setting) -> EstimatedSize:
    blocks: Sequence[Block] = subject.blocks() if isinstance(subject, Spec) else subject
    params = subject.params if isinstance(subject, Spec) else sum(one.params for one in blocks)
    bytes_of_value = BYTES_OF[setting.dtype]
    weights = params * bytes_of_value
    if isinstance(subject, ForeignSpec):
        return EstimatedSize(weights, weights)
    kind = find_kind(setting.backend)
    code = len(blocks) * (kind.code_bytes if kind else 0)
    # In int8, biases and scales are fp32.
    first = len(blocks) * _RANDOM_VALUES_OF_A_BLOCK * max(bytes_of_value, 2)
    random = min(first, weights)
    return EstimatedSize(random + weights / _REPETITION + code / _CODE, weights + code)
