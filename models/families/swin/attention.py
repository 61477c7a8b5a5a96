"""Attention inside windows, with a bias by relative position (Liu et al. 2021, equation 4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ....errors import UserError
from ...block import Block
from ...modules.attention import Attention, AttentionBlock
from ...ops.codes import NO_YES, choice
from .spec import DEFAULT_NORM_EPS
from .windows import Windows, relative_position_index, shift_mask


class WindowAttention(Attention):
    """softmax(Q·Kᵀ/√scale_dim + B)·V for each window and head, then a projection.

    (batch, resolution², embed) in and out. B is learned, one number a head and relative position;
    between tokens of a shifted window that are not neighbours in the image, it is less by 100.
    """

    relative_position_index: Tensor
    mask: Tensor | None

    def __init__(
        self,
        embed: int,
        heads: int,
        qk: int,
        v: int,
        window: int,
        resolution: int,
        shifted: bool = False,
        scale_dim: int | None = None,
    ) -> None:
        super().__init__(embed, heads, qk, v, scale_dim)
        offset = window // 2 if shifted else 0
        self.windows = Windows(resolution, window, offset)
        table = torch.empty((2 * window - 1) ** 2, heads)
        self.relative_position_bias_table = nn.Parameter(table)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        index = relative_position_index(window)
        self.register_buffer("relative_position_index", index, persistent=False)
        mask = shift_mask(resolution, window, offset) if offset else None
        self.register_buffer("mask", mask, persistent=False)

    def bias(self) -> Tensor:
        """Return what is added to the logits: (1 or windows, heads, window², window²)."""
        bias = self.relative_position_bias_table[self.relative_position_index]
        bias = bias.permute(2, 0, 1).unsqueeze(0)
        return bias if self.mask is None else bias + self.mask.unsqueeze(1).to(bias.dtype)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(self.windows.cut(x))
        attended = _attended(qkv, self.heads, self.qk, self.v, self.scale, self.bias())
        return self.windows.joined(self.proj(attended))

    def folded(self) -> DeployedWindowAttention:
        """Return the same with bias and mask as one constant, and the scale inside the weights."""
        return DeployedWindowAttention(self)


class DeployedWindowAttention(nn.Module):
    """What a WindowAttention is once its weights stand still; the same in and out."""

    bias: Tensor

    def __init__(self, trained: WindowAttention) -> None:
        super().__init__()
        self.heads, self.qk, self.v = trained.heads, trained.qk, trained.v
        self.windows = trained.windows
        self.qkv = _with_scaled_queries(trained.qkv, self.heads * self.qk, trained.scale)
        self.proj = trained.proj
        with torch.no_grad():
            self.register_buffer("bias", trained.bias().contiguous(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(self.windows.cut(x))
        attended = _attended(qkv, self.heads, self.qk, self.v, None, self.bias)
        return self.windows.joined(self.proj(attended))


def _attended(
    qkv: Tensor, heads: int, qk: int, v_dim: int, scale: float | None, bias: Tensor
) -> Tensor:
    """Return softmax(scale·Q·Kᵀ + bias)·V, the heads side by side: (parts, tokens, heads·v).

    qkv: (parts, tokens, heads·(2·qk + v)), a part being a window of an image; scale: None = it is
    in Q already.
    """
    parts, tokens, _ = qkv.shape
    q, k, v = qkv.split([heads * qk, heads * qk, heads * v_dim], dim=-1)
    q = q if scale is None else q * scale
    q = q.reshape(parts, tokens, heads, qk).transpose(1, 2)
    k = k.reshape(parts, tokens, heads, qk).permute(0, 2, 3, 1)
    v = v.reshape(parts, tokens, heads, v_dim).transpose(1, 2)
    attended = _biased(q @ k, bias).softmax(dim=-1) @ v
    return attended.transpose(1, 2).reshape(parts, tokens, heads * v_dim)


def _biased(logits: Tensor, bias: Tensor) -> Tensor:
    """Return logits (batch·windows, heads, n, n) + bias (1 or windows, heads, n, n)."""
    windows = bias.shape[0]
    if windows in (1, logits.shape[0]):
        return logits + bias
    shape = logits.shape
    return (logits.reshape(-1, windows, *shape[1:]) + bias).reshape(shape)


def _with_scaled_queries(qkv: nn.Linear, queries: int, scale: float) -> nn.Linear:
    scaled = nn.Linear(qkv.in_features, qkv.out_features, device="meta")
    with torch.no_grad():
        factor = torch.ones(qkv.out_features, dtype=torch.float64, device=qkv.weight.device)
        factor[:queries] = scale
        weight = (qkv.weight.double() * factor[:, None]).to(qkv.weight.dtype)
        bias = (qkv.bias.double() * factor).to(qkv.bias.dtype)
    scaled.weight = nn.Parameter(weight)
    scaled.bias = nn.Parameter(bias)
    return scaled


class WindowAttentionBlock(AttentionBlock):
    """The op `window_attention` alone: layer norm, attention, residual; a sequence in and out."""

    @classmethod
    def of(
        cls, block: Block, norm_eps: float = DEFAULT_NORM_EPS, scale_dim: int | None = None
    ) -> WindowAttentionBlock:
        """Return the module of `block` with initial weights.

        Raises UserError for a window that does not divide the map or, shifted, that covers it, and
        a `shift` that is neither 1 nor 2.
        """
        window, resolution = block["window"], block["resolution"]
        shifted = choice(NO_YES, block["shift"], "shift") == "yes"
        if resolution % window:
            raise UserError(
                f"window={window} does not divide the map of {resolution}x{resolution} tokens; "
                "change one of the two."
            )
        if shifted and not 1 < window < resolution:
            raise UserError(
                f"windows of side {window} cannot be shifted on a map of {resolution}x{resolution} "
                "tokens; take shift=1 (no), or a window above 1 and below that side."
            )
        attention = WindowAttention(
            block["embed"],
            block["heads"],
            block["qk"],
            block["v"],
            window,
            resolution,
            shifted,
            scale_dim,
        )
        return cls(nn.LayerNorm(block["embed"], eps=norm_eps), attention)
