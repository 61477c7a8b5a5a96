"""Swin Transformers: which widths are measured, and which are searched."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

from ..errors import UserError
from ..models import Block, Spec
from ..models.checks import check_known_fields
from ..models.families.swin.spec import SwinSpec, SwinStage
from ..models.families.vit.spec import ViTLayer
from ..models.ops.codes import NO_YES, code
from .gene import Value
from .slabs import Slab, width_in
from .space import SearchSpace, Site
from .staged_slabs import StagedSlabs, intersection
from .stages import stage_genes, stages_of

RESOLUTION, PATCH, WINDOW, CLASSES, STAGES = 224, 4, 7, 1000, 4
# Widths of the first stage, from half of Swin-T's to Swin-B's; each further stage has twice these.
EMBED = (48, 96, 128)
# Heads of the first stage: Swin-T has 3, Swin-B 4 of 32 channels each.
HEADS = (1, 4)
HEAD_WIDTHS = (16, 32)
# An MLP's hidden width over the widest tokens of its stage.
MLP_RATIOS = (0.5, 2, 4)
NO, YES = (code(NO_YES, answer, "shift") for answer in NO_YES)


class SwinSlabs(StagedSlabs):
    """Slabs of window attention, MLP and merging at every stage's map."""

    name = "swin"
    ops = ("swin_embed", "window_attention", "mlp", "token_merging", "pooled_tokens_classifier")
    widths = frozenset({"embed", "heads", "qk", "v", "mlp", "out_channels"})

    @classmethod
    def default_slabs(cls, resolution: int | None, classes: int | None) -> list[Slab]:
        side = resolution or RESOLUTION
        smallest = PATCH * 2 ** (STAGES - 1)
        if side % smallest or any((side // PATCH // 2**i) % WINDOW for i in range(STAGES)):
            raise UserError(
                f"`resolution` {side} does not fit Swin's patch {PATCH}, {STAGES} stages and "
                f"window {WINDOW}; use a multiple of {smallest * WINDOW}, or give a `model` "
                "of that size."
            )
        slabs = [
            Slab(
                "swin_embed",
                {"in_channels": 3, "resolution": side, "kernel": PATCH},
                {"embed": EMBED},
            )
        ]
        side //= PATCH
        for stage in range(STAGES):
            scale = 2**stage
            embed = tuple(scale * width for width in EMBED)
            for shift in (NO, YES) if side > WINDOW else (NO,):
                slabs.append(
                    Slab(
                        "window_attention",
                        {"window": WINDOW, "resolution": side, "shift": shift},
                        {
                            "embed": embed,
                            "heads": tuple(scale * heads for heads in HEADS),
                            "qk": HEAD_WIDTHS,
                            "v": HEAD_WIDTHS,
                        },
                    )
                )
            hidden = tuple(round(ratio * embed[-1]) for ratio in MLP_RATIOS)
            slabs.append(Slab("mlp", {"tokens": side**2}, {"embed": embed, "mlp": hidden}))
            if stage < STAGES - 1:
                out = tuple(2 * width for width in (embed[0], embed[-1]))
                slabs.append(
                    Slab(
                        "token_merging", {"resolution": side}, {"embed": embed, "out_channels": out}
                    )
                )
                side //= 2
        tokens_classes = {"tokens": side**2, "classes": classes or CLASSES}
        slabs.append(Slab("pooled_tokens_classifier", tokens_classes, {"embed": embed}))
        return slabs

    def draw(self, rng: random.Random, name: str) -> Spec | None:
        """Return a random Swin: widths, heads and depths of every stage of its own.

        As for plain ViTs, a layer's widths are uniform within a subrange that is drawn once per
        model, so that models differ.
        """
        stem = rng.choice(self.find("swin_embed"))
        heads = self.find("pooled_tokens_classifier")  # a backbone has none
        classes = rng.choice(heads).frame["classes"] if heads else 0
        patch, side = stem.frame["kernel"], stem.frame["resolution"] // stem.frame["kernel"]
        window = rng.choice(self.find("window_attention")).frame["window"]
        places = {
            axis: sorted(rng.random() for _ in range(2)) for axis in ("heads", "qk", "v", "mlp")
        }
        width, deep = rng.random(), rng.random()
        stages: list[SwinStage] = []
        while True:
            here = min(window, side)
            attention = {"window": here, "resolution": side}

            def of_layer(axis: str, span: tuple[int, int], step: int) -> int:
                low, high = span
                place = rng.uniform(*places[axis])
                return width_in(low, high, low + place * (high - low), step)

            spans = [
                self.span("window_attention", "embed", **attention),
                self.span("mlp", "embed", tokens=side**2),
            ]
            if not stages:
                spans.append(self.span("swin_embed", "embed", resolution=stem.frame["resolution"]))
            low, high = intersection(*spans)
            # Around the model's own share of the range: stages grow together, as Swin's do.
            place = min(max(width + rng.uniform(-0.15, 0.15), 0.0), 1.0)
            embed = width_in(low, high, low + place * (high - low), 8)
            most = 2 if len(stages) != 2 else 9
            depth = max(1, round(most * (0.4 + 0.6 * deep) * rng.uniform(0.7, 1.0)))
            layers = tuple(
                ViTLayer(
                    heads=of_layer("heads", self.span("window_attention", "heads", **attention), 1),
                    qk=of_layer("qk", self.span("window_attention", "qk", **attention), 8),
                    v=of_layer("v", self.span("window_attention", "v", **attention), 8),
                    mlp=of_layer("mlp", self.span("mlp", "mlp", tokens=side**2), 16),
                )
                for _ in range(depth)
            )
            stages.append(SwinStage(embed, layers))
            if not self.find("token_merging", resolution=side):
                break
            side //= 2
        return SwinSpec(
            name=name,
            stages=tuple(stages),
            patch=patch,
            window=window,
            resolution=stem.frame["resolution"],
            in_channels=stem.frame["in_channels"],
            classes=classes,
        )


# Of each stage; qk and v of a head are those of every Swin unless given.
CHOICES = ("embed", "depth", "heads", "qk", "v", "mlp_ratio")
HEAD_WIDTH = HEAD_WIDTHS[-1]
# Depths of Swin-T to Swin-B, and fewer; widths and heads as far as the slabs reach.
SWIN = {
    "stage": [
        {
            "embed": [scale * width for width in EMBED],
            "depth": depths,
            "heads": [scale * heads for heads in range(HEADS[0], HEADS[-1] + 1)],
            "mlp_ratio": [2, 3, 4],
        }
        for scale, depths in ((1, [1, 2]), (2, [1, 2]), (4, [2, 4, 6, 12, 18]), (8, [1, 2]))
    ]
}


@dataclass(frozen=True)
class SwinSpace(SearchSpace):
    """Width, depth and heads of each stage, whose layers are alike; widths never shrink."""

    family = "swin"
    makes = SwinSpec

    @classmethod
    def known(cls) -> Mapping[str, Mapping[str, Any]]:
        return {"swin": SWIN}

    @classmethod
    def slabs(cls) -> type[SwinSlabs]:
        return SwinSlabs

    @classmethod
    def from_fields(cls, name: str, record: Mapping[str, Any]) -> Self:
        """Return the space of a file's fields; raises UserError naming the wrong one."""
        check_known_fields(record, ["stage", *cls.frame_fields()])
        stages = stages_of(record, "stage")
        genes = []
        for number, stage in enumerate(stages, start=1):
            qk = stage.get("qk", HEAD_WIDTH)
            defaults = {"qk": qk, "v": [qk] if isinstance(qk, int) else qk}
            genes += stage_genes({**defaults, **stage}, f"stage-{number}", CHOICES)
        space = cls(
            name,
            tuple(genes),
            never_shrink=tuple(f"stage-{n}.embed" for n in range(1, len(stages) + 1)),
            frame=cls.framed(record),
        )
        for candidate in (space.smallest(), space.largest()):
            space.spec(candidate)  # refuses what no Swin has
        return space

    @property
    def stages(self) -> list[str]:
        return [gene.block for gene in self.genes if gene.name.endswith(".embed")]

    def to_dict(self) -> dict[str, Any]:
        values = {gene.name: list(gene.values) for gene in self.genes}
        stages = [{c: values[f"{stage}.{c}"] for c in CHOICES} for stage in self.stages]
        return {"family": self.family, "name": self.name, **self.frame_as_json(), "stage": stages}

    def build(self, values: Mapping[str, Value], name: str) -> Spec:
        stages = []
        for stage in self.stages:
            embed, depth, heads, qk, v = (int(values[f"{stage}.{c}"]) for c in CHOICES[:-1])
            mlp = max(round(values[f"{stage}.mlp_ratio"] * embed), 1)
            stages.append(SwinStage(embed, (ViTLayer(heads, qk, v, mlp),) * depth))
        return SwinSpec(name=name, stages=tuple(stages), **dict(self.frame))

    def sites(self) -> list[Site]:
        stages = self.stages
        found = [Site("embed", (f"{stages[0]}.embed",))]
        for before, stage in pairwise(["", *stages]):
            if before:
                found.append(Site(f"{before} to {stage}", (f"{before}.embed", f"{stage}.embed")))
            found.append(Site(stage, tuple(f"{stage}.{choice}" for choice in CHOICES)))
        return [*found, Site("classifier", (f"{stages[-1]}.embed",))]

    def blocks_by_site(self, spec: Spec) -> dict[str, list[Block]]:
        assert isinstance(spec, SwinSpec)
        blocks = iter(spec.blocks())
        found = {"embed": [next(blocks)]}
        for number, (name, stage) in enumerate(zip(self.stages, spec.stages, strict=True)):
            if number:
                found[f"{self.stages[number - 1]} to {name}"] = [next(blocks)]
            found[name] = [next(blocks) for _ in range(2 * len(stage.layers))]
        return {**found, "classifier": list(blocks)}  # a backbone has none
