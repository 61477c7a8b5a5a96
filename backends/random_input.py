"""The input every point is measured on: normal random numbers, the same in every session."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SEED = 0


def seeded_input(shape: tuple[int, ...], dtype: str = "fp32") -> np.ndarray:
    """Return standard normal numbers of `shape`, as float32 ("fp32") or float16 ("fp16").

    Normal and not constant: zeros and denormals run at other speeds than real activations.
    The fp16 values are the fp32 ones rounded.
    """
    import numpy as np

    values = np.random.default_rng(SEED).standard_normal(shape, dtype=np.float32)
    return values.astype(np.float16) if dtype == "fp16" else values
