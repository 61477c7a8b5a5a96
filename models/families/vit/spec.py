"""The Vision Transformer as data, with the dims of each layer of its own.

Dosovitskiy et al. 2020 (ViT); Touvron et al. 2021 (DeiT, whose distillation token is optional
here); Yang et al. 2021 (NViT, whose layers differ in heads, qk, v and mlp).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from ....errors import UserError
from ...block import LARGEST_DIM, Block
from ...checks import (
    check_flag,
    check_fraction,
    check_known_fields,
    check_required_fields,
    check_whole_number,
    shown,
)
from ...spec import Spec
from .details import PLAIN, ViTDetails

# Far above any real model; they stop a typo or a hostile file from asking for terabytes.
LARGEST_WIDTH = 65_536  # embed, mlp, classes of other families
LARGEST_CLASSES = 262_144
LARGEST_HEADS = 4_096  # heads, and qk, v, in_channels
LARGEST_RESOLUTION = 4_096
LARGEST_DEPTH = 1_024


@dataclass(frozen=True)
class ViTLayer:
    """Dims of one transformer layer; `heads=0` or `mlp=0` means that this half of it is absent.

    `qk` and `v` are per head, and become 0 where `heads` is 0. Raises UserError for a dim that
    is out of range.
    """

    heads: int
    qk: int
    v: int
    mlp: int

    def __post_init__(self) -> None:
        check_whole_number("heads", self.heads, 0, LARGEST_HEADS)
        check_whole_number("mlp", self.mlp, 0, LARGEST_WIDTH)
        lowest = 1 if self.heads else 0
        check_whole_number("qk", self.qk, lowest, LARGEST_HEADS)
        check_whole_number("v", self.v, lowest, LARGEST_HEADS)
        if not self.heads:
            object.__setattr__(self, "qk", 0)
            object.__setattr__(self, "v", 0)

    @classmethod
    def from_fields(cls, record: Any) -> ViTLayer:
        """Return the layer with these JSON fields; raises UserError naming the wrong one."""
        if not isinstance(record, dict):
            raise UserError(
                f'{shown(record)} must be an object like {{"heads": 3, "qk": 64, "v": 64, '
                '"mlp": 768}.'
            )
        names = [field.name for field in fields(cls)]
        check_known_fields(record, names)
        if record.get("heads") == 0:
            record = {"qk": 0, "v": 0, **record}
        check_required_fields(record, names)
        return cls(**record)


# The fields that describe layers which are all alike, in place of `layers`.
_UNIFORM_FIELDS = ("depth", "heads", "mlp", "qk", "v")


@dataclass(frozen=True, kw_only=True)
class ViTSpec(Spec):
    """A Vision Transformer of pre-norm layers. Keyword arguments only.

    embed: width of a token; layers: dims of each layer; patch, resolution: pixels of a side
    (the resolution is a multiple of the patch); classes: outputs of a classification head.
    distilled: there is a distillation token; distillation_head: that token has a classification
    head too (None = distilled; Hugging Face's DeiTForImageClassification has the token alone).
    norm_eps: epsilon of the layer norms; None = by the origin of the weights.
    attention_scale_dim: the qk whose square root divides the attention's logits; None = the
    layer's own qk (NViT keeps that of the unpruned head).
    classes 0: there is no classifier, and the output is what it would read, (batch, embed).
    details: what a plain Vision Transformer has not; such a spec merges no tokens.
    merges: how many tokens each layer merges between attention and MLP (Bolya et al. 2023 (ToMe));
    empty = none, which becomes a 0 for each.

    Raises UserError for a value that is out of range.
    """

    family: ClassVar[str] = "vit"

    embed: int
    layers: tuple[ViTLayer, ...]
    patch: int = 16
    resolution: int = 224
    in_channels: int = 3
    classes: int = 1000
    distilled: bool = False
    distillation_head: bool | None = None
    norm_eps: float | None = None
    attention_scale_dim: int | None = None
    merges: tuple[int, ...] = ()
    details: ViTDetails = PLAIN

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole_number("embed", self.embed, 1, LARGEST_WIDTH)
        check_whole_number("resolution", self.resolution, 1, LARGEST_RESOLUTION)
        check_whole_number("patch", self.patch, 1, LARGEST_RESOLUTION)
        check_whole_number("in_channels", self.in_channels, 1, LARGEST_HEADS)
        check_whole_number("classes", self.classes, 0, LARGEST_CLASSES)
        check_flag("distilled", self.distilled)
        if self.distillation_head is None:
            object.__setattr__(self, "distillation_head", self.distilled)
        check_flag("distillation_head", self.distillation_head)
        if self.norm_eps is not None:
            check_fraction("norm_eps", self.norm_eps)
        if self.attention_scale_dim is not None:
            check_whole_number("attention_scale_dim", self.attention_scale_dim, 1, LARGEST_HEADS)
        self._check_layers()
        self._check_details()
        self._check_tokens()
        self._check_merges()

    def _check_layers(self) -> None:
        if not isinstance(self.layers, tuple | list) or not all(
            isinstance(layer, ViTLayer) for layer in self.layers
        ):
            raise UserError(f"layers={shown(self.layers)} must be a tuple of ViTLayer.")
        object.__setattr__(self, "layers", tuple(self.layers))
        check_whole_number("depth", len(self.layers), 1, LARGEST_DEPTH)

    def _check_details(self) -> None:
        if self.details is not PLAIN:
            details = ViTDetails.from_fields(self.details)
            object.__setattr__(self, "details", PLAIN if details == PLAIN else details)
        if self.details == PLAIN and self.classes:
            return
        if any(self.merges):
            raise UserError(
                "merges, but only a plain Vision Transformer with a classifier merges tokens; take "
                "`details` away, or merges."
            )
        plain_end = self.details.pool == "class" and self.details.final_norm == "tokens"
        if self.distilled and not (plain_end and self.details.class_token and self.classes):
            raise UserError(
                "distilled=True, but a model with a distillation token classifies by its tokens; "
                'take pool="class", final_norm="tokens" and 1 or more classes.'
            )

    def _check_tokens(self) -> None:
        if self.resolution % self.patch:
            raise UserError(
                f"resolution={self.resolution} is not a multiple of patch={self.patch}, so the "
                "patches would not cover the image; change one of them."
            )
        if self.tokens > LARGEST_DIM:
            raise UserError(
                f"resolution={self.resolution} and patch={self.patch} make {self.tokens} tokens, "
                f"more than {LARGEST_DIM}; use a larger patch."
            )
        if self.distillation_head and not self.distilled:
            raise UserError(
                "distillation_head=True needs the distillation token; set distilled=True as well."
            )

    def _check_merges(self) -> None:
        if not isinstance(self.merges, tuple | list):
            raise UserError(f"merges={shown(self.merges)} must be a list of whole numbers.")
        # Zeros of another number are none: a spec whose layers are replaced keeps its field.
        if any(self.merges) and len(self.merges) != len(self.layers):
            raise UserError(
                f"merges has {len(self.merges)} numbers for {len(self.layers)} layers; give one a "
                "layer, or none."
            )
        merges = tuple(self.merges) if any(self.merges) else (0,) * len(self.layers)
        object.__setattr__(self, "merges", merges)
        left = self.tokens
        for number, (layer, merged) in enumerate(zip(self.layers, self.merges, strict=True)):
            check_whole_number("merges", merged, 0, LARGEST_DIM)
            if merged and not layer.heads:
                raise UserError(
                    f"merges[{number}]={merged}, but that layer has no attention whose keys say "
                    "which tokens are alike; use 0."
                )
            if merged > (left - self.prefix) // 2:
                raise UserError(
                    f"merges[{number}]={merged} is more than half of the {left} tokens that layer "
                    f"{number} sees ({self.prefix} of them are never merged); use at most "
                    f"{(left - self.prefix) // 2}."
                )
            left -= merged

    @classmethod
    def uniform(
        cls,
        embed: int,
        depth: int,
        heads: int,
        mlp: int | None = None,
        *,
        qk: int | None = None,
        v: int | None = None,
        **others: Any,
    ) -> ViTSpec:
        """Return a ViTSpec of `depth` layers that are all alike; `others` are ViTSpec's fields.

        mlp is 4·embed and qk and v are embed/heads unless given. Raises UserError where heads
        does not divide embed, and for a value that is out of range.
        """
        check_whole_number("embed", embed, 1, LARGEST_WIDTH)
        check_whole_number("depth", depth, 1, LARGEST_DEPTH)
        check_whole_number("heads", heads, 0, LARGEST_HEADS)
        if mlp is None:
            mlp = 4 * embed
        if heads and (qk is None or v is None):
            if embed % heads:
                raise UserError(
                    f"heads={heads} does not divide embed={embed}, so qk and v of a head are "
                    "unclear; give both, or change one of the two."
                )
            qk = embed // heads if qk is None else qk
            v = embed // heads if v is None else v
        layer = ViTLayer(heads, 0 if qk is None else qk, 0 if v is None else v, mlp)
        return cls(embed=embed, layers=(layer,) * depth, **others)

    @classmethod
    def from_fields(cls, record: Mapping[str, Any]) -> ViTSpec:
        """Return the spec with these JSON fields: `layers`, or depth, heads, mlp, qk and v.

        Raises UserError naming the field that is unknown, missing or out of range.
        """
        names = [field.name for field in fields(cls)]
        check_known_fields(record, [*names, *_UNIFORM_FIELDS])
        short = [field for field in _UNIFORM_FIELDS if field in record]
        if "layers" not in record:
            check_required_fields(record, ["embed", "depth", "heads"])
            return cls.uniform(**record)
        if short:
            raise UserError(
                f"'layers' and '{short[0]}' are both given, but each describes the layers; "
                "remove one of the two."
            )
        check_required_fields(record, ["embed"])
        if not isinstance(record["layers"], list):
            raise UserError(f"layers={shown(record['layers'])} must be a list of objects.")
        layers = []
        for index, layer in enumerate(record["layers"]):
            try:
                layers.append(ViTLayer.from_fields(layer))
            except UserError as error:
                raise UserError(f"layers[{index}]: {error}") from None
        return cls(**{**record, "layers": tuple(layers)})

    def with_layers(self, count: int) -> ViTSpec:
        """Return the model with its first `count` layers only; UserError where it has fewer."""
        if count > len(self.layers):
            raise UserError(f"`layers` {count}: {self.name} has {len(self.layers)}.")
        return replace(self, layers=self.layers[:count], merges=self.merges[:count])

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.layers)

    @property
    def prefix(self) -> int:
        """Tokens in front of the patches: class token, distillation token and registers."""
        return self.details.prefix + self.distilled

    @property
    def tokens(self) -> int:
        """Length of the sequence, prefix included."""
        return (self.resolution // self.patch) ** 2 + self.prefix

    @property
    def classifier_heads(self) -> int:
        """Number of classification heads, 1 or 2."""
        return 2 if self.distillation_head else 1

    @property
    def params(self) -> int:
        """Number of weights."""
        of_blocks = sum(block.params for block in self.blocks())
        if self.details == PLAIN:
            return of_blocks
        return of_blocks + self.details.more_params(self.embed, self.prefix, self.layers)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values, `family` first; `details` where there are any."""
        record = super().to_dict()
        del record["details"]
        return record if self.details == PLAIN else {**record, "details": self.details.to_dict()}

    def patch_embed_block(self) -> Block:
        dims = {
            "embed": self.embed,
            "in_channels": self.in_channels,
            "resolution": self.resolution,
            "kernel": self.patch,
        }
        if not self.prefix:
            return Block.of("prefixless_patch_embed", **dims)
        return Block.of("patch_embed", **dims, prefix=self.prefix)

    def attention_block(
        self, layer: ViTLayer, tokens: int | None = None, sized: bool = False
    ) -> Block | None:
        """Return the attention half of `layer`, or None where it is absent.

        tokens: that it sees, all unless given; sized: some of them are of several patches.
        """
        if not layer.heads:
            return None
        return Block.of(
            "proportional_attention" if sized else self.details.attention_op,
            embed=self.embed,
            heads=layer.heads,
            qk=layer.qk,
            v=layer.v,
            tokens=tokens or self.tokens,
        )

    def merging_block(self, layer: ViTLayer, tokens: int, merged: int) -> Block | None:
        """Return the merging of so many of the tokens, or None where there is none."""
        if not merged:
            return None
        return Block.of(
            "bipartite_merging",
            embed=self.embed,
            heads=layer.heads,
            qk=layer.qk,
            tokens=tokens,
            merged=merged,
        )

    def mlp_block(self, layer: ViTLayer, tokens: int | None = None) -> Block | None:
        """Return the MLP half of `layer`, or None where it is absent."""
        if not layer.mlp:
            return None
        return Block.of(
            self.details.mlp_op, embed=self.embed, mlp=layer.mlp, tokens=tokens or self.tokens
        )

    def classifier_block(self) -> Block:
        """Return the last norm and the classifier, or the features where there are no classes."""
        op = self.details.end_op(self.classes)
        if op == "classifier":
            return Block.of(
                op,
                embed=self.embed,
                heads=self.classifier_heads,
                classes=self.classes,
                tokens=self.tokens - sum(self.merges),
            )
        classes = {"classes": self.classes} if self.classes else {}
        return Block.of(op, embed=self.embed, tokens=self.tokens, **classes)

    def blocks(self) -> list[Block]:
        """Return patch embedding, each layer's attention, merging and MLP, and classifier.

        What a layer has not is left out.
        """
        found: list[Block | None] = []
        tokens = self.tokens
        for layer, merged in zip(self.layers, self.merges, strict=True):
            found += [
                self.attention_block(layer, tokens, sized=tokens < self.tokens),
                self.merging_block(layer, tokens, merged),
                self.mlp_block(layer, tokens - merged),
            ]
            tokens -= merged
        present = [block for block in found if block is not None]
        return [self.patch_embed_block(), *present, self.classifier_block()]
