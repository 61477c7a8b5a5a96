"""The Swin Transformer as data, with the dims of each stage and layer of its own.

Liu et al. 2021, "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from ....errors import UserError
from ...block import LARGEST_DIM, Block, block_maker
from ...checks import (
    check_fraction,
    check_known_fields,
    check_required_fields,
    check_whole_number,
    shown,
)
from ...ops.codes import NO_YES, code
from ...spec import Spec
from ..vit.spec import LARGEST_DEPTH, LARGEST_HEADS, LARGEST_RESOLUTION, LARGEST_WIDTH, ViTLayer

LARGEST_STAGES = 12  # each halves the map, and 2^12 is the largest one
LARGEST_WINDOW = 256
_window_attention = block_maker(
    "window_attention", "embed", "heads", "qk", "v", "window", "resolution", "shift"
)
_mlp = block_maker("mlp", "embed", "mlp", "tokens")
_merging = block_maker("token_merging", "embed", "out_channels", "resolution")
_NOT_SHIFTED, _SHIFTED = (code(NO_YES, value, "shift") for value in NO_YES)
DEFAULT_NORM_EPS = 1e-5  # that of the official code, timm and transformers


@dataclass(frozen=True)
class SwinStage:
    """One stage: the width of its tokens, and its layers, whose windows are shifted in turn.

    The first layer's windows are not shifted, the second's are, and so on; a layer that has no
    attention counts too, so removing one half changes no other layer. Raises UserError for a dim
    that is out of range.
    """

    embed: int
    layers: tuple[ViTLayer, ...]

    def __post_init__(self) -> None:
        check_whole_number("embed", self.embed, 1, LARGEST_WIDTH)
        if not isinstance(self.layers, tuple | list) or not all(
            isinstance(layer, ViTLayer) for layer in self.layers
        ):
            raise UserError(f"layers={shown(self.layers)} must be a tuple of ViTLayer.")
        object.__setattr__(self, "layers", tuple(self.layers))
        check_whole_number("depth", len(self.layers), 1, LARGEST_DEPTH)

    @classmethod
    def from_fields(cls, record: Any) -> SwinStage:
        """Return the stage with these JSON fields; raises UserError naming the wrong one."""
        if not isinstance(record, dict):
            raise UserError(
                f'{shown(record)} must be an object like {{"embed": 96, "layers": [...]}}.'
            )
        names = [field.name for field in fields(cls)]
        check_known_fields(record, names)
        check_required_fields(record, names)
        if not isinstance(record["layers"], list):
            raise UserError(f"layers={shown(record['layers'])} must be a list of objects.")
        layers = []
        for index, layer in enumerate(record["layers"]):
            try:
                layers.append(ViTLayer.from_fields(layer))
            except UserError as error:
                raise UserError(f"layers[{index}]: {error}") from None
        return cls(record["embed"], tuple(layers))


# The fields that describe stages whose layers are all alike, in place of `stages`.
_UNIFORM_FIELDS = ("embed", "depths", "heads", "mlp_ratio")


@dataclass(frozen=True, kw_only=True)
class SwinSpec(Spec):
    """A Swin Transformer. Keyword arguments only.

    stages: each halves the side of the map of the one before; patch, resolution: pixels of a
    side; window: tokens of a window's side, where the map is no smaller (a window that covers the
    map is as large as the map, and not shifted); classes: outputs of the classification head, 0 for
    a backbone that has none, whose output is the last stage's tokens.
    norm_eps: epsilon of the layers' norms and the last one; that of the embedding and the mergings
    is 1e-5 everywhere. attention_scale_dim: the qk whose square root divides the attention's
    logits; None = the layer's own qk.

    Raises UserError for a value that is out of range, a patch that does not divide the resolution,
    a window that does not divide a map, and a map of odd side that is to be halved.
    """

    family: ClassVar[str] = "swin"

    stages: tuple[SwinStage, ...]
    patch: int = 4
    window: int = 7
    resolution: int = 224
    in_channels: int = 3
    classes: int = 1000
    norm_eps: float = DEFAULT_NORM_EPS
    attention_scale_dim: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.stages, tuple | list) or not all(
            isinstance(stage, SwinStage) for stage in self.stages
        ):
            raise UserError(f"stages={shown(self.stages)} must be a tuple of SwinStage.")
        object.__setattr__(self, "stages", tuple(self.stages))
        check_whole_number("the number of stages", len(self.stages), 1, LARGEST_STAGES)
        check_whole_number("patch", self.patch, 1, LARGEST_RESOLUTION)
        check_whole_number("window", self.window, 1, LARGEST_WINDOW)
        check_whole_number("resolution", self.resolution, 1, LARGEST_RESOLUTION)
        check_whole_number("in_channels", self.in_channels, 1, LARGEST_HEADS)
        check_whole_number("classes", self.classes, 0, LARGEST_WIDTH)
        check_fraction("norm_eps", self.norm_eps)
        if self.attention_scale_dim is not None:
            check_whole_number("attention_scale_dim", self.attention_scale_dim, 1, LARGEST_HEADS)
        self._check_maps()

    def _check_maps(self) -> None:
        if self.resolution % self.patch:
            raise UserError(
                f"resolution={self.resolution} is not a multiple of patch={self.patch}, so the "
                "patches would not cover the image; change one of them."
            )
        side = self.resolution // self.patch
        if side**2 > LARGEST_DIM:
            raise UserError(
                f"resolution={self.resolution} and patch={self.patch} make {side**2} tokens, "
                f"more than {LARGEST_DIM}; use a larger patch."
            )
        for stage in range(len(self.stages)):
            if stage and side % 2:
                raise UserError(
                    f"stages[{stage}] would halve a map of {side}x{side} tokens, whose side is "
                    f"odd; change resolution={self.resolution} or take fewer stages."
                )
            side = side // 2 if stage else side
            if side > self.window and side % self.window:
                raise UserError(
                    f"window={self.window} does not divide the map of {side}x{side} tokens of "
                    f"stages[{stage}]; change it or resolution={self.resolution}."
                )

    @classmethod
    def uniform(
        cls,
        embed: int,
        depths: Sequence[int],
        heads: Sequence[int],
        mlp_ratio: int = 4,
        **others: Any,
    ) -> SwinSpec:
        """Return a SwinSpec whose stage i has depths[i] equal layers of heads[i] heads.

        Its tokens have the width embed·2^i, its heads qk = v = embed·2^i / heads[i], and its MLP
        mlp_ratio times that width; `others` are SwinSpec's fields. Raises UserError where heads do
        not divide the width, and for a value that is out of range.
        """
        check_whole_number("embed", embed, 1, LARGEST_WIDTH)
        check_whole_number("mlp_ratio", mlp_ratio, 1, 64)
        for field, values in (("depths", depths), ("heads", heads)):
            if not isinstance(values, list | tuple) or not 1 <= len(values) <= LARGEST_STAGES:
                raise UserError(
                    f"{field}={shown(values)} must be a list of 1 to {LARGEST_STAGES} whole "
                    "numbers, one a stage."
                )
        if len(depths) != len(heads):
            raise UserError(
                f"depths={shown(depths)} and heads={shown(heads)} must have as many numbers as "
                "each other, one a stage; change one of them."
            )
        stages = []
        for stage, (depth, count) in enumerate(zip(depths, heads, strict=True)):
            check_whole_number(f"depths[{stage}]", depth, 1, LARGEST_DEPTH)
            check_whole_number(f"heads[{stage}]", count, 1, LARGEST_HEADS)
            width = embed * 2**stage
            if width % count:
                raise UserError(
                    f"heads[{stage}]={count} does not divide the width {width} of that stage, so "
                    "qk and v of a head are unclear; give `stages`, or change heads or embed."
                )
            layer = ViTLayer(count, width // count, width // count, mlp_ratio * width)
            stages.append(SwinStage(width, (layer,) * depth))
        return cls(stages=tuple(stages), **others)

    @classmethod
    def from_fields(cls, record: Mapping[str, Any]) -> SwinSpec:
        """Return the spec with these JSON fields: `stages`, or embed, depths, heads, mlp_ratio.

        Raises UserError naming the field that is unknown, missing or out of range.
        """
        names = [field.name for field in fields(cls)]
        check_known_fields(record, [*names, *_UNIFORM_FIELDS])
        short = [field for field in _UNIFORM_FIELDS if field in record]
        if "stages" not in record:
            check_required_fields(record, _UNIFORM_FIELDS[:3] if short else ["stages"])
            return cls.uniform(**record)
        if short:
            raise UserError(
                f"'stages' and '{short[0]}' are both given, but each describes the stages; "
                "remove one of the two."
            )
        if not isinstance(record["stages"], list):
            raise UserError(f"stages={shown(record['stages'])} must be a list of objects.")
        stages = []
        for index, stage in enumerate(record["stages"]):
            try:
                stages.append(SwinStage.from_fields(stage))
            except UserError as error:
                raise UserError(f"stages[{index}]: {error}") from None
        return cls(**{**record, "stages": tuple(stages)})

    def side(self, stage: int) -> int:
        """Return the side of the map in `stage`, in tokens."""
        return self.resolution // self.patch // 2**stage

    def embed_block(self) -> Block:
        return Block.of(
            "swin_embed",
            embed=self.stages[0].embed,
            in_channels=self.in_channels,
            resolution=self.resolution,
            kernel=self.patch,
        )

    def merging_block(self, stage: int) -> Block | None:
        """Return what stands in front of `stage`'s layers, None for the first stage."""
        if stage == 0:
            return None
        before = self.stages[stage - 1].embed
        return _merging(before, self.stages[stage].embed, self.side(stage - 1))

    def attention_block(self, stage: int, layer: int) -> Block | None:
        """Return the attention half of a layer, or None where it is absent."""
        of_stage, side = self.stages[stage], self.side(stage)
        dims = of_stage.layers[layer]
        if not dims.heads:
            return None
        window = min(self.window, side)
        shift = _SHIFTED if layer % 2 == 1 and 1 < self.window < side else _NOT_SHIFTED
        return _window_attention(of_stage.embed, dims.heads, dims.qk, dims.v, window, side, shift)

    def mlp_block(self, stage: int, layer: int) -> Block | None:
        """Return the MLP half of a layer, or None where it is absent."""
        of_stage = self.stages[stage]
        mlp = of_stage.layers[layer].mlp
        return _mlp(of_stage.embed, mlp, self.side(stage) ** 2) if mlp else None

    def classifier_block(self) -> Block | None:
        """Return the classification head, or None where there is none."""
        if not self.classes:
            return None
        return Block.of(
            "pooled_tokens_classifier",
            embed=self.stages[-1].embed,
            tokens=self.side(len(self.stages) - 1) ** 2,
            classes=self.classes,
        )

    def blocks(self) -> list[Block]:
        """Return embedding, each stage's merging and halves, and classifier, where present."""
        blocks: list[Block | None] = [self.embed_block()]
        for stage, dims in enumerate(self.stages):
            blocks.append(self.merging_block(stage))
            for layer in range(len(dims.layers)):
                blocks += [self.attention_block(stage, layer), self.mlp_block(stage, layer)]
        blocks.append(self.classifier_block())
        return [block for block in blocks if block is not None]
