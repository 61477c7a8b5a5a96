"""BERT as data, with the dims of each layer of its own (Devlin et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from ....errors import UserError
from ...block import Block
from ...checks import (
    check_fraction,
    check_known_fields,
    check_required_fields,
    check_whole_number,
    shown,
)
from ...spec import Spec
from ..vit.spec import LARGEST_DEPTH, LARGEST_HEADS, LARGEST_WIDTH, ViTLayer

LARGEST_VOCAB = 10_000_000
# Measuring looks up words with numbers below this.
LEAST_VOCAB = 64
DEFAULT_NORM_EPS = 1e-12


@dataclass(frozen=True, kw_only=True)
class BertSpec(Spec):
    """A text classifier of post-norm layers. Keyword arguments only.

    embed: width of a token; layers: dims of each layer; vocab: words; positions: the longest
    sequence that the weights allow; types: of sentences; tokens: the length that sequences are
    padded or cut to; classes: outputs; norm_eps: epsilon of the layer norms; attention_scale_dim:
    as of a ViTSpec. Raises UserError for a value that is out of range.
    """

    family: ClassVar[str] = "bert"

    embed: int
    layers: tuple[ViTLayer, ...]
    vocab: int = 30_522
    positions: int = 512
    types: int = 2
    tokens: int = 128
    classes: int = 2
    norm_eps: float = DEFAULT_NORM_EPS
    attention_scale_dim: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole_number("embed", self.embed, 1, LARGEST_WIDTH)
        check_whole_number("vocab", self.vocab, LEAST_VOCAB, LARGEST_VOCAB)
        check_whole_number("positions", self.positions, 1, LARGEST_WIDTH)
        check_whole_number("types", self.types, 1, LARGEST_HEADS)
        check_whole_number("tokens", self.tokens, 1, self.positions)
        check_whole_number("classes", self.classes, 1, LARGEST_WIDTH)
        check_fraction("norm_eps", self.norm_eps)
        if self.attention_scale_dim is not None:
            check_whole_number("attention_scale_dim", self.attention_scale_dim, 1, LARGEST_HEADS)
        if not isinstance(self.layers, tuple | list) or not all(
            isinstance(layer, ViTLayer) for layer in self.layers
        ):
            raise UserError(f"layers={shown(self.layers)} must be a tuple of ViTLayer.")
        object.__setattr__(self, "layers", tuple(self.layers))
        check_whole_number("depth", len(self.layers), 1, LARGEST_DEPTH)

    @classmethod
    def uniform(
        cls, embed: int, depth: int, heads: int, mlp: int | None = None, **others: Any
    ) -> BertSpec:
        """Return a BertSpec of `depth` layers that are all alike; mlp is 4·embed unless given.

        Raises UserError where heads does not divide embed, and for a value that is out of range.
        """
        check_whole_number("embed", embed, 1, LARGEST_WIDTH)
        check_whole_number("depth", depth, 1, LARGEST_DEPTH)
        check_whole_number("heads", heads, 1, LARGEST_HEADS)
        if embed % heads:
            raise UserError(f"heads={heads} does not divide embed={embed}; change one of the two.")
        layer = ViTLayer(heads, embed // heads, embed // heads, 4 * embed if mlp is None else mlp)
        return cls(embed=embed, layers=(layer,) * depth, **others)

    @classmethod
    def from_fields(cls, record: Mapping[str, Any]) -> BertSpec:
        """Return the spec with these JSON fields; raises UserError naming the wrong one."""
        check_known_fields(record, [field.name for field in fields(cls)])
        check_required_fields(record, ["embed", "layers"])
        if not isinstance(record["layers"], list):
            raise UserError(f"layers={shown(record['layers'])} must be a list of objects.")
        layers = tuple(ViTLayer.from_fields(layer) for layer in record["layers"])
        return cls(**{**record, "layers": layers})

    def embedding_block(self) -> Block:
        return Block.of(
            "text_embedding",
            embed=self.embed,
            vocab=self.vocab,
            positions=self.positions,
            types=self.types,
            tokens=self.tokens,
        )

    def attention_block(self, layer: ViTLayer) -> Block | None:
        """Return the attention half of `layer`, or None where it is absent.

        The same work as in a ViT: a layer norm, attention and a residual, in another order.
        """
        if not layer.heads:
            return None
        dims = {"heads": layer.heads, "qk": layer.qk, "v": layer.v, "tokens": self.tokens}
        return Block.of("attention", embed=self.embed, **dims)

    def mlp_block(self, layer: ViTLayer) -> Block | None:
        """Return the MLP half of `layer`, or None where it is absent."""
        if not layer.mlp:
            return None
        return Block.of("mlp", embed=self.embed, mlp=layer.mlp, tokens=self.tokens)

    def classifier_block(self) -> Block:
        return Block.of(
            "text_classifier", embed=self.embed, classes=self.classes, tokens=self.tokens
        )

    def blocks(self) -> list[Block]:
        """Return embedding, attention and MLP of each layer where present, classifier."""
        halves = [
            half
            for layer in self.layers
            for half in (self.attention_block(layer), self.mlp_block(layer))
        ]
        present = [half for half in halves if half is not None]
        return [self.embedding_block(), *present, self.classifier_block()]
