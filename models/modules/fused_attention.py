"""The same attention through PyTorch's fused kernel (Dao 2023, FlashAttention-2, where it has it).

The products' matrix of tokens x tokens never lies in memory as a whole. For training and for
PyTorch itself; exporters show plain attention better.
"""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.nn import functional as F

from .attention import Attention


class FusedAttention(Attention):
    """`Attention` by scaled_dot_product_attention; the same weights, names and outputs.

    (batch, tokens, embed) in and out. Where sizes or keys are asked for (token merging), it
    computes as `Attention` does.
    """

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, _ = x.shape
        widths = [self.heads * self.qk, self.heads * self.qk, self.heads * self.v]
        q, k, v = (
            part.reshape(batch, tokens, self.heads, -1).transpose(1, 2)
            for part in self.qkv(x).split(widths, dim=-1)
        )
        if self.q_norm is not None and self.k_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        attended = F.scaled_dot_product_attention(q, k, v, scale=self.scale).transpose(1, 2)
        return self.proj(attended.reshape(batch, tokens, self.heads * self.v))


def with_fused_attention(model: nn.Module) -> nn.Module:
    """Return a copy of the model that computes every plain attention by the fused kernel."""
    fused = copy.deepcopy(model)
    for module in fused.modules():
        if type(module) is Attention:
            module.__class__ = FusedAttention
    return fused
