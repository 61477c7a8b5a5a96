"""From the sequence to logits by its mean, as no token stands for the class."""

from __future__ import annotations

from torch import Tensor, nn

from ...block import Block
from ...modules import initial
from .spec import DEFAULT_NORM_EPS


class SwinHead(nn.Module):
    """The linear layer of the classifier, under timm's name `head.fc`."""

    def __init__(self, embed: int, classes: int) -> None:
        super().__init__()
        self.fc = initial.linear(embed, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)


class PooledTokensClassifier(nn.Module):
    """The op `pooled_tokens_classifier`: (batch, tokens, embed) → logits (batch, classes).

    Layer norm, mean over the tokens, linear layer.
    """

    def __init__(self, norm: nn.LayerNorm, head: SwinHead) -> None:
        super().__init__()
        self.norm = norm
        self.head = head

    @classmethod
    def of(cls, block: Block, norm_eps: float = DEFAULT_NORM_EPS) -> PooledTokensClassifier:
        """Return the module of `block` with initial weights."""
        norm = nn.LayerNorm(block["embed"], eps=norm_eps)
        return cls(norm, SwinHead(block["embed"], block["classes"]))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(x).mean(dim=1))
