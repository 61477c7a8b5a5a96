"""One layer of a Transformer: the attention half, then the MLP half."""

from __future__ import annotations

from torch import Tensor, nn

from .attention import AttentionBlock
from .mlp import MlpBlock
from .residual import residual


class TransformerLayer(nn.Module):
    """Attention, then MLP, either of which may be absent; (batch, tokens, embed) in and out."""

    def __init__(self, attention: AttentionBlock | None, mlp: MlpBlock | None) -> None:
        super().__init__()
        self.norm1 = attention.norm1 if attention is not None else None
        self.attn = attention.attn if attention is not None else None
        self.ls1 = attention.ls1 if attention is not None else None
        self.norm2 = mlp.norm2 if mlp is not None else None
        self.mlp = mlp.mlp if mlp is not None else None
        self.ls2 = mlp.ls2 if mlp is not None else None

    def forward(self, x: Tensor) -> Tensor:
        if self.norm1 is not None and self.attn is not None:
            x = residual(x, self.norm1, self.attn, self.ls1)
        if self.norm2 is not None and self.mlp is not None:
            x = residual(x, self.norm2, self.mlp, self.ls2)
        return x

    def folded(self) -> TransformerLayer:
        """Return the layer with its layer scales inside the linear layers: what is deployed."""
        if self.ls1 is None and self.ls2 is None:
            return self
        halves = {type(half): half for half in self.chain()}
        attention, mlp = halves.get(AttentionBlock), halves.get(MlpBlock)
        return TransformerLayer(
            attention.folded() if isinstance(attention, AttentionBlock) else None,
            mlp.folded() if isinstance(mlp, MlpBlock) else None,
        )

    def chain(self) -> list[nn.Module]:
        """Return the present halves as modules that share this layer's weights."""
        halves: list[nn.Module] = []
        if self.norm1 is not None and self.attn is not None:
            halves.append(AttentionBlock(self.norm1, self.attn, self.ls1))
        if self.norm2 is not None and self.mlp is not None:
            halves.append(MlpBlock(self.norm2, self.mlp, self.ls2))
        return halves
