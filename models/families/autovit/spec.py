"""AutoViT as data: convolutions, MBConv stages, transformer stages and MBPool, each of any dims.

Kong et al. 2025, "AutoViT: Achieving Real-Time Vision Transformers on Mobile via Latency-aware
Coarse-to-Fine Search", section 3.2, tables 1 and 5. What the paper leaves open: docs/autovit.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar, TypeVar

from ....errors import UserError
from ...block import Block, block_maker
from ...checks import check_known_fields, check_required_fields, check_whole_number, shown
from ...ops.codes import ACTIVATIONS, code
from ...spec import Spec
from ..vit.spec import LARGEST_DEPTH, LARGEST_HEADS, LARGEST_RESOLUTION, LARGEST_WIDTH
from .stages import MBConvStage, TransformerStage, check_kernel

STEM_STRIDE = 2
LARGEST_EXPANSION = 64
_mbconv_block = block_maker(
    "mbconv",
    *("in_channels", "out_channels", "expansion", "kernel", "stride", "resolution", "activation"),
)

_Stage = TypeVar("_Stage", MBConvStage, TransformerStage)


@dataclass(frozen=True, kw_only=True)
class AutoViTSpec(Spec):
    """An AutoViT. Keyword arguments only.

    stem_width, stem_kernel: the first convolution, of stride 2; mbconvs, transformers: the stages
    in the order they run; pool_width: channels after MBPool, pool_expansion: how many times more
    channels than the last map its inner layer has; patch: side of the patches a map is unfolded
    into; resolution: side of the image in pixels; activation: one of `ops.codes.ACTIVATIONS`,
    after every convolution but an MBConv's last, and in MLP and MBPool.

    Raises UserError for a value that is out of range, a stride or patch that does not divide its
    map, and a kernel larger than its map.
    """

    family: ClassVar[str] = "autovit"

    mbconvs: tuple[MBConvStage, ...]
    transformers: tuple[TransformerStage, ...]
    pool_width: int
    pool_expansion: int = 6
    stem_width: int = 16
    stem_kernel: int = 3
    patch: int = 2
    resolution: int = 256
    in_channels: int = 3
    classes: int = 1000
    activation: str = "silu"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_stages("mbconvs", MBConvStage)
        self._check_stages("transformers", TransformerStage)
        check_whole_number("pool_width", self.pool_width, 1, LARGEST_WIDTH)
        check_whole_number("pool_expansion", self.pool_expansion, 1, LARGEST_EXPANSION)
        check_whole_number("stem_width", self.stem_width, 1, LARGEST_WIDTH)
        check_kernel("stem_kernel", self.stem_kernel)
        check_whole_number("patch", self.patch, 1, LARGEST_RESOLUTION)
        check_whole_number("resolution", self.resolution, 1, LARGEST_RESOLUTION)
        check_whole_number("in_channels", self.in_channels, 1, LARGEST_HEADS)
        check_whole_number("classes", self.classes, 1, LARGEST_WIDTH)
        code(ACTIVATIONS, self.activation, "activation")
        self._check_maps()

    def _check_stages(self, name: str, stage: type) -> None:
        stages = getattr(self, name)
        if not isinstance(stages, tuple | list) or not all(isinstance(s, stage) for s in stages):
            raise UserError(f"{name}={shown(stages)} must be a tuple of {stage.__name__}.")
        object.__setattr__(self, name, tuple(stages))
        check_whole_number(f"the number of {name}", len(stages), 1, LARGEST_DEPTH)

    def _check_maps(self) -> None:
        """Refuse a stride or patch that does not divide its map, and a kernel that exceeds it."""
        side = self.resolution
        for name, stride, kernel, patch in self._steps():
            if side % stride:
                raise UserError(
                    f"{name}: stride={stride} does not divide its map of {side}×{side}; use a "
                    f"resolution that is a multiple of all strides, unlike {self.resolution}."
                )
            # The 3×3 convolutions of MobileViT's block come after the stride.
            smallest = side // stride if patch else side
            if kernel > smallest:
                raise UserError(
                    f"{name}: kernel={kernel} is larger than its map of {smallest}×{smallest}; "
                    "take a smaller kernel, fewer strides or a larger resolution."
                )
            side //= stride
            if patch and side % patch:
                raise UserError(
                    f"{name}: patch={patch} does not divide its map of {side}×{side}; use another "
                    f"patch, fewer strides or another resolution than {self.resolution}."
                )

    def _steps(self) -> Iterator[tuple[str, int, int, int]]:
        """Yield name, stride, kernel and patch (0 where nothing is unfolded) of each stage."""
        yield "the stem", STEM_STRIDE, self.stem_kernel, 0
        for index, conv in enumerate(self.mbconvs):
            yield f"mbconvs[{index}]", conv.stride, conv.kernel, 0
        for index, stage in enumerate(self.transformers):
            yield f"transformers[{index}]", stage.stride, stage.kernel, self.patch

    @classmethod
    def from_fields(cls, record: Mapping[str, Any]) -> AutoViTSpec:
        """Return the spec with these JSON fields; raises UserError naming the wrong one."""
        check_known_fields(record, [field.name for field in fields(cls)])
        check_required_fields(record, [f.name for f in fields(cls) if f.default is MISSING])
        given = dict(record)
        given["mbconvs"] = _stages(given, "mbconvs", MBConvStage)
        given["transformers"] = _stages(given, "transformers", TransformerStage)
        return cls(**given)

    def blocks(self) -> list[Block]:
        """Return stem, each MBConv, each transformer stage's MBConv and hybrid, MBPool, classifier.

        A transformer stage is one block of op `mobilevit`, whose depth is a dim: its input stands
        beside its layers' output until the end, so there is no cut inside it.
        """
        activation = code(ACTIVATIONS, self.activation, "activation")
        common = {"activation": activation}
        blocks = [
            Block.of(
                "conv",
                in_channels=self.in_channels,
                out_channels=self.stem_width,
                kernel=self.stem_kernel,
                stride=STEM_STRIDE,
                resolution=self.resolution,
                **common,
            )
        ]
        for conv in self.mbconvs:
            for index in range(conv.depth):
                blocks.append(_mbconv(blocks[-1], conv, index, activation))
        for stage in self.transformers:
            blocks.append(_mbconv(blocks[-1], stage.entry, 0, activation))
            channels, side = _map_after(blocks[-1])
            dims = {"kernel": stage.kernel, "patch": self.patch, "resolution": side}
            blocks.append(
                Block.of("mobilevit", in_channels=channels, **stage.layer_dims, **dims, **common)
            )
        channels, side = _map_after(blocks[-1])
        pool = Block.of(
            "mbpool",
            in_channels=channels,
            mlp=self.pool_expansion * channels,
            out_channels=self.pool_width,
            resolution=side,
            **common,
        )
        classifier = Block.of("linear_classifier", embed=self.pool_width, classes=self.classes)
        return [*blocks, pool, classifier]


def _mbconv(before: Block, stage: MBConvStage, index: int, activation: int) -> Block:
    """Return the MBConv that follows the block `before`, number `index` of its stage."""
    channels, side = _map_after(before)
    stride = stage.stride if index == 0 else 1
    dims = (channels, stage.width, stage.expansion, stage.kernel, stride, side)
    return _mbconv_block(*dims, activation)


@lru_cache(maxsize=4096)
def _map_after(block: Block) -> tuple[int, int]:
    """Return channels and side of a block's output map."""
    channels, side, _ = block.output_shape
    return channels, side


def _stages(record: Mapping[str, Any], name: str, stage: type[_Stage]) -> tuple[_Stage, ...]:
    records = record[name]
    if not isinstance(records, list):
        raise UserError(f"{name}={shown(records)} must be a list of objects.")
    stages = []
    for index, entry in enumerate(records):
        try:
            stages.append(stage.from_fields(entry))
        except UserError as error:
            raise UserError(f"{name}[{index}]: {error}") from None
    return tuple(stages)
