"""Families of equal tokens: one width and depth, heads and MLP of each layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from ..errors import UserError
from ..models import BertSpec, Block, Spec, ViTLayer, ViTSpec
from ..models.checks import check_known_fields
from ..models.families.vit.spec import LARGEST_DEPTH
from .gene import Gene, Need, Value, choices_of
from .space import SearchSpace, Site

FIELDS = ("embed", "depth", "heads", "qk", "v", "mlp", "mlp_ratio")
Levels = Mapping[str, Mapping[str, tuple[int, ...]]]


def layer_levels(
    widths: Mapping[str, tuple[int, ...]], ends: Levels, beside: tuple[int, ...]
) -> Levels:
    """Return the levels of all ops: a layer's are the choices of its widths.

    ends: those of what stands before and behind the layers; beside: further widths of an MLP.
    """
    (stem, before), (head, behind) = ends.items()
    mlp = tuple(sorted({*widths["mlp"], *beside}))
    return {
        stem: before,
        "attention": {axis: widths[axis] for axis in ("embed", "heads", "qk", "v")},
        "mlp": {"embed": widths["embed"], "mlp": mlp},
        head: behind,
    }


@dataclass(frozen=True)
class LayeredSpace(SearchSpace):
    """Chen et al. 2021 (AutoFormer), section 3: embed and depth of the model, the rest by layer.

    `mlp` is a layer's hidden width, or `mlp_ratio` times embed. qk and v are of one head.
    """

    # The names of what stands before and behind the layers.
    ends: ClassVar[tuple[str, str]]

    lists: tuple[tuple[str, tuple[Value, ...]], ...] = ()

    @classmethod
    def from_fields(cls, name: str, record: Mapping[str, Any]) -> Self:
        """Return the space of a file's fields; raises UserError naming the wrong one."""
        check_known_fields(record, [*FIELDS, *cls.frame_fields()])
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
        space = cls(
            name,
            tuple(genes),
            frame=cls.framed(record),
            lists=(("embed", embed.values), ("depth", depth.values), *lists.items()),
        )
        space.supernet_spec()  # refuses a frame that no model has
        return space

    def narrowed(self, name: str, values: Mapping[str, tuple[Value, ...]]) -> Self:
        """Return the space with these values of some of its genes, alike in all layers."""
        found = {gene.rpartition(".")[2]: choices for gene, choices in values.items()}
        lists = tuple((field, found.get(field, choices)) for field, choices in self.lists)
        return replace(super().narrowed(name, values), lists=lists)

    def to_dict(self) -> dict[str, Any]:
        lists = {field: list(values) for field, values in self.lists}
        return {"family": self.family, "name": self.name, **self.frame_as_json(), **lists}

    def build(self, values: Mapping[str, Value], name: str) -> Spec:
        embed = int(values["embed"])
        layers = []
        for layer in range(1, int(values["depth"]) + 1):
            of = {field: values.get(f"layer-{layer}.{field}") for field in FIELDS}
            mlp = of["mlp"] if of["mlp"] is not None else round(embed * (of["mlp_ratio"] or 0))
            layers.append(
                ViTLayer(int(of["heads"] or 0), int(of["qk"] or 0), int(of["v"] or 0), int(mlp))
            )
        fields: dict[str, Any] = {"embed": embed, "layers": tuple(layers), **dict(self.frame)}
        return self.makes(name=name, **fields)

    def sites(self) -> list[Site]:
        of_layers: dict[str, list[str]] = {}
        for gene in self.genes:
            if gene.block == "model":
                continue
            of_layers.setdefault(gene.block, []).append(gene.name)
        before, behind = self.ends
        return [
            Site(before, ("embed",)),
            *[Site(layer, ("embed", *genes)) for layer, genes in of_layers.items()],
            Site(behind, ("embed",)),
        ]

    def blocks_by_site(self, spec: Spec) -> dict[str, list[Block]]:
        assert isinstance(spec, ViTSpec | BertSpec)
        blocks = iter(spec.blocks())
        before, behind = self.ends
        found = {before: [next(blocks)]}
        for number, layer in enumerate(spec.layers, start=1):
            halves = bool(layer.heads) + bool(layer.mlp)
            if isinstance(spec, ViTSpec):
                halves += bool(spec.merges[number - 1])
            found[f"layer-{number}"] = [next(blocks) for _ in range(halves)]
        return {**found, behind: [next(blocks)]}
