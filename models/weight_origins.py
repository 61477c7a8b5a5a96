"""Which tensors of a checkpoint each weight of a model came from."""

from __future__ import annotations

import os

from .checkpoints import read_checkpoint
from .families.registry import find_family


def weight_origins(checkpoint: str | os.PathLike[str], family: str) -> dict[str, list[str]]:
    """Return the checkpoint's own names of what each of the family's tensors is made of.

    A query, key and value that were fused are three names, in their order. Found by autograd
    through what renames the weights, so that it holds for every family. Raises UserError for what
    `read_checkpoint` refuses.
    """
    import torch

    own = {
        name: weight.detach().requires_grad_()
        for name, weight in read_checkpoint(checkpoint).weights.items()
        if weight.is_floating_point()
    }
    rename = find_family(family).load("rename")
    names = list(own)
    origins: dict[str, list[str]] = {}
    with torch.enable_grad():
        renamed = own if rename is None else rename(own)
        for name, weight in renamed.items():
            same = [source for source, given in own.items() if given is weight]
            if same:
                origins[name] = same
                continue
            # A source's gradient is then the places that it takes, counted from 1: an order.
            places = torch.arange(1.0, weight.numel() + 1).reshape(weight.shape)
            grads = torch.autograd.grad(
                (weight * places).sum(), list(own.values()), allow_unused=True
            )
            first = {
                source: float(grad[grad != 0].min())
                for source, grad in zip(names, grads, strict=True)
                if grad is not None and bool((grad != 0).any())
            }
            origins[name] = sorted(first, key=lambda source: first[source])
    return origins
