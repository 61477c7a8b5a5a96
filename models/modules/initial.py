"""Weights before training: normal, std 0.02, cut at ±2; biases zero (Touvron et al. 2021)."""

from __future__ import annotations

import torch
from torch import nn

# timm's and DeiT's epsilon, for weights that come from nowhere else.
DEFAULT_NORM_EPS = 1e-6

_STD = 0.02


def linear(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """Return a linear layer with initial weights."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    nn.init.trunc_normal_(layer.weight, std=_STD)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def embedding(count: int, embed: int) -> nn.Embedding:
    """Return a table of `count` vectors with initial values."""
    table = nn.Embedding(count, embed)
    nn.init.trunc_normal_(table.weight, std=_STD)
    return table


def patch_convolution(in_channels: int, embed: int, patch: int, bias: bool = True) -> nn.Conv2d:
    """Return a convolution with initial weights whose stride is its kernel."""
    layer = nn.Conv2d(in_channels, embed, patch, stride=patch, bias=bias)
    nn.init.trunc_normal_(layer.weight, std=_STD)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def tokens(count: int, embed: int) -> nn.Parameter:
    """Return learned tokens (1, count, embed) with initial values."""
    values = nn.Parameter(torch.empty(1, count, embed))
    nn.init.trunc_normal_(values, std=_STD)
    return values
