"""AutoViT's three search spaces, and the modules of its latency table, as data.

Kong et al. 2025, table 1 and section 3.5. Torch-free.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ...block import Block
from ...ops.codes import ACTIVATIONS, code
from .known import HEAD_WIDTH, autovit_of_table
from .spec import AutoViTSpec


@dataclass(frozen=True)
class MBConvChoices:
    """What one MBConv stage may be: table 1's columns."""

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    expansions: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class TransformerChoices:
    """What one transformer stage may be: table 1's columns; `ratios` are of the MLP."""

    widths: tuple[int, ...]
    heads: tuple[int, ...]
    depths: tuple[int, ...] = (2, 3, 4, 5)
    ratios: tuple[float, ...] = (1.5, 2.0)


@dataclass(frozen=True)
class AutoViTSearchSpace:
    """One of the paper's three supernets.

    mbconvs, transformers: the choices of each stage; stages: how many transformer stages, the
    first ones, a model may have; params: the paper's range of parameters, which is a condition on
    a candidate, not the range of what the choices give.
    """

    name: str
    stem_widths: tuple[int, ...]
    mbconvs: tuple[MBConvChoices, ...]
    transformers: tuple[TransformerChoices, ...]
    pool_widths: tuple[int, ...]
    params: tuple[int, int]
    stages: tuple[int, ...] = (3, 4)

    @property
    def size(self) -> int:
        """How many models there are, all layers of a stage being alike."""
        common = len(self.stem_widths) * len(self.pool_widths)
        for mbconv in self.mbconvs:
            common *= len(mbconv.widths) * len(mbconv.depths) * len(mbconv.expansions)
        each = [
            len(stage.widths) * len(stage.depths) * len(stage.heads) * len(stage.ratios)
            for stage in self.transformers
        ]
        return sum(common * prod(each[:count]) for count in self.stages)

    def smallest(self) -> AutoViTSpec:
        """Return the model with the least of everything."""
        return self._extreme(0)

    def largest(self) -> AutoViTSpec:
        """Return the model with the most of everything: the supernet."""
        return self._extreme(-1)

    def _extreme(self, end: int) -> AutoViTSpec:
        return autovit_of_table(
            f"{self.name}-{'largest' if end else 'smallest'}",
            tuple((c.widths[end], c.depths[end], c.expansions[end]) for c in self.mbconvs),
            tuple(
                (c.widths[end], c.depths[end], c.heads[end], c.ratios[end])
                for c in self.transformers[: self.stages[end]]
            ),
            self.pool_widths[end],
            stem_width=self.stem_widths[end],
        )


def _space(
    name: str,
    mbconv_widths: tuple[tuple[int, int], ...],
    widths: tuple[tuple[int, int], ...],
    heads: tuple[int, ...],
    pool_widths: tuple[int, int],
    params: tuple[int, int],
) -> AutoViTSearchSpace:
    depths = ((1, 2), (2, 3), (2, 3))
    return AutoViTSearchSpace(
        name,
        (16, 24),
        tuple(MBConvChoices(w, d) for w, d in zip(mbconv_widths, depths, strict=True)),
        tuple(TransformerChoices(w, heads) for w in widths),
        pool_widths,
        params,
    )


SEARCH_SPACES: dict[str, AutoViTSearchSpace] = {
    space.name: space
    for space in (
        _space(
            "xxs",
            ((16, 24), (24, 32), (32, 48)),
            ((48, 64), (64, 80), (80, 96), (96, 112)),
            (2, 3, 4),
            (1000, 1280),
            (1_000_000, 1_800_000),
        ),
        _space(
            "xs",
            ((24, 32), (32, 48), (48, 64)),
            ((64, 80), (80, 96), (96, 112), (112, 128)),
            (4, 5, 6),
            (1000, 1280),
            (1_600_000, 2_600_000),
        ),
        _space(
            "s",
            ((24, 32), (32, 48), (48, 64)),
            ((64, 96), (96, 128), (128, 160), (160, 192)),
            (7, 8, 9),
            (1280, 1560),
            (4_000_000, 7_200_000),
        ),
    )
}

# Section 3.5: the dims of the latency table's modules. It gives no resolutions: these are the sides
# of the maps on which a model of Supernet XXS at 256² may first have that width.
_STEM_WIDTHS = (16, 24)
_MBCONVS = {16: 128, 24: 128, 32: 64, 48: 64}
_TRANSFORMERS = {48: 32, 64: 32, 80: 16, 96: 8, 112: 4}
_HEADS = (2, 3, 4, 5)
_RATIOS = (1.5, 2.0)


def latency_table_modules() -> list[Block]:
    """Return the 46 modules of the paper's latency table: 2 conv, 4 mbconv, 5·4·2 mobilevit.

    A transformer module is one layer within its convolutions on 32 channels (the least of the last
    MBConv stage), an MBConv keeps its width and expands by 1. Section 3.5.
    """
    common = {"kernel": 3, "activation": code(ACTIVATIONS, "silu", "activation")}
    stems = [
        Block.of("conv", in_channels=3, out_channels=width, stride=2, resolution=256, **common)
        for width in _STEM_WIDTHS
    ]
    mbconvs = [
        Block.of(
            "mbconv",
            in_channels=width,
            out_channels=width,
            expansion=1,
            stride=1,
            resolution=side,
            **common,
        )
        for width, side in _MBCONVS.items()
    ]
    transformers = [
        Block.of(
            "mobilevit",
            in_channels=32,
            embed=width,
            heads=heads,
            qk=HEAD_WIDTH,
            v=HEAD_WIDTH,
            mlp=round(ratio * width),
            depth=1,
            patch=2,
            resolution=side,
            **common,
        )
        for width, side in _TRANSFORMERS.items()
        for heads in _HEADS
        for ratio in _RATIOS
    ]
    return [*stems, *mbconvs, *transformers]
