"""AutoViTs: the paper's 46 modules and what its models need beside them; its search spaces.

Kong et al. 2025, table 1 and sections 3.2 to 3.5. Convolutions, MBConv stages and transformer
stages; the layers of a stage are alike.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any, Self

from ..errors import UserError
from ..models import Block, Spec
from ..models.checks import check_flag, check_known_fields, shown
from ..models.families.autovit.known import (
    ENTRY_EXPANSION,
    HEAD_WIDTH,
    MBCONV_STRIDES,
    TRANSFORMER_STRIDES,
)
from ..models.families.autovit.spec import STEM_STRIDE, AutoViTSpec
from ..models.families.autovit.stages import MBConvStage, TransformerStage
from ..models.ops.codes import ACTIVATIONS, code
from .gene import Gene, Need, Value, choices_of
from .slabs import Slab
from .space import SearchSpace, Site
from .staged_slabs import StagedSlabs
from .stages import stage_genes, stages_of

RESOLUTION, CLASSES = 256, 1000
# Channels of the first MBConv stages, and around the transformer layers: their convolutions' work
# grows with the square, so each width that occurs is a level.
STEMS, FIRST, SECOND, CHANNELS = (16, 24), (16, 24, 32), (24, 32, 48), (32, 48, 64)
# Per transformer stage, from the least of the search spaces to AutoViT-S: width, hidden width.
LAYERS = (
    ((48, 128), (48, 192)),
    ((64, 176), (96, 352)),
    ((80, 224), (120, 448)),
    ((96, 272), (144, 448)),
)
HEADS, DEPTHS = (2, 9), (2, 5)
POOLED = (1000, 1560)


class AutoViTSlabs(StagedSlabs):
    """Slabs of every op at every stage's map, and the modules of the paper's table."""

    name = "autovit"
    whole_models = 24
    whole_models_up_to = 1.0
    ops = ("conv", "mbconv", "mobilevit", "mbpool", "linear_classifier")
    widths = frozenset({"in_channels", "out_channels", "embed", "heads", "qk", "v", "mlp", "depth"})

    @classmethod
    def default_slabs(cls, resolution: int | None, classes: int | None) -> list[Slab]:
        image = resolution or RESOLUTION
        # Refuses an image that the strides and patches do not divide.
        replace(_of_the_paper()[0].supernet_spec(), resolution=image)  # type: ignore[call-arg]
        common = {"kernel": 3, "activation": code(ACTIVATIONS, "silu", "activation")}
        map_only = {"activation": common["activation"]}

        def mbconv(
            side: int, stride: int, expansion: int, inner: tuple[int, ...], outer: tuple[int, ...]
        ) -> Slab:
            frame = {**common, "expansion": expansion, "stride": stride, "resolution": side}
            return Slab("mbconv", frame, {"in_channels": inner, "out_channels": outer})

        half, quarter = image // STEM_STRIDE, image // STEM_STRIDE // 2
        slabs = [
            Slab(
                "conv",
                {**common, "stride": STEM_STRIDE, "resolution": image},
                {"in_channels": (3,), "out_channels": STEMS},
            ),
            mbconv(half, 1, 1, FIRST, FIRST),
            mbconv(half, 2, 1, FIRST, SECOND),
            mbconv(quarter, 1, 1, (*SECOND, CHANNELS[-1]), (*SECOND, CHANNELS[-1])),
            # Table 5's models expand by 2 in these stages, the search spaces by 1.
            mbconv(half, 2, 2, FIRST[:2], SECOND[:2]),
            mbconv(quarter, 1, 2, SECOND[:2], SECOND[:2]),
        ]
        side = quarter
        for stage, (embed, mlp) in enumerate(LAYERS):
            slabs.append(mbconv(side, 2, 4, CHANNELS, CHANNELS))
            side //= 2
            slabs.append(
                Slab(
                    "mobilevit",
                    {**common, "patch": 2, "resolution": side},
                    {
                        "in_channels": CHANNELS,
                        "embed": embed,
                        "heads": HEADS,
                        "qk": (HEAD_WIDTH,),
                        "v": (HEAD_WIDTH,),
                        "mlp": mlp,
                        "depth": DEPTHS,
                    },
                )
            )
            if stage >= 2:  # a model may end here
                slabs.append(
                    Slab(
                        "mbpool",
                        {**map_only, "resolution": side},
                        {
                            "in_channels": CHANNELS,
                            "mlp": tuple(6 * width for width in CHANNELS),
                            "out_channels": POOLED,
                        },
                    )
                )
        slabs.append(Slab("linear_classifier", {"classes": classes or CLASSES}, {"embed": POOLED}))
        return slabs

    @classmethod
    def possible(cls, slab: Slab) -> Slab:
        """Return the slab with the ends of the layers' widths, and the channels that occur.

        Work grows with the square of the channels, so nothing is interpolated to half of them.
        """
        levels = dict(slab.levels)
        for axis, values in levels.items():
            if axis in ("in_channels", "out_channels"):
                levels[axis] = values[1:] if len(values) > 1 else values
            elif axis in ("qk", "v"):
                levels[axis] = values[-1:]
            else:
                levels[axis] = tuple(sorted({values[0], values[-1]}))
        return replace(slab, levels=levels)

    def blocks(self) -> list[Block]:
        """Return every block; where the image is the paper's, its 46 modules first."""
        stems = {slab.frame["resolution"] for slab in self.find("conv")}
        modules = latency_table_modules() if stems == {RESOLUTION} and self._is_default else []
        return list(dict.fromkeys((*modules, *super().blocks())))

    @property
    def _is_default(self) -> bool:
        return {slab.key for slab in self.own_slabs} == {
            slab.key for slab in self.default_slabs(None, None)
        }

    def draw(self, rng: random.Random, name: str) -> Spec:
        """Return a random model of one of the paper's three search spaces."""
        space = rng.choice(_of_the_paper())
        image = rng.choice(self.find("conv")).frame["resolution"]
        head = rng.choice(self.find("linear_classifier"))
        genes = {gene.name: gene for gene in space.genes}
        values = {
            f"{stage.name}.{choice}": rng.choice(genes[f"{stage.name}.{choice}"].values)
            for stage in space.mbconvs
            for choice in MBCONV_CHOICES
        }
        values["stages"] = rng.choice(genes["stages"].values)
        for stage in space.transformers[: int(values["stages"])]:
            for choice in TRANSFORMER_CHOICES:
                choices = genes[f"{stage.name}.{choice}"].values
                values[f"{stage.name}.{choice}"] = rng.choice(choices)
        for width in ("pool.width", "stem.width"):
            values[width] = rng.choice(genes[width].values)
        classes = head.frame.get("classes", CLASSES)
        drawn: Any = space.build(values, name)
        return replace(drawn, resolution=image, classes=classes)


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


# Of a stage, what is the same for all models.
MBCONV_FRAME: dict[str, int | None] = {"stride": None, "kernel": 3}
TRANSFORMER_FRAME: dict[str, int | None] = {
    "stride": None,
    "kernel": 3,
    "qk": HEAD_WIDTH,
    "v": HEAD_WIDTH,
    "expansion": ENTRY_EXPANSION,
}
MBCONV_CHOICES = ("width", "depth", "expansion")
TRANSFORMER_CHOICES = ("width", "depth", "heads", "ratio")


@dataclass(frozen=True)
class Stage:
    """A stage's name, and what is the same in all models: its stride, kernel and so on."""

    name: str
    frame: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class AutoViTSpace(SearchSpace):
    """Kong et al. 2025, section 3.2 and table 1: each stage has a width, a depth and more.

    The maps around the transformer layers keep the last MBConv stage's width, as docs/autovit.md
    says. `ratio` is an MLP's hidden width over its layer's width.
    """

    family = "autovit"
    makes = AutoViTSpec
    not_in_frame = ("stem_width",)

    mbconvs: tuple[Stage, ...] = ()
    transformers: tuple[Stage, ...] = ()

    @classmethod
    def known(cls) -> Mapping[str, Mapping[str, Any]]:
        return {**AUTOVITS, WHOLE: _union(list(AUTOVITS.values()))}

    @classmethod
    def slabs(cls) -> type[AutoViTSlabs]:
        return AutoViTSlabs

    @classmethod
    def from_fields(cls, name: str, record: Mapping[str, Any]) -> Self:
        """Return the space of a file's fields; raises UserError naming the wrong one."""
        own = ("stem_width", "pool_width", "stages", "mbconv", "transformer", "widths_never_shrink")
        check_known_fields(record, [*own, *cls.frame_fields()])
        mbconvs, transformers = stages_of(record, "mbconv"), stages_of(record, "transformer")
        for field in ("stem_width", "pool_width"):
            if field not in record:
                raise UserError(f"the field '{field}' is missing; give its choices.")
        stages = Gene.of(
            "stages", choices_of(record, "stages", len(transformers)), "model", deepens=True
        )
        if stages.values[-1] > len(transformers):
            raise UserError(
                f"stages={shown(list(stages.values))} asks for more transformer stages than the "
                f"{len(transformers)} that are described."
            )
        transformers = transformers[: int(stages.values[-1])]
        genes = [Gene.of("stem.width", choices_of(record, "stem_width"), "stem"), stages]
        for number, stage in enumerate(mbconvs, start=1):
            genes += stage_genes(
                stage,
                f"mbconv-{number}",
                MBCONV_CHOICES,
                defaults={"expansion": [1]},
                frame=MBCONV_FRAME,
            )
        for number, stage in enumerate(transformers, start=1):
            needs = Need("stages", number) if number > stages.values[0] else None
            genes += stage_genes(
                stage,
                f"transformer-{number}",
                TRANSFORMER_CHOICES,
                frame=TRANSFORMER_FRAME,
                needs=needs,
            )
        genes.append(Gene.of("pool.width", choices_of(record, "pool_width"), "pool"))
        never_shrinks = record.get("widths_never_shrink", True)
        check_flag("widths_never_shrink", never_shrinks)
        widths = tuple(
            gene.name for gene in genes if gene.name.endswith(".width") and gene.block != "pool"
        )
        space = cls(
            name,
            tuple(genes),
            widths if never_shrinks else (),
            frame=cls.framed(record),
            mbconvs=tuple(
                _framed(s, f"mbconv-{n}", MBCONV_FRAME) for n, s in enumerate(mbconvs, 1)
            ),
            transformers=tuple(
                _framed(s, f"transformer-{n}", TRANSFORMER_FRAME)
                for n, s in enumerate(transformers, 1)
            ),
        )
        for candidate in (space.smallest(), space.largest()):
            space.spec(candidate)  # refuses what no AutoViT has
        return space

    def to_dict(self) -> dict[str, Any]:
        values = {gene.name: list(gene.values) for gene in self.genes}

        def stage(of: Stage, choices: Sequence[str]) -> dict[str, Any]:
            return {c: values[f"{of.name}.{c}"] for c in choices} | dict(of.frame)

        return {
            "family": self.family,
            "name": self.name,
            **self.frame_as_json(),
            "stem_width": values["stem.width"],
            "pool_width": values["pool.width"],
            "stages": values["stages"],
            "widths_never_shrink": bool(self.never_shrink),
            "mbconv": [stage(s, MBCONV_CHOICES) for s in self.mbconvs],
            "transformer": [stage(s, TRANSFORMER_CHOICES) for s in self.transformers],
        }

    def build(self, values: Mapping[str, Value], name: str) -> Spec:
        def whole(stage: Stage, field: str) -> int:
            return int(values[f"{stage.name}.{field}"])

        mbconvs = tuple(
            MBConvStage(
                whole(stage, "width"),
                whole(stage, "depth"),
                whole(stage, "expansion"),
                **dict(stage.frame),
            )
            for stage in self.mbconvs
        )
        transformers = tuple(
            TransformerStage(
                channels=mbconvs[-1].width,
                embed=whole(stage, "width"),
                depth=whole(stage, "depth"),
                heads=whole(stage, "heads"),
                mlp=max(round(values[f"{stage.name}.ratio"] * whole(stage, "width")), 1),
                **dict(stage.frame),
            )
            for stage in self.transformers[: int(values["stages"])]
        )
        return AutoViTSpec(
            name=name,
            mbconvs=mbconvs,
            transformers=transformers,
            stem_width=int(values["stem.width"]),
            pool_width=int(values["pool.width"]),
            **dict(self.frame),
        )

    def sites(self) -> list[Site]:
        own = {
            block: tuple(gene.name for gene in self.genes if gene.block == block)
            for block in dict.fromkeys(gene.block for gene in self.genes)
        }
        sites = [Site("stem", ("stem.width",))]
        for before, stage in pairwise(("stem", *(s.name for s in self.mbconvs))):
            sites.append(Site(stage, (f"{before}.width", *own[stage])))
        last = f"{self.mbconvs[-1].name}.width"
        sites += [Site(stage.name, (last, *own[stage.name])) for stage in self.transformers]
        return [
            *sites,
            Site("pool", (last, "stages", "pool.width")),
            Site("classifier", ("pool.width",)),
        ]

    def blocks_by_site(self, spec: Spec) -> dict[str, list[Block]]:
        assert isinstance(spec, AutoViTSpec)
        blocks = iter(spec.blocks())
        found = {"stem": [next(blocks)]}
        for stage, conv in zip(self.mbconvs, spec.mbconvs, strict=True):
            found[stage.name] = [next(blocks) for _ in range(conv.depth)]
        for stage, _ in zip(self.transformers, spec.transformers, strict=False):
            found[stage.name] = [next(blocks), next(blocks)]  # an MBConv, then the layers
        return {**found, "pool": [next(blocks)], "classifier": [next(blocks)]}


def _framed(stage: Mapping[str, Any], name: str, frame: Mapping[str, int | None]) -> Stage:
    if "stride" not in stage:
        raise UserError(f"{name}: the field 'stride' is missing; it is 1 or 2.")
    return Stage(name, tuple((f, stage.get(f, default)) for f, default in frame.items()))


def _of_table_1(
    mbconvs: Sequence[tuple[int, int]],
    transformers: Sequence[tuple[int, int]],
    heads: Sequence[int],
    pool: Sequence[int],
) -> dict[str, Any]:
    """Return one of the paper's three spaces, its gaps filled as docs/autovit.md says.

    mbconvs, transformers: the two widths of each stage.
    """
    depths = ((1, 2), (2, 3), (2, 3))
    return {
        "stem_width": (16, 24),
        "pool_width": pool,
        "stages": (3, 4),
        "mbconv": [
            {"width": width, "depth": depth, "expansion": 1, "stride": stride}
            for width, depth, stride in zip(mbconvs, depths, MBCONV_STRIDES, strict=True)
        ],
        "transformer": [
            {
                "width": width,
                "depth": (2, 3, 4, 5),
                "heads": heads,
                "ratio": (1.5, 2.0),
                "stride": s,
            }
            for width, s in zip(transformers, TRANSFORMER_STRIDES, strict=True)
        ],
    }


AUTOVITS = {
    "autovit-xxs": _of_table_1(
        ((16, 24), (24, 32), (32, 48)),
        ((48, 64), (64, 80), (80, 96), (96, 112)),
        (2, 3, 4),
        (1000, 1280),
    ),
    "autovit-xs": _of_table_1(
        ((24, 32), (32, 48), (48, 64)),
        ((64, 80), (80, 96), (96, 112), (112, 128)),
        (4, 5, 6),
        (1000, 1280),
    ),
    "autovit-s": _of_table_1(
        ((24, 32), (32, 48), (48, 64)),
        ((64, 96), (96, 128), (128, 160), (160, 192)),
        (7, 8, 9),
        (1280, 1560),
    ),
}


# Section 5.2: one space in place of the three.
WHOLE = "autovit-all"


def _union(spaces: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the space with the choices of all; fields that are no choices are the same in all."""

    def joined(values: Sequence[Any]) -> Any:
        if isinstance(values[0], Mapping):
            return _union(values)
        if isinstance(values[0], list):
            return [joined(nth) for nth in zip(*values, strict=True)]
        if isinstance(values[0], tuple):
            return tuple(sorted({value for each in values for value in each}))
        return values[0]

    return {field: joined([space[field] for space in spaces]) for field in spaces[0]}


@cache
def _of_the_paper() -> list[AutoViTSpace]:
    return [AutoViTSpace.from_fields(name, fields) for name, fields in AUTOVITS.items()]
