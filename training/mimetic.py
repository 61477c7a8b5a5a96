"""Initial weights of a ViT that resemble those of a trained one (Trockman & Kolter 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..models.families.vit.model import VisionTransformer
from ..models.modules.attention import Attention

# Section 4.1 there: the weights of the noise and of the identity, of queries by keys and of values
# by the projection.
QUERY_KEY = (0.7, 0.7)
VALUE_PROJECTION = (0.4, 0.4)
# Vaswani et al. 2017, section 3.5.
LONGEST_WAVE = 10_000.0


@torch.no_grad()
def with_mimetic_weights(model: nn.Module) -> nn.Module:
    """Give a ViT's attention and positions initial values from which few images teach more.

    Trockman & Kolter 2023, "Mimetic Initialization of Self-Attention Layers", section 4: in trained
    ViTs W_Q·W_Kᵀ resembles α·Z + β·I and W_V·W_proj resembles α·Z − β·I, Z normal of variance
    1/width; each product is drawn so and taken apart by its singular values, cut to the head's
    width. Positions are sines and cosines of row and column, and are learned from there. Draws from
    torch's global generator. Returns the same object.

    Two things are ours. Patches are embedded by PyTorch's initial weights of a convolution, for
    with weights of deviation 0.02 positions would be five times as large as what a patch shows. A
    class token has the mean of all positions, for tokens attend to those that they resemble: one
    that resembles no patch attends to itself alone, and learns nothing from the image for long.

    Raises UserError for a model that is not a ViT with learned positions of a square.
    """
    if not isinstance(model, VisionTransformer):
        spec = getattr(model, "spec", None)
        what = type(model).__name__ if spec is None else f"the family '{spec.family}'"
        raise UserError(f"mimetic initial weights are for a ViT, not for {what}.")
    for module in model.modules():
        if isinstance(module, Attention):
            _set_attention(module)
    for module in model.patch_embed.modules():
        if isinstance(module, nn.Conv2d):
            module.reset_parameters()
    _set_positions(model)
    return model


def _set_attention(attention: Attention) -> None:
    heads, qk, v = attention.heads, attention.qk, attention.v
    embed = attention.proj.out_features
    weight = attention.qkv.weight
    for head in range(heads):
        queries, keys = _factors(_near_identity(embed, *QUERY_KEY), qk)
        weight[head * qk : (head + 1) * qk] = queries.T
        weight[(heads + head) * qk : (heads + head + 1) * qk] = keys.T
    noise, identity = VALUE_PROJECTION
    values, projection = _factors(_near_identity(embed, noise, -identity), heads * v)
    weight[2 * heads * qk :] = values.T
    attention.proj.weight.copy_(projection)


def _near_identity(width: int, noise: float, identity: float) -> Tensor:
    return noise * torch.randn(width, width) * width**-0.5 + identity * torch.eye(width)


def _factors(product: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return A and B, width x rank each, so that A·Bᵀ is nearest to the product.

    Columns beyond the width are 0.
    """
    left, values, right = torch.linalg.svd(product)
    some = min(rank, len(values))
    root = values[:some].sqrt()
    first, second = (torch.zeros(len(product), rank) for _ in range(2))
    first[:, :some] = left[:, :some] * root
    second[:, :some] = right[:some].T * root
    return first, second


def _set_positions(model: VisionTransformer) -> None:
    positions = model.pos_embed
    if positions is None or not positions.requires_grad:
        raise UserError("mimetic initial weights need positions that are learned.")
    side = model.spec.resolution // model.spec.patch
    waves = _waves(side, positions.shape[2])
    front = positions.shape[1] - len(waves)
    positions[:, :front] = waves.mean(dim=0)
    positions[:, front:] = waves


def _waves(side: int, width: int) -> Tensor:
    """Return sines and cosines of row and column, side² x width (Chen et al. 2021, MoCo v3)."""
    if width % 4:
        raise UserError(
            f"mimetic initial weights need a width that is a multiple of 4, not {width}."
        )
    rates = LONGEST_WAVE ** -(torch.arange(width // 4) / (width // 4))
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    angles = [place.reshape(-1, 1) * rates for place in (columns, rows)]
    return torch.cat([f(a) for a in angles for f in (torch.sin, torch.cos)], dim=1)
