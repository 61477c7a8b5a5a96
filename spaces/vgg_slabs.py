"""The VGG space: which channels a table of VGGs with batch norms covers."""

from __future__ import annotations

import random
from typing import Any

from ..errors import UserError
from ..models import Spec
from ..models.families.vgg.spec import VggSpec
from .measuring_space import Slab, fractions, width_in
from .staged_slabs import StagedSpace, intersection

RESOLUTION, CLASSES = 224, 1000
# Simonyan & Zisserman 2015, table 1: the widths of all its VGGs, whose stages differ in length.
WIDTHS = (64, 128, 256, 512, 512)
# The side of the last pooled map and the dense layers there: those of ImageNet's VGGs where the map
# has a multiple of it, else those of CIFAR's.
POOLED, HIDDEN, HIDDEN_OF_SMALL = 7, (4096, 4096), (512,)
# The shares of a full width that are levels too. The work of a convolution is a product of its
# channels, so it lies on what is interpolated; but the deepest layers lose the most channels.
PARTS = (1 / 8, 1 / 2)
# Runtimes pad channels to 16, so random models have such widths, and so do pruned ones by default.
CHANNEL_STEP = 16
# Convolutions of a stage, at most: those of VGG-19.
DEEPEST = 4


class VggSpace(StagedSpace):
    """Slabs of convolutions at every map, with and without pooling, and of the dense layers."""

    name = "vgg"
    whole_models_up_to = 1.0
    ops = ("conv_norm_relu", "average_pool", "dense_relu", "dense_classifier")
    widths = frozenset({"in_channels", "out_channels"})

    @classmethod
    def default_slabs(cls, resolution: int | None, classes: int | None) -> list[Slab]:
        side = resolution or RESOLUTION
        if side % 2 ** len(WIDTHS):
            raise UserError(
                f"--resolution {side} cannot be halved {len(WIDTHS)} times, as a VGG does; take a "
                f"multiple of {2 ** len(WIDTHS)}."
            )
        pooled = POOLED if (side >> len(WIDTHS)) % POOLED == 0 else 1
        frame: Any = {
            "hidden": HIDDEN if pooled == POOLED else HIDDEN_OF_SMALL,
            "pooled": pooled,
            "resolution": side,
            "classes": classes or CLASSES,
        }
        # A stage of one convolution pools at once, one of three has each pair of widths.
        found: dict[object, Slab] = {}
        for depth in (1, 3):
            spec = VggSpec(stages=tuple((width,) * depth for width in WIDTHS), **frame)
            for slab in cls.covering(spec).slabs:
                _join(found, slab)
        return list(found.values())

    @classmethod
    def covering(cls, spec: Spec) -> VggSpace:
        """As `StagedSpace.covering`, down to an eighth of every convolution's channels."""
        if not isinstance(spec, VggSpec):
            raise UserError(
                f"{spec.name} is of the family '{spec.family}', not vgg; leave --space away."
            )
        found: dict[object, Slab] = {}
        for place, block in enumerate(spec.blocks()):
            levels: dict[str, tuple[int, ...]] = {}
            for axis in sorted(cls.widths & block.as_dict().keys()):
                width = block[axis]
                if axis == "in_channels" and place == 0:
                    levels[axis] = (width,)  # the image's
                elif block.op == "dense_relu" and axis == "out_channels":
                    levels[axis] = fractions([width], (1 / 2,))
                else:
                    levels[axis] = fractions([width], PARTS)
            frame = {axis: dim for axis, dim in block.dims if axis not in cls.widths}
            _join(found, Slab(block.op, frame, levels))
        return cls(tuple(found.values()))

    def draw(self, rng: random.Random, name: str) -> Spec | None:
        """Return a random VGG: convolutions, channels and dense layers of its own.

        Widths of all convolutions lie around one share of their ranges, so that models differ.
        """
        side = max(slab.frame["resolution"] for slab in self.find("conv_norm_relu"))
        first = self.find("conv_norm_relu", resolution=side)
        stages = self._drawn_depths(rng, side)
        pooling = rng.choice(self.find("average_pool", resolution=side >> len(stages)))
        convs = [conv for stage in stages for conv in stage]
        readers = [("conv_norm_relu", conv) for conv in convs[1:]]
        readers.append(("average_pool", dict(pooling.frame)))
        share, widths = rng.random(), []
        for conv, (op, frame) in zip(convs, readers, strict=True):
            low, high = intersection(
                self.span("conv_norm_relu", "out_channels", **conv),
                self.span(op, "in_channels", **frame),
            )
            if low > high:
                return None
            place = min(max(share + rng.uniform(-0.25, 0.25), 0.0), 1.0)
            widths.append(width_in(low, high, low + place * (high - low), CHANNEL_STEP))
        left = iter(widths)
        return VggSpec(
            name=name,
            stages=tuple(tuple(next(left) for _ in stage) for stage in stages),
            hidden=self._drawn_hidden(rng),
            pooled=pooling.frame["pooled"],
            resolution=side,
            in_channels=min(slab.levels["in_channels"][0] for slab in first),
            classes=rng.choice(self.find("dense_classifier")).frame["classes"],
        )

    def _drawn_depths(self, rng: random.Random, side: int) -> list[list[dict[str, int]]]:
        """Return the fixed dims of every convolution, stage by stage, down to the last map."""
        stages = []
        while self.find("conv_norm_relu", resolution=side, pool=2):
            plain = self.find("conv_norm_relu", resolution=side, pool=1)
            depth = rng.randint(1, DEEPEST) if plain else 1
            pools = [1] * (depth - 1) + [2]
            stages.append([{"resolution": side, "pool": pool} for pool in pools])
            side //= 2
        return stages

    def _drawn_hidden(self, rng: random.Random) -> tuple[int, ...]:
        """Return the widths of up to two dense layers; a number that does not fit is drawn anew."""
        if not self.find("dense_relu"):
            return ()
        low, high = self.span("dense_relu", "out_channels")
        return tuple(
            width_in(low, high, rng.uniform(low, high), CHANNEL_STEP)
            for _ in range(rng.randint(0, 2))
        )


def _join(slabs: dict[object, Slab], slab: Slab) -> None:
    """Add a slab; one whose key is there already gets the levels of both."""
    levels = dict(slab.levels)
    if slab.key in slabs:
        for axis, known in slabs[slab.key].levels.items():
            levels[axis] = tuple(sorted({*known, *levels[axis]}))
    slabs[slab.key] = Slab(slab.op, slab.frame, levels)
