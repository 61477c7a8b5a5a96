"""EfficientViT's space: width, depth and heads of each stage, QK and FFN ratio of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from ..errors import UserError
from ..models import Block, Spec
from ..models.checks import check_known_fields, shown
from ..models.families.efficientvit.spec import EfficientViTSpec
from ..models.families.efficientvit.stage import EfficientViTStage
from .gene import Gene, Value, choices_of
from .search_space import SearchSpace, Site

CHOICES = ("embed", "depth", "heads")
OF_MODEL = ("qk", "ffn_ratio")
FRAME = tuple(
    field.name
    for field in fields(EfficientViTSpec)
    if field.default is not MISSING and field.name not in ("name", *OF_MODEL)
)


@dataclass(frozen=True)
class EfficientViTSearchSpace(SearchSpace):
    """Liu et al. 2023, table 1 and section 3: the dims that its six models differ in, and more.

    Widths never shrink along the stages, and heads divide the width they share.
    """

    family: ClassVar[str] = "efficientvit"

    frame: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def from_fields(cls, name: str, record: Mapping[str, Any]) -> EfficientViTSearchSpace:
        """Return the space of a file's fields; raises UserError naming the wrong one."""
        check_known_fields(record, ["stage", *OF_MODEL, *FRAME])
        stages = record.get("stage")
        if not isinstance(stages, list | tuple) or not stages:
            raise UserError("the field 'stage' must be a list of stages, each with its choices.")
        genes = [
            Gene.of("qk", choices_of(record, "qk", 16), "model"),
            Gene.of("ffn_ratio", choices_of(record, "ffn_ratio", 2), "model", fractions=True),
        ]
        for number, stage in enumerate(stages, start=1):
            if not isinstance(stage, Mapping):
                raise UserError(f"stage {number}: {shown(stage)} must be a table of choices.")
            block = f"stage-{number}"
            try:
                check_known_fields(stage, CHOICES)
            except UserError as error:
                raise UserError(f"{block}: {error}") from None
            for field in CHOICES:
                if field not in stage:
                    raise UserError(f"{block}: the field '{field}' is missing; give its choices.")
                genes.append(
                    Gene.of(
                        f"{block}.{field}",
                        choices_of(stage, field),
                        block,
                        deepens=field == "depth",
                    )
                )
        numbers = range(1, len(stages) + 1)
        space = cls(
            name,
            tuple(genes),
            never_shrink=tuple(f"stage-{n}.embed" for n in numbers),
            shared_out=tuple((f"stage-{n}.embed", f"stage-{n}.heads") for n in numbers),
            frame=tuple(
                (field, tuple(value) if isinstance(value := record[field], list) else value)
                for field in FRAME
                if field in record
            ),
        )
        for candidate in (space.smallest(), space.largest(), *space._with_each_first_width()):
            space.spec(candidate)  # refuses what no EfficientViT has
        return space

    def _with_each_first_width(self) -> list[np.ndarray]:
        """Return a candidate for each width of the first stage: the stem divides it once more."""
        width, by = self.index["stage-1.embed"], self.index["stage-1.heads"]
        made = []
        for choice, divides in enumerate(self.divisions[width, by]):
            if divides.any():
                candidate = self.largest()
                candidate[[width, by]] = choice, int(divides.argmax())
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
            **{f: list(v) if isinstance(v, tuple) else v for f, v in self.frame},
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
