"""Plain Vision Transformers: which widths are measured, and which are searched (AutoFormer's)."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from ..errors import UserError
from ..models import Spec, ViTLayer, ViTSpec
from ..models.families.vit.details import MLP_OPS, PLAIN, ViTDetails
from .gene import Gene, Value, choices_of
from .layered import LayeredSpace, Levels, layer_levels
from .slabs import WIDTH_STEP, FamilySlabs, Grids, Slab, fractions, parse_tokens, width_in
from .space import Site

# The gene of how many tokens are left.
KEPT = "kept"

# The ends are DeiT-Ti's and DeiT-B's widths, and what pruning leaves. Latency is close to
# multilinear in the dims, so few levels suffice; see docs/fidelity.md.
WIDTHS = {
    "embed": (192, 384, 576, 768),
    "heads": (1, 3, 6, 12),
    "qk": (16, 64),
    "v": (16, 64),
    "mlp": (192, 768, 1536, 2304, 3072),
}
# 3072 floats are a multiple of 4 KiB, where many caches alias: on CPUs it is slower than its
# neighbours, so it has one, and widths between are not interpolated from it.
BESIDE_SLOW_MLP = (3040,)
ENDS: Levels = {"patch_embed": {"embed": (192, 384, 768)}, "classifier": {"embed": (192, 384, 768)}}
DEFAULT_LEVELS = layer_levels(WIDTHS, ENDS, BESIDE_SLOW_MLP)


@dataclass(frozen=True)
class ViTSlabs(FamilySlabs):
    """Levels of every axis, and the fixed frame (image, patch, classes) around them.

    `tokens` are the sequence lengths at which attention and MLP are measured; by default the one
    that resolution and patch give. With `merging` the space has models that merge tokens, down to a
    quarter of them: by default four lengths, attention that knows sizes, and the merging itself.
    All of the space's models have the same `details`, which decide the ops.
    """

    levels: Levels = field(default_factory=lambda: DEFAULT_LEVELS)
    resolution: int = 224
    patch: int = 16
    in_channels: int = 3
    classes: int = 1000
    prefix: int = 1
    heads_of_classifier: int = 1
    tokens: tuple[int, ...] = ()
    merging: bool = False
    details: ViTDetails = PLAIN

    name = "vit"

    @classmethod
    def create(
        cls,
        spec: Spec | None = None,
        *,
        resolution: int | None = None,
        patch: int | None = None,
        classes: int | None = None,
    ) -> ViTSlabs:
        space = cls() if spec is None else cls.covering(spec)
        return space.with_frame(resolution=resolution, patch=patch, classes=classes)

    @classmethod
    def covering(cls, spec: Spec) -> ViTSlabs:
        """Return the space of `spec` and everything narrower: what pruning it may leave."""
        if not isinstance(spec, ViTSpec):
            raise UserError(f"{spec.name or 'the model'} is not a plain ViT; the family is 'vit'.")
        # 0 is the width of a half that is absent.
        widths = {
            name: sorted({getattr(layer, name) for layer in spec.layers} - {0})
            for name in ("heads", "qk", "v", "mlp")
        }
        embeds = fractions([spec.embed], (0.25, 0.5))
        details = spec.details
        levels: dict[str, Mapping[str, tuple[int, ...]]] = {
            spec.patch_embed_block().op: {"embed": embeds}
        }
        if widths["heads"]:
            most = widths["heads"][-1]
            levels[details.attention_op] = {
                "embed": embeds,
                "heads": tuple(sorted({1, max(1, most // 2), most})),
                "qk": fractions(widths["qk"], (0.25,)),
                "v": fractions(widths["v"], (0.25,)),
            }
        if widths["mlp"]:
            levels[details.mlp_op] = {
                "embed": fractions([spec.embed], (0.25, 0.5, 0.75)),
                "mlp": fractions(widths["mlp"], (1 / 16, 0.25, 0.5, 0.75)),
            }
        levels[spec.classifier_block().op] = {"embed": embeds}
        return cls(
            levels,
            spec.resolution,
            spec.patch,
            spec.in_channels,
            spec.classes,
            spec.prefix,
            2 if spec.distillation_head else 1,
            details=details,
        )

    @classmethod
    def of_grids(cls, grids: Grids) -> ViTSlabs:
        """Return the space that grids of ViT blocks cover, on their levels and in their frame."""
        levels: dict[str, dict[str, tuple[int, ...]]] = {}
        frame: dict[str, dict[str, int]] = {}
        for op, axes in DEFAULT_LEVELS.items():
            spans = _own_grid(grids, op)
            levels[op] = {axis: spans[axis] for axis in axes}
            frame[op] = {axis: span[-1] for axis, span in spans.items() if axis not in axes}
        stem, head = frame["patch_embed"], frame["classifier"]
        space = cls(
            levels,
            resolution=stem["resolution"],
            patch=stem["kernel"],
            in_channels=stem["in_channels"],
            classes=head["classes"],
            prefix=stem["prefix"],
            heads_of_classifier=head["heads"],
            details=ViTDetails(registers=stem["prefix"] - 1 if stem["prefix"] > 2 else 0),
        )
        if "bipartite_merging" not in grids.by_op:
            return space
        lengths = _own_grid(grids, "bipartite_merging")["tokens"]
        space = space.with_merging()
        return space if space.lengths == lengths else replace(space, tokens=lengths)

    def with_frame(self, **values: int | None) -> ViTSlabs:
        """Return the space with these of its fields replaced; None keeps what is there."""
        return replace(self, **{k: v for k, v in values.items() if v is not None})  # type: ignore[arg-type]

    def with_levels(self, text: str) -> ViTSlabs:
        """As for any space; "tokens=..." sets the sequence lengths of both halves."""
        others, tokens = parse_tokens(text)
        return replace(super().with_levels(others), tokens=tokens or self.tokens)

    def with_slab(self, slab: Slab) -> ViTSlabs:
        """As `MeasuringSpace.with_slab`; the slabs of several sequence lengths change together."""
        return replace(self, levels={**self.levels, slab.op: dict(slab.levels)})

    @property
    def own_tokens(self) -> int:
        """The sequence length that resolution, patch and prefix give."""
        return (self.resolution // self.patch) ** 2 + self.prefix

    @property
    def slabs(self) -> tuple[Slab, ...]:
        if self.resolution % self.patch:
            raise UserError(
                f"resolution {self.resolution} is not a multiple of patch {self.patch}."
            )
        sequences = [{"tokens": n} for n in self.lengths]
        # What follows a merging is proportional attention, so the plain one sees all tokens.
        attended = sequences if self.tokens else [{"tokens": self.own_tokens}]
        image = {
            "in_channels": self.in_channels,
            "resolution": self.resolution,
            "kernel": self.patch,
        }
        end = {"tokens": self.own_tokens}
        frames: dict[str, list[dict[str, int]]] = {
            "patch_embed": [{**image, "prefix": self.prefix}],
            "prefixless_patch_embed": [image],
            "attention": attended,
            "normed_attention": attended,
            **dict.fromkeys(MLP_OPS.values(), sequences),
            "pooled_tokens_classifier": [{**end, "classes": self.classes}],
            "features": [end],
            "mean_features": [end],
            "classifier": [
                {"heads": self.heads_of_classifier, "classes": self.classes, "tokens": length}
                for length in (self.lengths if self.merging else (self.own_tokens,))
            ],
            "proportional_attention": sequences,
            "bipartite_merging": sequences,
        }
        levels = {**self.levels, **(self._merging_levels() if self.merging else {})}
        return tuple(Slab(op, frame, axes) for op, axes in levels.items() for frame in frames[op])

    @property
    def lengths(self) -> tuple[int, ...]:
        """The sequence lengths at which attention and MLP are measured, ascending."""
        own = self.own_tokens
        if self.tokens or not self.merging:
            return self.tokens or (own,)
        patches = own - self.prefix
        return tuple(sorted({own - patches * quarters // 4 for quarters in range(4)}))

    def with_merging(self) -> ViTSlabs:
        """Return the space with models that merge tokens."""
        return replace(self, merging=True)

    @property
    def models_to_fit(self) -> int:
        # Two ops more, each with a factor of its own: 8 models err twice as much on whole models.
        return 24 if self.merging else self.whole_models

    def _merging_levels(self) -> dict[str, Mapping[str, tuple[int, ...]]]:
        attention = self.levels.get("attention")
        if self.details != PLAIN:
            raise UserError("`merging`: only plain Vision Transformers merge tokens.")
        if attention is None:
            raise UserError("a model without attention has no keys to merge tokens by.")
        # All that the shortest sequence can merge; what more costs is on the same line.
        merged = tuple(sorted({1, max((self.lengths[0] - self.prefix) // 2, 1)}))
        own = {axis: attention[axis] for axis in ("embed", "heads", "qk")}
        # What merging costs hardly depends on the heads: their keys are averaged first.
        own["heads"] = (own["heads"][0], own["heads"][-1])
        return {
            "proportional_attention": attention,
            "bipartite_merging": {
                **{axis: tuple(sorted(set(values))) for axis, values in own.items()},
                "merged": merged,
            },
        }

    def range_of(self, axis: str) -> tuple[int, int]:
        """Return the smallest and largest value of an axis that all ops having it cover.

        It is 0 to 0 where no op has the axis. Raises UserError where the ops share no value.
        """
        spans = [axes[axis] for axes in self.levels.values() if axis in axes]
        if not spans:
            return 0, 0
        low, high = max(span[0] for span in spans), min(span[-1] for span in spans)
        if low > high:
            raise UserError(
                f"the ops share no value of {axis}: one is measured only from {low}, another only "
                f"to {high}; measure both on a common `grid`."
            )
        return low, high

    def sample(
        self, rng: random.Random, name: str = "random", depth: tuple[int, int] = (6, 12)
    ) -> ViTSpec:
        """Return a random model of the space.

        Depth and embed are uniform. Each of a layer's widths is uniform within a subrange that is
        drawn once per model: were it drawn from the whole range per layer, all models would have
        nearly the same averages, and any predictor would look good. Widths are multiples of
        WIDTH_STEP (embed and mlp: of twice that) where the range has one.
        """
        subranges = {
            axis: sorted(rng.uniform(*self.range_of(axis)) for _ in range(2))
            for axis in ("heads", "qk", "v", "mlp")
        }

        def width(axis: str, step: int) -> int:
            low, high = self.range_of(axis)
            return width_in(low, high, rng.uniform(*subranges.get(axis, (low, high))), step)

        layers = [
            ViTLayer(
                heads=width("heads", 1),
                qk=width("qk", WIDTH_STEP),
                v=width("v", WIDTH_STEP),
                mlp=width("mlp", 2 * WIDTH_STEP),
            )
            for _ in range(rng.randint(*depth))
        ]
        merges = self._sampled_merges(rng, len(layers)) if self.merging else ()
        return ViTSpec(
            embed=width("embed", 2 * WIDTH_STEP),
            layers=tuple(layers),
            patch=self.patch,
            resolution=self.resolution,
            in_channels=self.in_channels,
            classes=self.classes,
            distilled=self.prefix > self.details.prefix,
            distillation_head=self.heads_of_classifier > 1,
            merges=merges,
            details=self.details,
            name=name,
        )

    def _sampled_merges(self, rng: random.Random, depth: int) -> tuple[int, ...]:
        """Return none for every second model, else a schedule that ends inside the lengths."""
        if rng.random() < 0.5:
            return ()
        left, merges = self.own_tokens, []
        most = rng.uniform(0, 2 * (self.own_tokens - self.lengths[0]) / depth)
        for _ in range(depth):
            most_now = min((left - self.prefix) // 2, left - self.lengths[0])
            merged = min(round(rng.uniform(0, most)), most_now)
            merges.append(merged)
            left -= merged
        return tuple(merges)


def _own_grid(grids: Grids, op: str) -> Mapping[str, tuple[int, ...]]:
    """Return the grid of an op that plain ViTs use: of the classifier's sequence length.

    Another family's blocks of the op may stand in the table too, at other lengths.
    """
    length = grids.of("classifier")[-1]["tokens"][-1]
    of_op = grids.of(op)
    if "tokens" in of_op[-1]:
        of_op = [levels for levels in of_op if length in levels["tokens"]] or of_op
    return of_op[-1]


def _autoformer(
    embed: tuple[int, ...],
    heads: tuple[int, ...],
    ratios: tuple[float, ...],
    depth: tuple[int, ...],
) -> dict[str, Any]:
    """Return a row of AutoFormer's table 1 (Chen et al. 2021).

    There a head's Q, K and V are 64 wide each, so that the choices of their joint width are those
    of the heads.
    """
    return {"embed": embed, "depth": depth, "heads": heads, "qk": 64, "mlp_ratio": ratios}


AUTOFORMERS = {
    "autoformer-tiny": _autoformer((192, 216, 240), (3, 4), (3.5, 4.0), (12, 13, 14)),
    "autoformer-small": _autoformer((320, 384, 448), (5, 6, 7), (3.0, 3.5, 4.0), (12, 13, 14)),
    "autoformer-base": _autoformer((528, 576, 624), (8, 9, 10), (3.0, 3.5, 4.0), (14, 15, 16)),
}


class ViTSpace(LayeredSpace):
    """Plain ViTs, AutoFormer's among them.

    kept, where a file has it, is a gene of the model: the share of the patches that is left behind
    the deepest model's last layer. Every layer merges the same number of them (Bolya et al. 2023
    (ToMe), section 3), for any depth of the model.
    """

    family = "vit"
    makes = ViTSpec
    not_in_frame = ("merges", "details")
    ends = ("patch_embed", "classifier")

    @classmethod
    def known(cls) -> Mapping[str, Mapping[str, Any]]:
        return AUTOFORMERS

    @classmethod
    def slabs(cls) -> type[ViTSlabs]:
        return ViTSlabs

    @classmethod
    def from_fields(cls, name: str, record: Mapping[str, Any]) -> Self:
        """Return the space of a file's fields; raises UserError naming the wrong one."""
        space = super().from_fields(name, {k: v for k, v in record.items() if k != KEPT})
        if KEPT not in record:
            return space
        gene = Gene.of(KEPT, choices_of(record, KEPT), "model", fractions=True)
        made = replace(space, genes=(*space.genes, gene))
        for kept in gene.values:
            if kept > 1:
                raise UserError(f"{KEPT}={kept} is a share of the patches; it is at most 1.")
            if kept < 1 and not made._merged(kept):
                raise UserError(f"{KEPT}={kept} merges less than a token a layer; use less.")
        for candidate in (made.smallest(), made.largest(), made.shrunk()):
            made.spec(candidate)  # refuses to merge more than half of the tokens
        return made

    def shrunk(self) -> np.ndarray:
        """Return the deepest candidate, with as few tokens as there are."""
        candidate = self.largest()
        candidate[self.index[KEPT]] = 0
        return candidate

    def _merged(self, kept: float) -> int:
        """Return how many tokens each layer merges."""
        patches, depth = self._patches_and_depth
        return int((1 - kept) * patches / depth + 1e-9)  # 0.3 of 10 are 3

    @cached_property
    def _patches_and_depth(self) -> tuple[int, int]:
        """How many patches an image has, and layers the deepest model."""
        deepest: Any = super().build(self.all_values(self.sizes - 1), "deepest")
        return deepest.tokens - deepest.prefix, deepest.depth

    def build(self, values: Mapping[str, Value], name: str) -> Spec:
        spec: Any = super().build(values, name)
        merged = self._merged(values.get(KEPT, 1))
        return replace(spec, merges=(merged,) * spec.depth) if merged else spec

    def sites(self) -> list[Site]:
        found = super().sites()
        if KEPT not in self.index:
            return found
        layers = [Site(site.name, (*site.genes, KEPT)) for site in found[1:-1]]
        return [found[0], *layers, Site(found[-1].name, ("embed", "depth", KEPT))]

    def to_dict(self) -> dict[str, Any]:
        kept = {KEPT: list(self.genes[self.index[KEPT]].values)} if KEPT in self.index else {}
        return {**super().to_dict(), **kept}
