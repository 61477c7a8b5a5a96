"""Multi-head self-attention (Vaswani et al. 2017, section 3.2) with qk and v of their own."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from ..block import Block
from . import initial
from .residual import LayerScale, residual, with_scale


class Attention(nn.Module):
    """softmax(Q·Kᵀ/√scale_dim)·V for each head, then a projection.

    (batch, tokens, embed) in and out; scale_dim is qk unless given. Queries, keys and values have
    a bias unless `bias` is False; `normed` puts a layer norm on each head's queries and keys.

    `qkv` is one linear layer of width heads·(2·qk + v), in the order Q, K, V. The products are
    plain matrix multiplications, so that every exporter shows them as what they are.
    """

    def __init__(
        self,
        embed: int,
        heads: int,
        qk: int,
        v: int,
        scale_dim: int | None = None,
        bias: bool = True,
        normed: bool = False,
        norm_eps: float = initial.DEFAULT_NORM_EPS,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.qk = qk
        self.v = v
        self.scale = (qk if scale_dim is None else scale_dim) ** -0.5
        self.qkv = initial.linear(embed, heads * (2 * qk + v), bias)
        self.q_norm = nn.LayerNorm(qk, eps=norm_eps) if normed else None
        self.k_norm = nn.LayerNorm(qk, eps=norm_eps) if normed else None
        self.proj = initial.linear(heads * v, embed)

    def forward(self, x: Tensor) -> Tensor:
        return self.with_keys(x)[0]

    def with_keys(self, x: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return what `forward` does, and the mean of all heads' keys, (batch, tokens, qk).

        sizes: (batch, tokens, 1), of how many patches each token is: every one attends to a token
        as to so many alike (proportional attention, Bolya et al. 2023, section 3).
        """
        batch, tokens, _ = x.shape
        widths = [self.heads * self.qk, self.heads * self.qk, self.heads * self.v]
        q, k, v = self.qkv(x).split(widths, dim=-1)
        if self.q_norm is not None and self.k_norm is not None:
            q = self.q_norm(q.reshape(batch, tokens, self.heads, self.qk))
            k = self.k_norm(k.reshape(batch, tokens, self.heads, self.qk))
        q = (q * self.scale).reshape(batch, tokens, self.heads, self.qk).transpose(1, 2)
        k = k.reshape(batch, tokens, self.heads, self.qk).permute(0, 2, 3, 1)
        v = v.reshape(batch, tokens, self.heads, self.v).transpose(1, 2)
        logits = q @ k
        if sizes is not None:
            logits = logits + sizes.log().transpose(1, 2)[:, None]
        attended = (logits.softmax(dim=-1) @ v).transpose(1, 2)
        out = self.proj(attended.reshape(batch, tokens, self.heads * self.v))
        return out, k.mean(dim=1).transpose(1, 2)


class AttentionBlock(nn.Module):
    """The op `attention` alone: layer norm, attention, residual; (batch, tokens, embed).

    `normed_attention` too. ls1: what scales the branch, where there is something.
    """

    def __init__(self, norm1: nn.LayerNorm, attn: Attention, ls1: LayerScale | None = None) -> None:
        super().__init__()
        self.norm1 = norm1
        self.attn = attn
        self.ls1 = ls1

    @classmethod
    def of(
        cls,
        block: Block,
        norm_eps: float = initial.DEFAULT_NORM_EPS,
        scale_dim: int | None = None,
    ) -> AttentionBlock:
        """Return the module of `block` with initial weights."""
        return AttentionBlock.detailed(block, norm_eps, scale_dim)

    @staticmethod
    def detailed(
        block: Block,
        norm_eps: float = initial.DEFAULT_NORM_EPS,
        scale_dim: int | None = None,
        bias: bool = True,
        layer_scale: bool = False,
    ) -> AttentionBlock:
        """Return the same with or without a bias of queries, keys and values, and layer scale."""
        embed = block["embed"]
        dims = (block["heads"], block["qk"], block["v"])
        normed = block.op == "normed_attention"
        attention = Attention(embed, *dims, scale_dim, bias, normed, norm_eps)
        scale = LayerScale(embed) if layer_scale else None
        return AttentionBlock(nn.LayerNorm(embed, eps=norm_eps), attention, scale)

    def forward(self, x: Tensor) -> Tensor:
        return residual(x, self.norm1, self.attn, self.ls1)

    def folded(self) -> AttentionBlock:
        """Return the block with its layer scale inside the projection: what is deployed."""
        if self.ls1 is None:
            return self
        attn = copy.deepcopy(self.attn)
        attn.proj = with_scale(self.attn.proj, self.ls1)
        return AttentionBlock(self.norm1, attn)
