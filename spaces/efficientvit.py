"""EfficientViTs: which widths and choices are measured, and which are searched."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np

from ..errors import UserError
from ..models import Block, Spec
from ..models.checks import check_known_fields
from ..models.families.efficientvit.ops import ATTENTIONS, kernels_of
from ..models.families.efficientvit.spec import (
    STEM_NARROWING,
    EfficientViTSpec,
    EfficientViTStage,
)
from ..models.ops.codes import ACTIVATIONS, NORMS, choice
from .gene import Gene, Value, choices_of
from .slabs import WIDTH_STEP, Slab, width_in
from .space import SearchSpace, Site
from .staged_slabs import StagedSlabs
from .stages import stage_genes, stages_of

RESOLUTION, CLASSES = 224, 1000
# Widths of the three stages from M0's to M5's, and the heads they have there.
EMBEDS = ((64, 128, 192), (128, 192, 288), (192, 256, 384))
HEADS = ((2, 3, 4), (3, 4), (2, 3, 4))
# The kernels on the heads' queries: M0's and M3's, and those of all others.
KERNELS = ((5,), (7, 5, 3))
QK = (4, 16, 32)
# A head's share of every published width is a multiple of this, and runtimes pad channels to it
# (ONNX Runtime with AVX-512: 136 channels cost what 144 do). So random models have such widths,
# V and FFN ratios that keep them even, and the stem, whose four convolutions have an 8th, 4th, half
# and all of a width, is measured at every one of them.
HEAD_STEP = 16
STEM_EMBEDS = tuple(range(64, 193, HEAD_STEP))
RATIO_STEP = 0.25
# Patch merging widens to four times its channels, so its work grows with their square.
MERGED = ((64, 96, 128, 160, 192), (128, 160, 192, 240, 288))
# Table 6 varies the width of V from 0.4 to 1.2 times C/h, and that of an FFN from 2 C to 4 C.
V_RATIOS = (0.4, 1.2)
FFN_RATIOS = (2, 4)


class EfficientViTSlabs(StagedSlabs):
    """Slabs of every op at every stage's map, and of attention for each count of heads."""

    name = "efficientvit"
    whole_models = 24
    whole_models_up_to = 1.0
    ops = ("conv_stem", "dwconv", "ffn", "cga", "patch_merging", "pooled_classifier")
    widths = frozenset({"embed", "qk", "v", "mlp", "in_channels", "out_channels"})

    @classmethod
    def default_slabs(cls, resolution: int | None, classes: int | None) -> list[Slab]:
        found: dict[object, Slab] = {}
        for kernels in KERNELS:
            stages = tuple(EfficientViTStage(embeds[-1], 1, 1) for embeds in EMBEDS)
            frame = EfficientViTSpec(
                stages=stages,
                kernels=kernels,
                resolution=resolution or RESOLUTION,
                classes=classes or CLASSES,
            )
            for slab in _slabs_around(frame):
                found.setdefault(slab.key, slab)
        return list(found.values())

    @classmethod
    def covering(cls, spec: Spec) -> EfficientViTSlabs:
        """As `StagedSlabs.covering`, but heads have to divide every width."""
        if not isinstance(spec, EfficientViTSpec):
            raise UserError(
                f"{spec.name} is of the family '{spec.family}', not efficientvit; leave `family` "
                "away."
            )
        return super().covering(spec)

    @classmethod
    def possible(cls, slab: Slab) -> Slab:
        """Return the slab with widths that its heads divide, and an image's own channels."""
        levels = dict(slab.levels)
        if "in_channels" in levels and slab.op == "conv_stem":
            levels["in_channels"] = levels["in_channels"][-1:]
        if slab.op == "conv_stem":
            # A plan for one model has few levels: those between its ends, as in the default space.
            ends = min(levels["embed"]), max(levels["embed"])
            between = range(-(-ends[0] // HEAD_STEP) * HEAD_STEP, ends[1], HEAD_STEP)
            levels["embed"] = tuple(sorted({*between, *(-(-w // 8) * 8 for w in levels["embed"])}))
        heads = slab.frame.get("heads", 1)
        if "embed" in levels:
            levels["embed"] = tuple(sorted({-(-w // heads) * heads for w in levels["embed"]}))
        return replace(slab, levels=levels)

    def draw(self, rng: random.Random, name: str) -> Spec | None:
        """Return a random EfficientViT: widths, depths and heads of every stage of its own.

        Its choices (kernels, norm, activation, attention) are those of one of the slabs.
        """
        stem = rng.choice(self.find("conv_stem"))
        head = rng.choice(self.find("pooled_classifier"))
        frame = {axis: stem.frame[axis] for axis in ("activation", "norm")}
        first = self.find("cga", resolution=stem.frame["resolution"] // 16, **frame)
        if not first:
            return None
        attention = rng.choice(first).frame
        code = attention["kernels"]
        same = {axis: attention[axis] for axis in ("attention", "cascade", "activation", "norm")}
        side, width, deep = stem.frame["resolution"] // 16, rng.random(), rng.random()
        stages: list[EfficientViTStage] = []
        kernels: tuple[int, ...] = ()
        while slabs := self.find("cga", resolution=side, **same):
            alike = [s for s in slabs if _is_prefix(s.frame["kernels"], code)]
            if not alike:
                return None
            slab = rng.choice(alike)
            heads = slab.frame["heads"]
            low, high = slab.levels["embed"][0], slab.levels["embed"][-1]
            place = min(max(width + rng.uniform(-0.3, 0.3), 0.0), 1.0)
            wide = (heads * HEAD_STEP, heads * WIDTH_STEP, heads)
            step = next((each for each in wide if each <= high - low), heads)
            embed = width_in(low, high, low + place * (high - low), step)
            depth = max(1, round((1 + len(stages)) * (0.4 + deep) * rng.uniform(0.7, 1.3)))
            stages.append(EfficientViTStage(embed, depth, heads))
            found = kernels_of(slab.frame["kernels"], heads)
            kernels = max(kernels, found, key=len)
            if not self.find("patch_merging", resolution=side):
                break
            side = (side + 1) // 2
        qk = self.span("cga", "qk", **same)
        return EfficientViTSpec(
            name=name,
            stages=tuple(stages),
            attention=choice(ATTENTIONS, same["attention"], "attention"),
            cascade=same["cascade"] > 1,
            qk=width_in(*qk, rng.uniform(*qk), 4),
            v_ratio=_ratio_in(rng, *V_RATIOS),
            ffn_ratio=_ratio_in(rng, *FFN_RATIOS),
            ffns_before=rng.choice((1, 1, 2)),
            ffns_after=rng.choice((1, 1, 2)),
            window=attention["window"],
            kernels=kernels,
            norm=choice(NORMS, same["norm"], "norm"),
            activation=choice(ACTIVATIONS, same["activation"], "activation"),
            resolution=stem.frame["resolution"],
            in_channels=stem.levels["in_channels"][-1]
            if "in_channels" in stem.levels
            else stem.frame["in_channels"],
            classes=head.frame["classes"],
        )


def _ratio_in(rng: random.Random, low: float, high: float) -> float:
    """Return a random multiple of RATIO_STEP from `low` to `high`."""
    return RATIO_STEP * rng.randint(math.ceil(low / RATIO_STEP), math.floor(high / RATIO_STEP))


def _is_prefix(code: int, other: int) -> bool:
    """Tell whether two kernel codes agree on the heads that both have."""
    return str(other).startswith(str(code)) or str(code).startswith(str(other))


def _slabs_around(frame: EfficientViTSpec) -> list[Slab]:
    """Return slabs over the widths above for a spec's choices: its own widths do not count."""
    slabs = []
    for stage, (embeds, side) in enumerate(zip(EMBEDS, frame.sides, strict=True)):
        if not stage:
            stem = frame.stem_block().as_dict()
            slabs.append(
                _slab("conv_stem", stem, embed=STEM_EMBEDS, in_channels=(stem["in_channels"],))
            )
        for heads in HEADS[stage]:
            slabs.append(_attention_slab(frame, embeds, heads, side))
        for block in frame.ffn_blocks(embeds[-1], side):
            hidden = {ratio * embeds[i] for ratio, i in zip((2, 2, 4), (0, -1, -1), strict=True)}
            levels = {"embed": embeds} | ({"mlp": hidden} if block.op == "ffn" else {})
            slabs.append(_slab(block.op, block.as_dict(), **levels))
        if stage + 1 < len(EMBEDS):
            merging = frame.merging_block(embeds[-1], EMBEDS[stage + 1][-1], side)
            after = EMBEDS[stage + 1]
            slabs.append(
                _slab(
                    merging.op,
                    merging.as_dict(),
                    in_channels=MERGED[stage],
                    out_channels=(after[0], after[-1]),
                )
            )
    classifier = frame.classifier_block()
    slabs.append(_slab(classifier.op, classifier.as_dict(), embed=EMBEDS[-1]))
    return slabs


def _attention_slab(
    frame: EfficientViTSpec, embeds: tuple[int, ...], heads: int, side: int
) -> Slab:
    """Return the slab of attention with so many heads: the ends of the widths they divide."""
    step = HEAD_STEP * heads
    ends = (-(-embeds[0] // step) * step, embeds[-1] // step * step)
    narrowest, widest = V_RATIOS[0] * ends[0] / heads, V_RATIOS[-1] * ends[-1] / heads
    v = (
        max(int(narrowest) // WIDTH_STEP, 1) * WIDTH_STEP,
        round(widest / WIDTH_STEP + 0.5) * WIDTH_STEP,
    )
    block = frame.attention_block(EfficientViTStage(heads, 1, heads), side, QK[-1])
    return _slab("cga", block.as_dict(), embed=ends, qk=QK, v=v)


def _slab(op: str, dims: object, **levels: object) -> Slab:
    frame = {axis: dim for axis, dim in dict(dims).items() if axis not in levels}  # type: ignore[call-overload]
    return Slab(op, frame, {axis: tuple(sorted(set(v))) for axis, v in levels.items()})  # type: ignore[call-overload]


CHOICES = ("embed", "depth", "heads")
OF_MODEL = ("qk", "ffn_ratio")
# The widths, depths and heads of M0 to M5 (Liu et al. 2023, table 1), QK and ratio around theirs.
EFFICIENTVIT = {
    "kernels": [5],
    "qk": [8, 16, 24],
    "ffn_ratio": [1.5, 2, 3],
    "stage": [
        {"embed": [64, 128, 192], "depth": [1, 2], "heads": [2, 3, 4]},
        {"embed": [128, 144, 192, 240, 256, 288], "depth": [1, 2, 3], "heads": [2, 3, 4]},
        {"embed": [192, 224, 320, 384], "depth": [2, 3, 4], "heads": [2, 3, 4]},
    ],
}


@dataclass(frozen=True)
class EfficientViTSpace(SearchSpace):
    """Liu et al. 2023, table 1 and section 3: the dims that its six models differ in, and more.

    Widths never shrink along the stages, and heads divide the width they share.
    """

    family = "efficientvit"
    makes = EfficientViTSpec
    not_in_frame = OF_MODEL

    @classmethod
    def known(cls) -> Mapping[str, Mapping[str, Any]]:
        return {"efficientvit": EFFICIENTVIT}

    @classmethod
    def slabs(cls) -> type[EfficientViTSlabs]:
        return EfficientViTSlabs

    @classmethod
    def from_fields(cls, name: str, record: Mapping[str, Any]) -> Self:
        """Return the space of a file's fields; raises UserError naming the wrong one."""
        check_known_fields(record, ["stage", *OF_MODEL, *cls.frame_fields()])
        stages = stages_of(record, "stage")
        genes = [
            Gene.of("qk", choices_of(record, "qk", 16), "model"),
            Gene.of("ffn_ratio", choices_of(record, "ffn_ratio", 2), "model", fractions=True),
        ]
        for number, stage in enumerate(stages, start=1):
            genes += stage_genes(stage, f"stage-{number}", CHOICES)
        numbers = range(1, len(stages) + 1)
        space = cls(
            name,
            tuple(genes),
            never_shrink=tuple(f"stage-{n}.embed" for n in numbers),
            shared_out=tuple((f"stage-{n}.embed", f"stage-{n}.heads") for n in numbers),
            frame=cls.framed(record),
        )
        for candidate in (space.smallest(), space.largest(), *space._with_each_first_width()):
            space.spec(candidate)  # refuses what no EfficientViT has
        return space

    def _with_each_first_width(self) -> list[np.ndarray]:
        """Return a candidate for each width of the first stage: the stem divides it once more."""
        width, by = self.index["stage-1.embed"], self.index["stage-1.heads"]
        made = []
        for nth, divides in enumerate(self.divisions[width, by]):
            if divides.any():
                candidate = self.largest()
                candidate[[width, by]] = nth, int(divides.argmax())
                made.append(candidate)
        return made

    @property
    def stages(self) -> list[str]:
        return [gene.block for gene in self.genes if gene.name.endswith(".embed")]

    def to_dict(self) -> dict[str, Any]:
        values = {gene.name: list(gene.values) for gene in self.genes}
        return {
            "family": self.family,
            "name": self.name,
            **self.frame_as_json(),
            **{field: values[field] for field in OF_MODEL},
            "stage": [{f: values[f"{stage}.{f}"] for f in CHOICES} for stage in self.stages],
        }

    def build(self, values: Mapping[str, Value], name: str) -> Spec:
        return EfficientViTSpec(
            name=name,
            stages=tuple(
                EfficientViTStage(*(int(values[f"{stage}.{f}"]) for f in CHOICES))
                for stage in self.stages
            ),
            qk=int(values["qk"]),
            ffn_ratio=values["ffn_ratio"],
            **dict(self.frame),
        )

    def supernet_spec(self) -> Spec:
        """Return the model that holds every other: as wide as the most heads of the widest share.

        Fewer heads have a larger share of the channels each, so it may be wider than all others.
        """
        values = self.all_values(self.sizes - 1)
        for number, stage in enumerate(self.stages):
            widths, heads = (
                self.genes[self.index[f"{stage}.{f}"]].values for f in ("embed", "heads")
            )
            pairs = [(int(w), int(h)) for w in widths for h in heads if w % h == 0]
            most = max(h for _, h in pairs)
            width = max(*(w for w, _ in pairs), most * max(w // h for w, h in pairs), 1)
            step = most if number else math.lcm(most, STEM_NARROWING)
            values[f"{stage}.heads"] = most
            values[f"{stage}.embed"] = -(-width // step) * step
        return self.build(values, f"{self.name}-supernet")

    def sites(self) -> list[Site]:
        stages = self.stages
        own = [
            Site(stage, (*(f"{stage}.{field}" for field in CHOICES), *OF_MODEL)) for stage in stages
        ]
        between = [
            Site(f"{a} to {b}", (f"{a}.embed", f"{b}.embed", "ffn_ratio"))
            for a, b in pairwise(stages)
        ]
        found = [Site("stem", (f"{stages[0]}.embed",)), own[0]]
        for step, stage in zip(between, own[1:], strict=True):
            found += [step, stage]
        return [*found, Site("classifier", (f"{stages[-1]}.embed",))]

    def blocks_by_site(self, spec: Spec) -> dict[str, list[Block]]:
        assert isinstance(spec, EfficientViTSpec)
        blocks = iter(spec.blocks())
        names = self.stages
        found = {"stem": [next(blocks)]}
        for number, (name, stage) in enumerate(zip(names, spec.stages, strict=True)):
            ffn = len(spec.ffn_blocks(stage.embed, spec.sides[number]))
            if number:
                step = f"{names[number - 1]} to {name}"
                found[step] = [next(blocks) for _ in range(2 * ffn + 1)]
            layer = ffn * (spec.ffns_before + spec.ffns_after) + 1
            found[name] = [next(blocks) for _ in range(layer * stage.depth)]
        return {**found, "classifier": [next(blocks)]}
