"""The ViT space: which widths a table of plain Vision Transformers covers."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..errors import UserError, did_you_mean
from ..models import Block, ViTLayer, ViTSpec
from ..models.checks import shown
from ..tables import LatencyTable

# Levels per op and axis. The ends are DeiT-Ti's and DeiT-B's widths, and what pruning leaves.
# Latency is close to multilinear in the dims, so few levels suffice; see docs/fidelity.md.
DEFAULT_LEVELS: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "patch_embed": {"embed": (192, 384, 768)},
    "attention": {
        "embed": (192, 384, 576, 768),
        "heads": (1, 3, 6, 12),
        "qk": (16, 64),
        "v": (16, 64),
    },
    # 3072 floats are a multiple of 4 KiB, where many caches alias: on CPUs it is slower than its
    # neighbours, so it has one, and widths between are not interpolated from it.
    "mlp": {"embed": (192, 384, 576, 768), "mlp": (192, 768, 1536, 2304, 3040, 3072)},
    "classifier": {"embed": (192, 384, 768)},
}
# Every sampled width is a multiple of this, as a pruned or searched model's would be.
WIDTH_STEP = 8


@dataclass(frozen=True)
class VitSpace:
    """Levels of every axis, and the fixed frame (image, patch, classes) around them.

    `tokens` are the sequence lengths at which attention and MLP are measured; by default the one
    that resolution and patch give.
    """

    levels: Mapping[str, Mapping[str, tuple[int, ...]]] = field(
        default_factory=lambda: DEFAULT_LEVELS
    )
    resolution: int = 224
    patch: int = 16
    in_channels: int = 3
    classes: int = 1000
    prefix: int = 1
    heads_of_classifier: int = 1
    tokens: tuple[int, ...] = ()

    name = "vit"

    @classmethod
    def covering(cls, spec: ViTSpec) -> VitSpace:
        """Return the space of `spec` and everything narrower: what pruning it may leave."""
        if not isinstance(spec, ViTSpec):
            raise UserError(f"{spec.name or 'the model'} is not a plain ViT; the space is 'vit'.")
        # 0 is the width of a half that is absent.
        widths = {
            name: sorted({getattr(layer, name) for layer in spec.layers} - {0})
            for name in ("heads", "qk", "v", "mlp")
        }
        embeds = _fractions([spec.embed], (0.25, 0.5))
        levels: dict[str, Mapping[str, tuple[int, ...]]] = {"patch_embed": {"embed": embeds}}
        if widths["heads"]:
            most = widths["heads"][-1]
            levels["attention"] = {
                "embed": embeds,
                "heads": tuple(sorted({1, max(1, most // 2), most})),
                "qk": _fractions(widths["qk"], (0.25,)),
                "v": _fractions(widths["v"], (0.25,)),
            }
        if widths["mlp"]:
            levels["mlp"] = {
                "embed": _fractions([spec.embed], (0.25, 0.5, 0.75)),
                "mlp": _fractions(widths["mlp"], (1 / 16, 0.25, 0.5, 0.75)),
            }
        levels["classifier"] = {"embed": embeds}
        return cls(
            levels,
            spec.resolution,
            spec.patch,
            spec.in_channels,
            spec.classes,
            spec.prefix,
            2 if spec.distillation_head else 1,
        )

    @classmethod
    def of_table(cls, table: LatencyTable) -> VitSpace:
        """Return the space that a table of ViT blocks covers, on its levels and in its frame."""
        levels: dict[str, dict[str, tuple[int, ...]]] = {}
        frame: dict[str, dict[str, int]] = {}
        for op, axes in DEFAULT_LEVELS.items():
            grid = table.grid(op)
            spans = {
                a: tuple(int(v) for v in lv) for a, lv in zip(grid.axes, grid.levels, strict=True)
            }
            levels[op] = {axis: spans[axis] for axis in axes}
            frame[op] = {axis: span[-1] for axis, span in spans.items() if axis not in axes}
        stem, head = frame["patch_embed"], frame["classifier"]
        return cls(
            levels,
            resolution=stem["resolution"],
            patch=stem["kernel"],
            in_channels=stem["in_channels"],
            classes=head["classes"],
            prefix=stem["prefix"],
            heads_of_classifier=head["heads"],
        )

    def with_frame(self, **values: int | None) -> VitSpace:
        """Return the space with these of its fields replaced; None keeps what is there."""
        return replace(self, **{k: v for k, v in values.items() if v is not None})  # type: ignore[arg-type]

    def with_levels(self, text: str) -> VitSpace:
        """Return the space with the axes replaced that `text` names.

        `text` is "axis=1,2,3; op.axis=4,5"; an axis without an op is set for every op that has it.
        """
        levels = {op: dict(axes) for op, axes in self.levels.items()}
        tokens = self.tokens
        for part in filter(None, (piece.strip() for piece in text.split(";"))):
            name, _, values = part.partition("=")
            chosen = _parse_levels(values, part)
            op, _, axis = name.strip().rpartition(".")
            if axis == "tokens" and op:
                raise UserError(
                    f"--grid {shown(part)}: attention and mlp share their tokens; write tokens=..."
                )
            if axis == "tokens":
                tokens = chosen
                continue
            if op and op not in levels:
                raise UserError(
                    f"--grid {shown(part)}: unknown op '{op}'{did_you_mean(op, levels)}."
                )
            owners = [o for o in ([op] if op else levels) if axis in levels[o]]
            if not owners:
                known = {a for o in ([op] if op else levels) for a in levels[o]} | {"tokens"}
                raise UserError(
                    f"--grid {shown(part)}: unknown axis '{axis}'{did_you_mean(axis, known)}."
                )
            for owner in owners:
                levels[owner][axis] = chosen
        return replace(self, levels=levels, tokens=tokens)

    @property
    def own_tokens(self) -> int:
        """The sequence length that resolution, patch and prefix give."""
        return (self.resolution // self.patch) ** 2 + self.prefix

    def blocks(self) -> list[Block]:
        """Return every block of the full grid, op by op."""
        if self.resolution % self.patch:
            raise UserError(
                f"resolution {self.resolution} is not a multiple of patch {self.patch}."
            )
        frames: dict[str, list[dict[str, int]]] = {
            "patch_embed": [
                {
                    "in_channels": self.in_channels,
                    "resolution": self.resolution,
                    "kernel": self.patch,
                    "prefix": self.prefix,
                }
            ],
            "attention": [{"tokens": n} for n in self.tokens or (self.own_tokens,)],
            "mlp": [{"tokens": n} for n in self.tokens or (self.own_tokens,)],
            "classifier": [
                {
                    "heads": self.heads_of_classifier,
                    "classes": self.classes,
                    "tokens": self.own_tokens,
                }
            ],
        }
        return [
            Block.of(op, **frame, **dict(zip(axes, values, strict=True)))
            for op, axes in self.levels.items()
            for frame in frames[op]
            for values in itertools.product(*axes.values())
        ]

    def limited_to(self, points: int) -> VitSpace:
        """Return the space with levels taken out until it has at most `points` points.

        The level whose loss costs least is taken first: an inner one, closest (in ratio) to its
        neighbours; the two ends of an axis stay.
        """
        space = self
        while len(space.blocks()) > points:
            candidates = [
                (values[i + 1] / values[i - 1], op, axis, values[i])
                for op, axes in space.levels.items()
                for axis, values in axes.items()
                for i in range(1, len(values) - 1)
            ]
            if not candidates:
                raise UserError(
                    f"--points {points} is too few: the ends of every axis alone make "
                    f"{len(space.blocks())} points; narrow the --grid or allow more."
                )
            _, op, axis, level = min(candidates)
            levels = {o: dict(axes) for o, axes in space.levels.items()}
            levels[op][axis] = tuple(v for v in levels[op][axis] if v != level)
            space = replace(space, levels=levels)
        return space

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
                f"to {high}; measure both on a common range (vitprof measure --grid)."
            )
        return low, high

    def sample(
        self, rng: random.Random, depth: tuple[int, int] = (6, 12), name: str = "random"
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
            wanted = rng.uniform(*subranges.get(axis, (low, high)))
            first, last = -(-low // step), high // step
            if first > last:
                return rng.randint(low, high)
            return min(max(round(wanted / step), first), last) * step

        layers = [
            ViTLayer(
                heads=width("heads", 1),
                qk=width("qk", WIDTH_STEP),
                v=width("v", WIDTH_STEP),
                mlp=width("mlp", 2 * WIDTH_STEP),
            )
            for _ in range(rng.randint(*depth))
        ]
        return ViTSpec(
            embed=width("embed", 2 * WIDTH_STEP),
            layers=tuple(layers),
            patch=self.patch,
            resolution=self.resolution,
            in_channels=self.in_channels,
            classes=self.classes,
            distilled=self.prefix > 1,
            distillation_head=self.heads_of_classifier > 1,
            name=name,
        )

    def calibration_models(self, count: int, seed: int = 0) -> list[ViTSpec]:
        """Return `count` models to fit the line on: spread over the range of MACs.

        They are taken at even quantiles, up to the third quartile, of 16 random models each: a
        line needs spread, and the largest models cost most and tell no more.
        """
        rng = random.Random(f"calibration {seed}")  # noqa: S311 - reproducible models, not secrets
        candidates = sorted(
            (self.sample(rng, name=f"calibration-{seed}") for _ in range(16 * count)),
            key=lambda spec: spec.macs,
        )
        return [
            replace(candidates[round((i + 0.5) / count * 0.75 * len(candidates))],
                    name=f"calibration-{seed}-{i}")
            for i in range(count)
        ]  # fmt: skip


def _fractions(widths: Sequence[int], parts: Sequence[float]) -> tuple[int, ...]:
    """Return the largest of `widths` and these parts of it, in multiples of WIDTH_STEP.

    The least of `widths`, which ascend, is a level too where the parts do not reach down to it.
    """
    full = widths[-1]
    rounded = {
        min(full, max(WIDTH_STEP, round(full * part / WIDTH_STEP) * WIDTH_STEP)) for part in parts
    }
    return tuple(sorted({*rounded, full, min(widths[0], *rounded)}))


def _parse_levels(values: str, part: str) -> tuple[int, ...]:
    try:
        levels = tuple(sorted({int(value) for value in values.split(",")}))
    except ValueError:
        raise UserError(
            f"--grid {shown(part)} is not AXIS=NUMBER,NUMBER,...; an example: "
            '--grid "embed=192,384;attention.heads=1,3,6".'
        ) from None
    if levels[0] < 1:
        raise UserError(f"--grid {shown(part)}: {levels[0]} is not a width; give numbers from 1.")
    return levels
