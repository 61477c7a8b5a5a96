"""The input every point is measured on: random numbers, the same in every session."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

SEED = 0


# Words that are looked up have numbers below this; every vocabulary has as many.
WORDS = 64


def seeded_input(shape: tuple[int, ...], dtype: str = "fp32") -> np.ndarray:
    """Return standard normal numbers of `shape`, as float32 ("fp32") or float16 ("fp16").

    Normal and not constant: zeros and denormals run at other speeds than real activations.
    The fp16 values are the fp32 ones rounded. "int64" and "int32" give words by number.
    """
    import numpy as np

    if dtype in ("int32", "int64"):
        words = np.random.default_rng(SEED).integers(0, WORDS, shape, dtype=np.int64)
        return words.astype(dtype)
    count = math.prod(shape)
    size = 1 << max(count - 1, 0).bit_length()
    # Drawing takes as long as opening a small block's session, so a longer draw is kept: its first
    # `count` numbers are those of a draw of `count`.
    drawn = _normal(size) if size <= _MOST_KEPT else _normal.__wrapped__(count)
    return drawn[:count].reshape(shape).astype(np.float16 if dtype == "fp16" else np.float32)


def seeded_input_of(name: str, shape: tuple[int, ...], dtype: str, seed: int = SEED) -> np.ndarray:
    """Return an input as `seeded_input` has it for a model's input of that name.

    Numbers that are not words by their name are what every such model takes: masks of ones, token
    types of zeros, positions that count. `seed`: of further inputs of the same kind.
    """
    import numpy as np

    if dtype in ("int32", "int64"):
        if "mask" in name:
            return np.ones(shape, dtype)
        if "type" in name:
            return np.zeros(shape, dtype)
        if "position" in name:
            return np.broadcast_to(np.arange(shape[-1] if shape else 1), shape).astype(dtype)
    if seed == SEED:
        return seeded_input(shape, dtype)
    random = np.random.default_rng(seed)
    if dtype in ("int32", "int64"):
        return random.integers(0, WORDS, shape).astype(dtype)
    return random.standard_normal(shape).astype(np.float16 if dtype == "fp16" else np.float32)


_MOST_KEPT = 2**22


@lru_cache(maxsize=3)
def _normal(count: int) -> np.ndarray:
    import numpy as np

    return np.random.default_rng(SEED).standard_normal(count, dtype=np.float32)


def input_dtype(module: nn.Module, dtype: str) -> str:
    """Return what `seeded_input` calls the input of a module that computes in `dtype`."""
    takes_words = any(getattr(part, "takes_words", False) for part in module.modules())
    return "int64" if takes_words else dtype
