"""VGGs with batch norms: which channels are measured, and which are searched."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

from ..errors import UserError
from ..models import Block, Spec
from ..models.checks import check_known_fields
from ..models.families.vgg.spec import VggSpec
from .gene import Gene, Value, choices_of
from .slabs import Slab, fractions, width_in
from .space import SearchSpace, Site
from .staged_slabs import StagedSlabs, intersection
from .stages import stage_genes, stages_of

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


class VggSlabs(StagedSlabs):
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
                f"`resolution` {side} cannot be halved {len(WIDTHS)} times, as a VGG does; use a "
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
    def covering(cls, spec: Spec) -> VggSlabs:
        """As `StagedSlabs.covering`, down to an eighth of every convolution's channels."""
        if not isinstance(spec, VggSpec):
            raise UserError(
                f"{spec.name} is of the family '{spec.family}', not vgg; omit `family`."
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
        """Return the widths of up to two dense layers; one that does not fit is drawn again."""
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


CHOICES = ("channels", "depth")
# The levels of every stage, and the depths of VGG-11 to VGG-19.
VGG: dict[str, Any] = {
    "hidden": [2048, 4096],
    "dense": [1, 2],
    "stage": [{"channels": fractions([width], PARTS), "depth": [1, 2, 3, 4]} for width in WIDTHS],
}


@dataclass(frozen=True)
class VggSpace(SearchSpace):
    """Channels and depth of each stage, whose convolutions are alike, and the dense layers.

    `hidden` is the width of the dense layers before the classifier, `dense` their number; without
    `hidden` there are none.
    """

    family = "vgg"
    makes = VggSpec
    not_in_frame = ("hidden",)

    @classmethod
    def known(cls) -> Mapping[str, Mapping[str, Any]]:
        return {"vgg": VGG}

    @classmethod
    def slabs(cls) -> type[VggSlabs]:
        return VggSlabs

    @classmethod
    def from_fields(cls, name: str, record: Mapping[str, Any]) -> Self:
        """Return the space of a file's fields; raises UserError naming the wrong one."""
        check_known_fields(record, ["stage", "hidden", "dense", *cls.frame_fields()])
        genes = []
        for number, stage in enumerate(stages_of(record, "stage"), start=1):
            genes += stage_genes(stage, f"stage-{number}", CHOICES)
        if "hidden" in record:
            dense = Gene.of("dense", choices_of(record, "dense", [1]), "dense", deepens=True)
            genes += [Gene.of("hidden", choices_of(record, "hidden"), "dense"), dense]
        elif "dense" in record:
            raise UserError("`dense` counts the dense layers; give their width, `hidden`, too.")
        space = cls(name, tuple(genes), frame=cls.framed(record))
        for candidate in (space.smallest(), space.largest()):
            space.spec(candidate)  # refuses what no VGG has
        return space

    @property
    def stages(self) -> list[str]:
        return [gene.block for gene in self.genes if gene.name.endswith(".channels")]

    def to_dict(self) -> dict[str, Any]:
        values = {gene.name: list(gene.values) for gene in self.genes}
        stages = [{c: values[f"{stage}.{c}"] for c in CHOICES} for stage in self.stages]
        dense = {name: of for name, of in values.items() if name in ("hidden", "dense")}
        fields = {**self.frame_as_json(), **dense, "stage": stages}
        return {"family": self.family, "name": self.name, **fields}

    def build(self, values: Mapping[str, Value], name: str) -> Spec:
        stages = tuple(
            (int(values[f"{stage}.channels"]),) * int(values[f"{stage}.depth"])
            for stage in self.stages
        )
        hidden = (int(values.get("hidden", 0)),) * int(values.get("dense", 0))
        return VggSpec(name=name, stages=stages, hidden=hidden, **dict(self.frame))

    def sites(self) -> list[Site]:
        found = []
        for before, stage in pairwise(["", *self.stages]):
            own = (f"{stage}.channels", f"{stage}.depth")
            found.append(Site(stage, (f"{before}.channels", *own) if before else own))
        dense = tuple(name for name in ("hidden", "dense") if name in self.index)
        return [*found, Site("classifier", (f"{self.stages[-1]}.channels", *dense))]

    def blocks_by_site(self, spec: Spec) -> dict[str, list[Block]]:
        assert isinstance(spec, VggSpec)
        blocks = iter(spec.blocks())
        found = {
            name: [next(blocks) for _ in stage]
            for name, stage in zip(self.stages, spec.stages, strict=True)
        }
        return {**found, "classifier": list(blocks)}  # with the pooling and the dense layers
