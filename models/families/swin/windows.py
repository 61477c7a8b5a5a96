"""The windows of a map (Liu et al. 2021, section 3.2): where each token goes, and what it sees."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# What is added to the logit of a pair of tokens that are not neighbours in the image; the official
# code's value, which fp16 can hold.
_MASKED = -100.0


class Windows(nn.Module):
    """The windows of a map of resolution² tokens, each window² of them, moved by `offset`.

    offset: 0, or how far the map is rolled up and left before it is cut.
    """

    order: Tensor | None
    place: Tensor | None

    def __init__(self, resolution: int, window: int, offset: int) -> None:
        super().__init__()
        self.resolution = resolution
        self.window = window
        self.across = resolution // window
        # Rolling and cutting in one gather of whole tokens: the same by slices and concatenations
        # is 18 more nodes and up to 6 % of the block's time; unshifted, a transposition is as fast.
        order = _order(resolution, window, offset) if offset else None
        self.register_buffer("order", order, persistent=False)
        place = None if order is None else order.argsort()
        self.register_buffer("place", place, persistent=False)

    def cut(self, x: Tensor) -> Tensor:
        """Return (batch·windows, window², width) from a sequence (batch, resolution², width)."""
        if self.across == 1:
            return x
        batch, _, width = x.shape
        if self.order is not None:
            x = x.index_select(1, self.order)
        else:
            rows = x.reshape(batch * self.across, self.window, self.across, self.window, width)
            x = rows.transpose(1, 2)
        return x.reshape(batch * self.across**2, self.window**2, width)

    def joined(self, x: Tensor) -> Tensor:
        """Return (batch, resolution², width) from what `cut` gives."""
        if self.across == 1:
            return x
        parts, _, width = x.shape
        batch = parts // self.across**2
        if self.place is not None:
            x = x.reshape(batch, self.resolution**2, width)
            return x.index_select(1, self.place)
        rows = x.reshape(batch * self.across, self.across, self.window, self.window, width)
        return rows.transpose(1, 2).reshape(batch, self.resolution**2, width)


def _order(resolution: int, window: int, offset: int) -> Tensor:
    """Return the place in the map of each token, window by window: (resolution²,)."""
    places = torch.arange(resolution**2).reshape(resolution, resolution)
    return _cut_map(places.roll((-offset, -offset), (0, 1)), window).reshape(-1)


def _cut_map(values: Tensor, window: int) -> Tensor:
    """Return (windows, window²) from (resolution, resolution)."""
    across = values.shape[0] // window
    rows = values.reshape(across, window, across, window)
    return rows.transpose(1, 2).reshape(across**2, window**2)


def relative_position_index(window: int) -> Tensor:
    """Return for each pair of a window's tokens its row in the bias table: (window², window²).

    The row is (Δrow + window - 1)·(2·window - 1) + (Δcolumn + window - 1), query minus key.
    """
    places = torch.arange(window**2)
    row, column = places // window, places % window
    row_offset = row[:, None] - row[None, :] + window - 1
    column_offset = column[:, None] - column[None, :] + window - 1
    return row_offset * (2 * window - 1) + column_offset


def shift_mask(resolution: int, window: int, offset: int) -> Tensor:
    """Return what is added to the logits of shifted windows: (windows, window², window²).

    A window at the edge holds tokens of opposite sides of the image; they do not see each other.
    """
    place = torch.arange(resolution)
    strip = (place >= resolution - window).int() + (place >= resolution - offset).int()
    region = _cut_map(3 * strip[:, None] + strip[None, :], window)
    return _MASKED * (region[:, :, None] != region[:, None, :]).float()
