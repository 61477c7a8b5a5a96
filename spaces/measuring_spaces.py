"""The measuring spaces by name, one a family."""

from __future__ import annotations

import importlib

from ..errors import UserError, did_you_mean
from ..models import Block, Spec
from ..models.ablations import single_variants
from ..tables import LatencyTable
from .measuring_space import FamilySpace, Space
from .staged_slabs import StagedSpace

_SPACES = {
    "vit": (".vit_slabs", "VitSpace"),
    "efficientvit": (".efficientvit_slabs", "EfficientViTSpace"),
    "autovit": (".autovit_slabs", "AutoViTSpace"),
    "swin": (".swin_slabs", "SwinSpace"),
    "vgg": (".vgg_slabs", "VggSpace"),
    "bert": (".bert_slabs", "BertSpace"),
}

SPACES = tuple(_SPACES)


def space_class(name: str) -> type[FamilySpace]:
    """Return the space of a family; raises UserError naming the nearest known one."""
    if name not in _SPACES:
        raise UserError(f"unknown space '{name}'{did_you_mean(name, _SPACES)}.")
    module, class_name = _SPACES[name]
    found: type[FamilySpace] = getattr(importlib.import_module(module, __package__), class_name)
    return found


def spaces_of_table(table: LatencyTable, name: str | None = None) -> list[FamilySpace]:
    """Return the space of each family that a table holds, or of the one that is named.

    The families are those of its whole models; of a table without any, those whose ops it has.
    Raises UserError where there is none, or the named one is not covered.
    """
    if name is not None:
        return [space_class(name).of_table(table)]
    families = dict.fromkeys(row.subject.family for row in table.model_rows)  # type: ignore[union-attr]
    known = [family for family in families if family in _SPACES]
    if known:
        return [space_class(family).of_table(table) for family in known]
    found = []
    reason: UserError | None = None
    for family in SPACES:
        try:
            found.append(space_class(family).of_table(table))
        except UserError as error:
            reason = reason or error
    if not found and reason is not None:
        raise reason
    return found


def with_variants(space: Space, spec: Spec) -> Space:
    """Return the space with what the variants of a model need that differ in one choice.

    Raises UserError for a model of another family, or one whose family has no variants.
    """
    if not isinstance(space, StagedSpace) or spec.family != space.name:
        raise UserError(
            f"--variants {spec.name} is of the family '{spec.family}', and the space is "
            f"'{space.name}'; give --space {spec.family}."
        )
    for variant in single_variants(spec):
        blocks = dict.fromkeys(variant.spec.blocks())
        if not all(map(space.covers, blocks)):
            space = space.with_slabs(space.covering(variant.spec).slabs)
    return space


def with_merging(space: Space) -> Space:
    """Return the space with models that merge tokens; UserError where the family has none."""
    from .vit_slabs import VitSpace

    if not isinstance(space, VitSpace):
        raise UserError(f"--merging: models of the space '{space.name}' merge no tokens; vit's do.")
    return space.with_merging()


def blocks_of_variants(spec: Spec) -> list[Block]:
    """Return the blocks of a model and of its variants that differ in one choice.

    What a choice costs should be measured and not interpolated: a V ratio of 0.4 makes widths that
    a runtime takes another path for than for those around them.
    """
    specs = [spec, *(variant.spec for variant in single_variants(spec))]
    return list(dict.fromkeys(block for one in specs for block in one.blocks()))
