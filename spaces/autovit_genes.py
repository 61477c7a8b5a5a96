"""AutoViT's spaces: convolutions, MBConv stages and transformer stages, layers of a stage alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import pairwise
from typing import Any, ClassVar

from ..errors import UserError
from ..models import Block, Spec
from ..models.checks import check_flag, check_known_fields, shown
from ..models.families.autovit.known import (
    ENTRY_EXPANSION,
    HEAD_WIDTH,
    MBCONV_STRIDES,
    TRANSFORMER_STRIDES,
)
from ..models.families.autovit.search_spaces import SEARCH_SPACES, AutoViTSearchSpace
from ..models.families.autovit.spec import AutoViTSpec
from ..models.families.autovit.stages import MBConvStage, TransformerStage
from .gene import Gene, Need, Value, choices_of
from .search_space import SearchSpace, Site

FRAME = tuple(
    field.name
    for field in fields(AutoViTSpec)
    if field.default is not MISSING and field.name not in ("name", "stem_width")
)
# Of a stage, what is the same for all models.
MBCONV_FRAME = {"stride": None, "kernel": 3}
TRANSFORMER_FRAME = {
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
class AutoViTFamilySpace(SearchSpace):
    """Kong et al. 2025, section 3.2 and table 1: each stage has a width, a depth and more.

    The maps around the transformer layers keep the last MBConv stage's width, as docs/autovit.md
    says. `ratio` is an MLP's hidden width over its layer's width.
    """

    family: ClassVar[str] = "autovit"

    frame: tuple[tuple[str, Any], ...] = ()
    mbconvs: tuple[Stage, ...] = ()
    transformers: tuple[Stage, ...] = ()

    @classmethod
    def from_fields(cls, name: str, record: Mapping[str, Any]) -> AutoViTFamilySpace:
        """Return the space of a file's fields; raises UserError naming the wrong one."""
        known = ("stem_width", "pool_width", "stages", "mbconv", "transformer",
                 "widths_never_shrink", *FRAME)  # fmt: skip
        check_known_fields(record, known)
        mbconvs, transformers = _stages_of(record, "mbconv"), _stages_of(record, "transformer")
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
            genes += _genes(stage, f"mbconv-{number}", MBCONV_CHOICES, None)
        for number, stage in enumerate(transformers, start=1):
            needs = Need("stages", number) if number > stages.values[0] else None
            genes += _genes(stage, f"transformer-{number}", TRANSFORMER_CHOICES, needs)
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
            frame=tuple((field, record[field]) for field in FRAME if field in record),
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
            **dict(self.frame),
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
                whole(stage, "width"), whole(stage, "depth"), whole(stage, "expansion"),
                **dict(stage.frame),
            )
            for stage in self.mbconvs
        )  # fmt: skip
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


def _stages_of(record: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    stages = record.get(field)
    if not isinstance(stages, list | tuple) or not stages:
        raise UserError(f"the field '{field}' must be a list of stages, each with its choices.")
    for number, stage in enumerate(stages, start=1):
        if not isinstance(stage, Mapping):
            raise UserError(f"{field} {number}: {shown(stage)} must be a table of choices.")
    return list(stages)


def _genes(
    stage: Mapping[str, Any], name: str, choices: Sequence[str], needs: Need | None
) -> list[Gene]:
    frame = MBCONV_FRAME if "expansion" in choices else TRANSFORMER_FRAME
    try:
        check_known_fields(stage, [*choices, *frame])
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    missing = [c for c in choices if c not in stage and c != "expansion"]
    if missing:
        raise UserError(f"{name}: the field '{missing[0]}' is missing; give its choices.")
    return [
        Gene.of(
            f"{name}.{choice}",
            choices_of(stage, choice, [1]),
            name,
            deepens=choice == "depth",
            needs=needs,
            fractions=choice == "ratio",
        )
        for choice in choices
    ]


def _framed(stage: Mapping[str, Any], name: str, frame: Mapping[str, int | None]) -> Stage:
    if "stride" not in stage:
        raise UserError(f"{name}: the field 'stride' is missing; it is 1 or 2.")
    return Stage(name, tuple((f, stage.get(f, default)) for f, default in frame.items()))


def of_the_paper(space: AutoViTSearchSpace) -> AutoViTFamilySpace:
    """Return one of the paper's three spaces (table 1), its gaps filled as docs/autovit.md says."""
    return AutoViTFamilySpace.from_fields(
        f"autovit-{space.name}",
        {
            "stem_width": space.stem_widths,
            "pool_width": space.pool_widths,
            "stages": space.stages,
            "mbconv": [
                {"width": c.widths, "depth": c.depths, "expansion": c.expansions, "stride": stride}
                for c, stride in zip(space.mbconvs, MBCONV_STRIDES, strict=True)
            ],
            "transformer": [
                {
                    "width": c.widths,
                    "depth": c.depths,
                    "heads": c.heads,
                    "ratio": c.ratios,
                    "stride": s,
                }
                for c, s in zip(space.transformers, TRANSFORMER_STRIDES, strict=True)
            ],
        },
    )


AUTOVITS = {f"autovit-{name}": space for name, space in SEARCH_SPACES.items()}
