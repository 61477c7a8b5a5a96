"""From the sequence to logits: the class token's head, and the distillation token's."""

from __future__ import annotations

from torch import Tensor, nn

from ..block import Block
from ..checks import check_whole_number
from . import initial


def logits_of_heads(
    x: Tensor, norm: nn.Module, head: nn.Module, head_dist: nn.Module | None
) -> tuple[Tensor, ...]:
    """Return each head's logits, (batch, classes), from a sequence (batch, tokens, embed).

    Token 0 is the class token; token 1 is the distillation token where it has a head.
    """
    x = norm(x)
    logits = head(x[:, 0])
    return (logits,) if head_dist is None else (logits, head_dist(x[:, 1]))


def mean_logits(logits: tuple[Tensor, ...]) -> Tensor:
    """Return the mean of one or two heads' logits (Touvron et al. 2021, section 4)."""
    return logits[0] if len(logits) == 1 else (logits[0] + logits[1]) / 2


class ClassifierBlock(nn.Module):
    """The op `classifier` alone: (batch, tokens, embed) → logits (batch, classes)."""

    def __init__(
        self, norm: nn.LayerNorm, head: nn.Linear, head_dist: nn.Linear | None = None
    ) -> None:
        super().__init__()
        self.norm = norm
        self.head = head
        self.head_dist = head_dist

    @classmethod
    def of(cls, block: Block, norm_eps: float = initial.DEFAULT_NORM_EPS) -> ClassifierBlock:
        """Return the module of `block` with initial weights; UserError for more than 2 heads."""
        check_whole_number("heads", block["heads"], 1, 2)
        embed, classes = block["embed"], block["classes"]
        return cls(
            nn.LayerNorm(embed, eps=norm_eps),
            initial.linear(embed, classes),
            initial.linear(embed, classes) if block["heads"] == 2 else None,
        )

    def forward(self, x: Tensor) -> Tensor:
        return mean_logits(logits_of_heads(x, self.norm, self.head, self.head_dist))


def pooled(
    x: Tensor, pool: str, prefix: int, norm: nn.Module | None, fc_norm: nn.Module | None
) -> Tensor:
    """Return what a classifier reads, (batch, embed), of a sequence (batch, tokens, embed)."""
    if norm is not None:
        x = norm(x)
    # A slice of everything is an operation that not every converter knows.
    patches = x[:, prefix:] if prefix else x
    x = x[:, 0] if pool == "class" else patches.mean(dim=1)
    return x if fc_norm is None else fc_norm(x)


class DetailedClassifier(nn.Module):
    """From the sequence (batch, tokens, embed) to logits (batch, classes), or to what they read.

    pool: the class token or the mean of the tokens behind `prefix`. norm is over all tokens,
    fc_norm over the pooled vector; each may be None. Without a head the vector is the output.
    """

    def __init__(
        self,
        pool: str,
        prefix: int,
        norm: nn.LayerNorm | None,
        fc_norm: nn.LayerNorm | None,
        head: nn.Linear | None,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.prefix = prefix
        self.norm = norm
        self.fc_norm = fc_norm
        self.head = head

    @classmethod
    def of(
        cls,
        block: Block,
        prefix: int = 0,
        final_norm: str = "tokens",
        norm_eps: float = initial.DEFAULT_NORM_EPS,
    ) -> DetailedClassifier:
        """Return the module of a block with one head, or of one without classes."""
        embed = block["embed"]
        classes = dict(block.dims).get("classes")
        return cls(
            "class" if block.op in {"classifier", "features"} else "mean",
            prefix,
            nn.LayerNorm(embed, eps=norm_eps) if final_norm == "tokens" else None,
            nn.LayerNorm(embed, eps=norm_eps) if final_norm == "pooled" else None,
            initial.linear(embed, classes) if classes else None,
        )

    def forward(self, x: Tensor) -> Tensor:
        x = pooled(x, self.pool, self.prefix, self.norm, self.fc_norm)
        return x if self.head is None else self.head(x)
