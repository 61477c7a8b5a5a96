"""Token merging by bipartite soft matching (Bolya et al. 2023 (ToMe), section 3).

Written with gathers and one product with a matrix of zeros and ones, no scattering, so that every
exporter and runtime takes it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..block import Block

# Lower than any cosine: what it marks is merged last, or merged with last.
_NEVER = -2.0


def merged_tokens(
    x: Tensor, sizes: Tensor, keys: Tensor, merged: int, prefix: int
) -> tuple[Tensor, Tensor]:
    """Return the sequence with `merged` tokens less, and how many patches each now stands for.

    x: (batch, tokens, embed); sizes: (batch, tokens, 1); keys: (batch, tokens, width), whose
    cosines say how alike tokens are. Every even token is paired with the odd one most like it, the
    `merged` most alike pairs become one token each, their mean weighted by sizes. The `prefix`
    first tokens (class, distillation) are never merged and stay in front.
    """
    keys = keys / keys.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    even, odd = keys[:, ::2], keys[:, 1::2]
    alike = even @ odd.transpose(1, 2)
    if prefix > 1:
        alike = torch.cat([torch.full_like(alike[..., :1], _NEVER), alike[..., 1:]], dim=-1)
    best, partner = alike.max(dim=-1)
    if prefix > 0:
        best = torch.cat([torch.full_like(best[:, :1], _NEVER), best[:, 1:]], dim=-1)
    order = best.argsort(dim=-1, descending=True)
    going, staying = order[:, :merged], order[:, merged:].sort(dim=-1).values
    weighted = torch.cat([x * sizes, sizes], dim=-1)
    evens, odds = weighted[:, ::2], weighted[:, 1::2]
    partner = partner.gather(1, going)
    places = torch.arange(odds.shape[1], device=x.device)
    # 1 where an odd token takes in a going one: (batch, odd, merged).
    takes_in = (partner[:, None, :] == places[None, :, None]).to(x.dtype)
    odds = odds + takes_in @ _rows(evens, going)
    kept = _rows(evens, staying)
    if prefix > 1:
        both = torch.cat([kept[:, :1], odds[:, :1], kept[:, 1:], odds[:, 1:]], dim=1)
    else:
        both = torch.cat([kept, odds], dim=1)
    total, sizes = both[..., :-1], both[..., -1:]
    return total / sizes, sizes


def _rows(x: Tensor, indices: Tensor) -> Tensor:
    return x.gather(1, indices[..., None].expand(-1, -1, x.shape[-1]))


class BipartiteMergingBlock(nn.Module):
    """The op `bipartite_merging` alone: (batch, tokens, embed) → `merged` tokens less.

    In a model the keys are those of the attention before it, averaged over the heads; here they are
    channels of the sequence, of the same shape.
    """

    def __init__(self, heads: int, qk: int, merged: int) -> None:
        super().__init__()
        self.heads = heads
        self.qk = qk
        self.merged = merged

    @classmethod
    def of(cls, block: Block) -> BipartiteMergingBlock:
        """Return the module of `block`, which has no weights."""
        return cls(block["heads"], block["qk"], block["merged"])

    def forward(self, x: Tensor) -> Tensor:
        width = self.heads * self.qk
        channels = torch.cat([x] * -(-width // x.shape[-1]), dim=-1) if width > x.shape[-1] else x
        if width < channels.shape[-1]:  # a slice of all would be an alias, which Core ML has not
            channels = channels[..., :width]
        keys = channels.reshape(*x.shape[:2], self.heads, self.qk).mean(dim=2)
        sizes = x[..., :1] * 0 + 1
        return merged_tokens(x, sizes, keys, self.merged, 1)[0]
