"""From a map to sequences of its patches' pixels, and back (Mehta & Rastegari 2021, section 3.1).

Pixel (a, b) of every patch makes one sequence, so that attention joins pixels in the same place of
different patches. The channels are moved last first: what is left to reorder then are rows of
`channels` values, which ONNX Runtime does four times as fast on a CPU as one transpose of six axes.
No tensor has more than five axes, Core ML's limit.
"""

from __future__ import annotations

from torch import Tensor


def unfold(x: Tensor, patch: int) -> Tensor:
    """Return (batch·patch², tokens, channels) of a map (batch, channels, R, R).

    The sequences of an image follow each other, as do the tokens, by rows.
    """
    batch, channels, rows, columns = x.shape
    down, across = rows // patch, columns // patch
    x = x.permute(0, 2, 3, 1).reshape(batch, down, patch, across, patch * channels)
    x = x.transpose(1, 2).reshape(batch * patch, down * across, patch, channels)
    return x.transpose(1, 2).reshape(batch * patch * patch, down * across, channels)


def fold(x: Tensor, patch: int, side: int) -> Tensor:
    """Return the map (batch, channels, side, side) of what `unfold` made of it."""
    sequences, tokens, channels = x.shape
    batch, down = sequences // patch**2, side // patch
    x = x.reshape(batch * patch, patch, tokens, channels).transpose(1, 2)
    x = x.reshape(batch, patch, down, down, patch * channels).transpose(1, 2)
    return x.reshape(batch, side, side, channels).permute(0, 3, 1, 2)
