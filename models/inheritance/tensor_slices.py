"""Parts of a supernet's tensors for a subnet."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from .slices import Ranges, Slice


def taken(tensor: Tensor, part: Slice) -> Tensor:
    """Return the part of the tensor: a view wherever it has one range along each dim."""
    for dim, ranges in enumerate(part.dims):
        if len(ranges) > 1:
            tensor = tensor.index_select(dim, indices(ranges, tensor.device))
        elif ranges[0][1] - ranges[0][0] < tensor.shape[dim]:
            tensor = tensor.narrow(dim, ranges[0][0], ranges[0][1] - ranges[0][0])
    return tensor


@functools.lru_cache(maxsize=1024)
def indices(ranges: Ranges, device: torch.device) -> Tensor:
    """Return the indices that the ranges hold; one tensor for all who ask, not to be changed."""
    with torch.inference_mode(False):  # autograd refuses to keep what was made in that mode
        held = [index for start, stop in ranges for index in range(start, stop)]
        return torch.tensor(held, device=device)
