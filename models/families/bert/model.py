"""BERT for classification, as a chain of steps whose sums are normed at the start of the next."""

from __future__ import annotations

from torch import Tensor, nn

from ...block import Block
from ...modules import initial
from ...modules.attention import Attention
from ...modules.mlp import Mlp
from ...modules.spec_model import SpecModel
from ...modules.words import Words, repeated
from .spec import BertSpec


class TextEmbedding(nn.Module):
    """The op `text_embedding`: (batch, tokens) whole numbers → (batch, tokens, embed), not normed.

    `takes_words` says to those who make an input that it is of whole numbers below the vocabulary.
    """

    takes_words = True

    def __init__(self, embed: int, vocab: int, positions: int, types: int) -> None:
        super().__init__()
        self.word = initial.embedding(vocab, embed)
        self.position = initial.embedding(positions, embed)
        self.sentence = initial.embedding(types, embed)

    @classmethod
    def of(cls, block: Block) -> TextEmbedding:
        """Return the module of `block` with initial weights."""
        return cls(block["embed"], block["vocab"], block["positions"], block["types"])

    def forward(self, ids: Tensor, types: Tensor | None = None) -> Tensor:
        # Variants of the model run on one batch side by side.
        every = None if types is None else repeated(types, len(ids))
        of_types = self.sentence.weight[0] if every is None else self.sentence(every)
        return self.word(ids) + self.position.weight[: ids.shape[1]] + of_types


class EmbeddingOf(nn.Module):
    """A TextEmbedding of sequences whose types (batch, tokens) are known beforehand."""

    def __init__(self, embeddings: TextEmbedding, types: Tensor) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.types = types

    def forward(self, ids: Tensor) -> Tensor:
        return self.embeddings(ids, self.types)


class PostNormAttention(nn.Module):
    """norm(x), and attention added to it; (batch, tokens, embed) in and out.

    seen: (batch, tokens, 1), 1 for a token that counts and 0 for one that fills up; None where all
    count. The batch that runs may be several of these, one after another.
    """

    def __init__(self, norm: nn.LayerNorm, attn: Attention, seen: Tensor | None = None) -> None:
        super().__init__()
        self.norm = norm
        self.attn = attn
        self.seen = seen

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        seen = None if self.seen is None else repeated(self.seen, len(x))
        return x + self.attn.with_keys(x, seen)[0]


class PostNormMlp(nn.Module):
    """norm(x), and the MLP added to it; (batch, tokens, embed) in and out."""

    def __init__(self, norm: nn.LayerNorm, mlp: Mlp) -> None:
        super().__init__()
        self.norm = norm
        self.mlp = mlp

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        return x + self.mlp(x)


class TextClassifier(nn.Module):
    """The op `text_classifier`: norm, pooler of the first token, classes; → (batch, classes)."""

    def __init__(self, norm: nn.LayerNorm, pooler: nn.Linear, classifier: nn.Linear) -> None:
        super().__init__()
        self.norm = norm
        self.pooler = pooler
        self.classifier = classifier

    @classmethod
    def of(cls, block: Block, norm_eps: float = initial.DEFAULT_NORM_EPS) -> TextClassifier:
        """Return the module of `block` with initial weights."""
        embed = block["embed"]
        return cls(
            nn.LayerNorm(embed, eps=norm_eps),
            initial.linear(embed, embed),
            initial.linear(embed, block["classes"]),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pooler(self.norm(x)[:, 0]).tanh())


class BertLayer(nn.Module):
    """The two halves of a layer, where present; `attn` and `mlp` begin with the norm before."""

    def __init__(self, attention: PostNormAttention | None, mlp: PostNormMlp | None) -> None:
        super().__init__()
        self.norm1 = attention.norm if attention is not None else None
        self.attn = attention.attn if attention is not None else None
        self.norm2 = mlp.norm if mlp is not None else None
        self.mlp = mlp.mlp if mlp is not None else None

    def chain(self, seen: Tensor | None = None) -> list[nn.Module]:
        """Return the present halves as modules that share this layer's weights."""
        halves: list[nn.Module] = []
        if self.norm1 is not None and self.attn is not None:
            halves.append(PostNormAttention(self.norm1, self.attn, seen))
        if self.norm2 is not None and self.mlp is not None:
            halves.append(PostNormMlp(self.norm2, self.mlp))
        return halves


class Bert(SpecModel):
    """The model of a BertSpec: words (batch, tokens) → logits (batch, classes).

    A norm that BERT has at the end of a half stands here at the start of the next one, and the last
    one in the classifier: the same function, whose sums before each norm lie between the steps.
    """

    spec: BertSpec

    def __init__(self, spec: BertSpec) -> None:
        super().__init__(spec)
        self.embeddings = TextEmbedding.of(spec.embedding_block())
        layers = []
        for layer in spec.layers:
            dims = (layer.heads, layer.qk, layer.v)
            attention = (
                PostNormAttention(
                    nn.LayerNorm(spec.embed, eps=spec.norm_eps),
                    Attention(spec.embed, *dims, spec.attention_scale_dim),
                )
                if layer.heads
                else None
            )
            mlp = (
                PostNormMlp(nn.LayerNorm(spec.embed, eps=spec.norm_eps), Mlp(spec.embed, layer.mlp))
                if layer.mlp
                else None
            )
            layers.append(BertLayer(attention, mlp))
        self.layers = nn.ModuleList(layers)
        classifier = TextClassifier.of(spec.classifier_block(), spec.norm_eps)
        self.norm = classifier.norm
        self.pooler = classifier.pooler
        self.classifier = classifier.classifier

    def forward(
        self, ids: Tensor | Words, types: Tensor | None = None, seen: Tensor | None = None
    ) -> Tensor:
        """ids, types: (batch, tokens) whole numbers; seen: the same shape, 0 for filling.

        All three may be given as one batch of Words.
        """
        if isinstance(ids, Words):
            return self(ids.ids, ids.types, ids.seen)
        x = ids
        for step in self.chain(types, seen):
            x = step(x)
        return x

    def chain(self, types: Tensor | None = None, seen: Tensor | None = None) -> list[nn.Module]:
        """Return one module a block, in the order of `spec.blocks()`, sharing this model's weights.

        Running them one after another on ids is running the model on sequences of these types and
        with this filling (both as `forward` takes them); by default of one sentence and with none.
        """
        mask = None if seen is None else seen[..., None].to(self.norm.weight.dtype)
        halves = [half for layer in self.layers for half in layer.chain(mask)]  # type: ignore[operator]
        modules = [
            self.embeddings if types is None else EmbeddingOf(self.embeddings, types),
            *halves,
            TextClassifier(self.norm, self.pooler, self.classifier),
        ]
        return [module.train(self.training) for module in modules]
