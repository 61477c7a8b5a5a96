"""EfficientViT as data (Liu et al. 2023): each choice of its Table 6 and Fig. 7 is a field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import Any, ClassVar

from ....errors import UserError
from ...block import LARGEST_DIM, Block, block_maker
from ...checks import (
    check_flag,
    check_kernel,
    check_known_fields,
    check_required_fields,
    check_whole_number,
    shown,
)
from ...ops.codes import ACTIVATIONS, NO_YES, NORMS, code
from ...spec import Spec
from .ops import ATTENTIONS, LARGEST_KERNEL, kernels_code, kernels_of, merged
from .stage import LARGEST_DEPTH, LARGEST_HEADS, LARGEST_WIDTH, EfficientViTStage

LARGEST_RESOLUTION = 4_096
LARGEST_STAGES = 8
LARGEST_RATIO = 16
# The side of an image over that of the first stage's map, and what the stem's first width divides.
STEM_STRIDE = 16
STEM_NARROWING = 8
_TOKEN_INTERACTION_KERNEL = 3
_ffn = block_maker("ffn", "embed", "mlp", "resolution", "activation", "norm")
_dwconv = block_maker("dwconv", "embed", "resolution", "kernel", "norm")
_cga = block_maker(
    "cga",
    *("embed", "heads", "qk", "v", "resolution", "window", "kernels"),
    *("attention", "cascade", "activation", "norm"),
)
_patch_merging = block_maker(
    "patch_merging", "in_channels", "out_channels", "resolution", "activation", "norm"
)


@dataclass(frozen=True, kw_only=True)
class EfficientViTSpec(Spec):
    """An EfficientViT. Keyword arguments only.

    stages: each has half the resolution of the one before it. A layer is `ffns_before` FFNs, one
    attention, `ffns_after` FFNs (the paper's N; a Swin layer has 0 and 1), each FFN after a
    depthwise 3x3 convolution where `dwconv` is true (the token interaction; also around the
    merging of patches).

    attention: "cga" (each head sees its split of the channels) or "mhsa" (each head sees all).
    cascade: a head's output is added to the next head's input; None = yes for cga, and mhsa has
    none. Where v is not embed/heads the output's first channels are added, as many as both have.
    qk: width of a query and key of a head, one number for all stages or a tuple with one for each.
    v_ratio: width of a head's value over embed/heads. ffn_ratio: an FFN's hidden width over embed.
    Both products are rounded to whole channels.
    window: side of the windows of attention, at most that of the map; a map that windows do not
    cover is padded with zeros. kernels: of the depthwise convolution on the queries of each head,
    odd, the last one for all heads that are left; 1 is none.
    norm: "batch" or "layer" (over the channels). activation: "relu", "hardswish", "gelu", "silu".
    resolution: pixels of a side, a multiple of 16. classes: outputs of the classifier.

    Raises UserError for a value that is out of range.
    """

    family: ClassVar[str] = "efficientvit"

    stages: tuple[EfficientViTStage, ...]
    ffns_before: int = 1
    ffns_after: int = 1
    attention: str = "cga"
    cascade: bool | None = None
    qk: int | tuple[int, ...] = 16
    v_ratio: float = 1.0
    ffn_ratio: float = 2.0
    dwconv: bool = True
    window: int = 7
    kernels: tuple[int, ...] = (5,)
    norm: str = "batch"
    activation: str = "relu"
    resolution: int = 224
    in_channels: int = 3
    classes: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole_number("ffns_before", self.ffns_before, 0, LARGEST_DEPTH)
        check_whole_number("ffns_after", self.ffns_after, 0, LARGEST_DEPTH)
        code(ATTENTIONS, self.attention, "attention")
        code(NORMS, self.norm, "norm")
        code(ACTIVATIONS, self.activation, "activation")
        self._check_cascade()
        for ratio in ("v_ratio", "ffn_ratio"):
            object.__setattr__(self, ratio, _ratio(ratio, getattr(self, ratio)))
        check_flag("dwconv", self.dwconv)
        check_whole_number("window", self.window, 1, LARGEST_RESOLUTION)
        check_whole_number("resolution", self.resolution, STEM_STRIDE, LARGEST_RESOLUTION)
        check_whole_number("in_channels", self.in_channels, 1, LARGEST_HEADS)
        check_whole_number("classes", self.classes, 1, LARGEST_WIDTH)
        self._check_stages()
        self._check_qk()
        self._check_sides()
        self._check_kernels()

    def _check_cascade(self) -> None:
        if self.cascade is None:
            object.__setattr__(self, "cascade", self.attention == "cga")
        check_flag("cascade", self.cascade)
        if self.cascade and self.attention == "mhsa":
            raise UserError(
                "cascade=True needs heads that see different channels, and with attention='mhsa' "
                "each sees all; set cascade to false or attention to 'cga'."
            )

    def _check_stages(self) -> None:
        if not isinstance(self.stages, tuple | list) or not all(
            isinstance(stage, EfficientViTStage) for stage in self.stages
        ):
            raise UserError(f"stages={shown(self.stages)} must be a tuple of EfficientViTStage.")
        object.__setattr__(self, "stages", tuple(self.stages))
        check_whole_number("the number of stages", len(self.stages), 1, LARGEST_STAGES)
        first = self.stages[0].embed
        if first % STEM_NARROWING:
            raise UserError(
                f"embed={first} of the first stage is not a multiple of {STEM_NARROWING}, which "
                "the stem's first convolution divides it by; change it."
            )

    def _check_qk(self) -> None:
        if not isinstance(self.qk, tuple | list):
            check_whole_number("qk", self.qk, 1, LARGEST_HEADS)
            return
        if len(self.qk) != len(self.stages):
            raise UserError(
                f"qk={shown(list(self.qk))} has {len(self.qk)} numbers for {len(self.stages)} "
                "stages; give one for each stage, or one number for all."
            )
        for qk in self.qk:
            check_whole_number("qk", qk, 1, LARGEST_HEADS)
        same = len(set(self.qk)) == 1
        object.__setattr__(self, "qk", self.qk[0] if same else tuple(self.qk))

    def _check_sides(self) -> None:
        if self.resolution % STEM_STRIDE:
            raise UserError(
                f"resolution={self.resolution} is not a multiple of {STEM_STRIDE}, the stride of "
                "the stem; change it."
            )
        if self.sides[-1] < 2:
            raise UserError(
                f"resolution={self.resolution} leaves a map of one token for stage "
                f"{len(self.stages)}, too small for its convolutions; use a larger resolution or "
                "fewer stages."
            )

    def _check_kernels(self) -> None:
        if not isinstance(self.kernels, tuple | list) or not self.kernels:
            raise UserError(f"kernels={shown(self.kernels)} must be a tuple of whole numbers.")
        object.__setattr__(self, "kernels", tuple(self.kernels))
        for kernel in self.kernels:
            check_whole_number("kernels", kernel, 1, LARGEST_KERNEL)
        for stage, side in zip(self.stages, self.sides, strict=True):
            kernels = self._kernels_of(stage)
            if kernels > LARGEST_DIM:
                raise UserError(
                    f"kernels={shown(self.kernels)} differ in too many heads (a block names six); "
                    "give fewer, and the last one is used for the other heads."
                )
            for kernel in kernels_of(kernels, stage.heads):
                check_kernel("kernels", kernel, min(side, self.window))

    @classmethod
    def from_fields(cls, record: Mapping[str, Any]) -> EfficientViTSpec:
        """Return the spec with these JSON fields; raises UserError naming the wrong one."""
        check_known_fields(record, [field.name for field in fields(cls)])
        check_required_fields(record, ["stages"])
        if not isinstance(record["stages"], list):
            raise UserError(f"stages={shown(record['stages'])} must be a list of objects.")
        stages = []
        for index, stage in enumerate(record["stages"]):
            try:
                stages.append(EfficientViTStage.from_fields(stage))
            except UserError as error:
                raise UserError(f"stages[{index}]: {error}") from None
        return cls(**{**record, "stages": tuple(stages)})

    @property
    def sides(self) -> list[int]:
        """Side of each stage's map in tokens: a sixteenth of the image, then halves rounded up."""
        sides = [self.resolution // STEM_STRIDE]
        for _ in self.stages[1:]:
            sides.append(merged(sides[-1]))
        return sides

    def v(self, stage: EfficientViTStage) -> int:
        """Return the width of a head's value."""
        return max(1, round(self.v_ratio * stage.embed / stage.heads))

    @property
    def qks(self) -> tuple[int, ...]:
        """Width of a query and key of a head, for each stage."""
        return self.qk if isinstance(self.qk, tuple) else (self.qk,) * len(self.stages)

    def mlp(self, embed: int) -> int:
        """Return the hidden width of an FFN."""
        return max(1, round(self.ffn_ratio * embed))

    def _kernels_of(self, stage: EfficientViTStage) -> int:
        return _kernels_code(self.kernels, stage.heads)

    @cached_property
    def _norm(self) -> int:
        return code(NORMS, self.norm, "norm")

    @cached_property
    def _activation(self) -> int:
        return code(ACTIVATIONS, self.activation, "activation")

    def stem_block(self) -> Block:
        """Return the overlapping patch embedding."""
        return Block.of(
            "conv_stem",
            embed=self.stages[0].embed,
            in_channels=self.in_channels,
            resolution=self.resolution,
            activation=self._activation,
            norm=self._norm,
        )

    def ffn_blocks(self, embed: int, side: int) -> list[Block]:
        """Return the token interaction where there is one, and an FFN."""
        ffn = _ffn(embed, self.mlp(embed), side, self._activation, self._norm)
        if not self.dwconv:
            return [ffn]
        return [_dwconv(embed, side, _TOKEN_INTERACTION_KERNEL, self._norm), ffn]

    def attention_block(self, stage: EfficientViTStage, side: int, qk: int) -> Block:
        """Return the attention of one layer of `stage`, with queries and keys `qk` wide."""
        return _cga(
            stage.embed,
            stage.heads,
            qk,
            self.v(stage),
            side,
            min(self.window, side),
            self._kernels_of(stage),
            code(ATTENTIONS, self.attention, "attention"),
            code(NO_YES, "yes" if self.cascade else "no", "cascade"),
            self._activation,
            self._norm,
        )

    def merging_block(self, embed: int, next_embed: int, side: int) -> Block:
        """Return the step to the next stage's width and half the resolution."""
        return _patch_merging(embed, next_embed, side, self._activation, self._norm)

    def classifier_block(self) -> Block:
        """Return the mean over the map, the norm and the classifier."""
        return Block.of(
            "pooled_classifier",
            embed=self.stages[-1].embed,
            resolution=self.sides[-1],
            classes=self.classes,
            norm=self._norm,
        )

    def blocks(self) -> list[Block]:
        """Return stem, layers, and between two stages FFN, merging and FFN; then classifier."""
        blocks = [self.stem_block()]
        before: tuple[int, int] | None = None
        for stage, side, qk in zip(self.stages, self.sides, self.qks, strict=True):
            ffn = self.ffn_blocks(stage.embed, side)
            if before is not None:
                blocks += self.ffn_blocks(*before)
                blocks.append(self.merging_block(before[0], stage.embed, before[1]))
                blocks += ffn
            attention = self.attention_block(stage, side, qk)
            layer = [*ffn * self.ffns_before, attention, *ffn * self.ffns_after]
            blocks += layer * stage.depth
            before = (stage.embed, side)
        return [*blocks, self.classifier_block()]


@lru_cache(maxsize=4096)
def _kernels_code(kernels: tuple[int, ...], heads: int) -> int:
    return kernels_code(kernels[:heads])


def _ratio(field: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value <= LARGEST_RATIO:
        raise UserError(
            f"{field}={shown(value)} must be a number above 0 and at most {LARGEST_RATIO}."
        )
    return float(value)
