"""Plain ViTs: one width and depth, heads and MLP of each layer (AutoFormer's space and others)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar

from ..errors import UserError
from ..models import Block, Spec
from ..models.checks import check_known_fields
from ..models.families.vit.spec import LARGEST_DEPTH, ViTLayer, ViTSpec
from .gene import Gene, Need, Value, choices_of
from .search_space import SearchSpace, Site

# What is the same for all models of a space: the fields of a ViTSpec that are no dims of layers.
FRAME = {
    field.name: field.default
    for field in fields(ViTSpec)
    if field.default is not MISSING and field.name not in ("name", "merges")
}
CHOICES = ("embed", "depth", "heads", "qk", "v", "mlp", "mlp_ratio")


@dataclass(frozen=True)
class ViTSearchSpace(SearchSpace):
    """Chen et al. 2021 (AutoFormer), section 3: embed and depth of the model, the rest by layer.

    `mlp` is a layer's hidden width, or `mlp_ratio` times embed. qk and v are of one head.
    """

    family: ClassVar[str] = "vit"

    frame: tuple[tuple[str, Any], ...] = ()
    choices: tuple[tuple[str, tuple[Value, ...]], ...] = ()

    @classmethod
    def from_fields(cls, name: str, record: Mapping[str, Any]) -> ViTSearchSpace:
        """Return the space of a file's fields; raises UserError naming the wrong one."""
        check_known_fields(record, [*CHOICES, *FRAME])
        if ("mlp" in record) == ("mlp_ratio" in record):
            raise UserError("give one of mlp and mlp_ratio: the choices of an MLP's hidden width.")
        for field in ("embed", "depth", "heads"):
            if field not in record:
                raise UserError(f"the field '{field}' is missing; give its choices.")
        embed = Gene.of("embed", choices_of(record, "embed"), "model")
        depth = Gene.of("depth", choices_of(record, "depth"), "model", deepens=True)
        by_layer = ("heads", "qk", "v", "mlp" if "mlp" in record else "mlp_ratio")
        head_width = choices_of(record, "qk", 64)
        given = {
            "heads": choices_of(record, "heads"),
            "qk": head_width,
            "v": choices_of(record, "v", head_width),
            by_layer[3]: choices_of(record, by_layer[3]),
        }
        lists = {
            field: Gene.of(field, values, "", fractions=field == "mlp_ratio").values
            for field, values in given.items()
        }
        if depth.values[-1] > LARGEST_DEPTH:
            raise UserError(f"depth={depth.values[-1]} is above {LARGEST_DEPTH}.")
        genes = [embed, depth]
        for layer in range(1, int(depth.values[-1]) + 1):
            needs = Need("depth", layer) if layer > depth.values[0] else None
            genes += [
                Gene(f"layer-{layer}.{field}", lists[field], f"layer-{layer}", needs=needs)
                for field in by_layer
            ]
        frame = {field: record[field] for field in FRAME if field in record}
        space = cls(
            name,
            tuple(genes),
            frame=tuple(frame.items()),
            choices=(
                ("embed", embed.values),
                ("depth", depth.values),
                *((field, tuple(values)) for field, values in lists.items()),
            ),
        )
        space.supernet_spec()  # refuses a frame that no ViT has
        return space

    def to_dict(self) -> dict[str, Any]:
        lists = {field: list(values) for field, values in self.choices}
        return {"family": self.family, "name": self.name, **dict(self.frame), **lists}

    def build(self, values: Mapping[str, Value], name: str) -> Spec:
        embed = int(values["embed"])
        layers = []
        for layer in range(1, int(values["depth"]) + 1):
            of = {field: values.get(f"layer-{layer}.{field}") for field in CHOICES}
            mlp = of["mlp"] if of["mlp"] is not None else round(embed * (of["mlp_ratio"] or 0))
            layers.append(
                ViTLayer(int(of["heads"] or 0), int(of["qk"] or 0), int(of["v"] or 0), int(mlp))
            )
        return ViTSpec(name=name, embed=embed, layers=tuple(layers), **dict(self.frame))

    def sites(self) -> list[Site]:
        layers = sorted({g.block for g in self.genes if g.block != "model"}, key=_number)
        names = {
            block: tuple(gene.name for gene in self.genes if gene.block == block)
            for block in layers
        }
        return [
            Site("patch_embed", ("embed",)),
            *[Site(layer, ("embed", *names[layer])) for layer in layers],
            Site("classifier", ("embed",)),
        ]

    def blocks_by_site(self, spec: Spec) -> dict[str, list[Block]]:
        assert isinstance(spec, ViTSpec)
        found = {"patch_embed": [spec.patch_embed_block()]}
        for number, layer in enumerate(spec.layers, start=1):
            halves = (spec.attention_block(layer), spec.mlp_block(layer))
            found[f"layer-{number}"] = [half for half in halves if half is not None]
        return {**found, "classifier": [spec.classifier_block()]}


def _number(layer: str) -> int:
    return int(layer.rpartition("-")[2])


def autoformer(
    name: str,
    embed: tuple[int, ...],
    heads: tuple[int, ...],
    ratios: tuple[float, ...],
    depth: tuple[int, ...],
) -> ViTSearchSpace:
    """Return one of AutoFormer's three spaces (Chen et al. 2021, table 1).

    There a head's Q, K and V are 64 wide each, so that the choices of their joint width are those
    of the heads.
    """
    return ViTSearchSpace.from_fields(
        name,
        {
            "embed": list(embed),
            "depth": list(depth),
            "heads": list(heads),
            "qk": 64,
            "mlp_ratio": list(ratios),
        },
    )


AUTOFORMERS = {
    "autoformer-tiny": ((192, 216, 240), (3, 4), (3.5, 4.0), (12, 13, 14)),
    "autoformer-small": ((320, 384, 448), (5, 6, 7), (3.0, 3.5, 4.0), (12, 13, 14)),
    "autoformer-base": ((528, 576, 624), (8, 9, 10), (3.0, 3.5, 4.0), (14, 15, 16)),
}
