"""A transformer layer that merges tokens between its halves (Bolya et al. 2023 (ToMe))."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..block import Block
from . import initial
from .attention import Attention, AttentionBlock
from .bipartite_merging import merged_tokens
from .mlp import MlpBlock
from .vision_transformer_layer import TransformerLayer

# A sequence (batch, tokens, embed), and of how many patches each token is: (batch, tokens, 1), None
# while each is of one.
State = tuple[Tensor, Tensor | None]


class MergingLayer(TransformerLayer):
    """Attention, merging, MLP; a State in and out. `prefix` tokens are never merged.

    chance: where given, tokens are paired by keys drawn from it instead of their own (the ablation
    of Bolya et al. 2023).
    """

    chance: torch.Generator | None = None

    def __init__(
        self, attention: AttentionBlock | None, mlp: MlpBlock | None, merged: int, prefix: int
    ) -> None:
        super().__init__(attention, mlp)
        self.merged = merged
        self.prefix = prefix

    def forward_state(self, state: State) -> State:
        x, sizes = state
        if self.norm1 is not None and self.attn is not None:
            branch, keys = self.attn.with_keys(self.norm1(x), sizes)
            x = x + branch
            if self.merged:
                if self.chance is not None:
                    keys = torch.randn(keys.shape, generator=self.chance).to(keys)
                ones = x[..., :1] * 0 + 1
                x, sizes = merged_tokens(
                    x, ones if sizes is None else sizes, keys, self.merged, self.prefix
                )
        if self.norm2 is not None and self.mlp is not None:
            x = x + self.mlp(self.norm2(x))
        return x, sizes


class ProportionalAttentionBlock(nn.Module):
    """The op `proportional_attention` alone: layer norm, attention that knows sizes, residual.

    (batch, tokens, embed) in and out. In a model the sizes come beside the sequence; here a channel
    of it stands for them.
    """

    def __init__(self, norm1: nn.LayerNorm, attn: Attention) -> None:
        super().__init__()
        self.norm1 = norm1
        self.attn = attn

    @classmethod
    def of(cls, block: Block) -> ProportionalAttentionBlock:
        """Return the module of `block` with initial weights."""
        plain = AttentionBlock.of(block, initial.DEFAULT_NORM_EPS)
        return cls(plain.norm1, plain.attn)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attn.with_keys(self.norm1(x), x[..., :1].exp())[0]
