"""ReViT: a transformer's widths redistributed by rule (Yang et al. 2023 (NViT), section 5.4)."""

from __future__ import annotations

from dataclasses import replace

from ....errors import UserError
from ...checks import check_whole_number
from ..swin.spec import SwinSpec, SwinStage
from .spec import LARGEST_DEPTH, LARGEST_WIDTH, ViTLayer, ViTSpec

V_OF_A_HEAD = 64


def revit_layers(embed: int, depth: int = 12) -> tuple[ViTLayer, ...]:
    """Return the layers of Table 6: H = ε·EMB/100, QK = ε·EMB/20, V = 64, MLP = 3·ε·EMB.

    ε is 2 in the middle half of the layers (4 to 9 of 12) and 1 towards both ends. H is the nearest
    even number, QK the nearest multiple of 8, and neither is less than that. Raises UserError for
    values out of range.
    """
    check_whole_number("embed", embed, 1, LARGEST_WIDTH)
    check_whole_number("depth", depth, 1, LARGEST_DEPTH)
    first, end = round(depth / 4), round(3 * depth / 4)
    return tuple(_layer(embed, 2 if first <= place < end else 1) for place in range(depth))


def _layer(embed: int, epsilon: int) -> ViTLayer:
    return ViTLayer(
        heads=_nearest(epsilon * embed / 100, 2),
        qk=_nearest(epsilon * embed / 20, 8),
        v=V_OF_A_HEAD,
        mlp=3 * epsilon * embed,
    )


def _nearest(value: float, step: int) -> int:
    return max(round(value / step), 1) * step


def revit_spec(embed: int, depth: int = 12, name: str = "custom") -> ViTSpec:
    """Return a ReViT at 224 pixels; the paper's -S is 384 wide, its -T 176."""
    return ViTSpec(embed=embed, layers=revit_layers(embed, depth), name=name)


def with_revit_stage(spec: SwinSpec, stage: int) -> SwinSpec:
    """Return the Swin with the rule applied to one stage, counted from 0, by its own width.

    A head of a Swin is 32 wide where one of a ViT is 64: H is taken twice and V halved, so that
    what the heads carry together is the rule's. Raises UserError for a stage that is not there.
    """
    if not 0 <= stage < len(spec.stages):
        raise UserError(f"stage {stage} is not one of {spec.name}'s, 0 to {len(spec.stages) - 1}.")
    old = spec.stages[stage]
    layers = tuple(
        ViTLayer(2 * layer.heads, layer.qk, V_OF_A_HEAD // 2, layer.mlp)
        for layer in revit_layers(old.embed, len(old.layers))
    )
    stages = list(spec.stages)
    stages[stage] = SwinStage(old.embed, layers)
    return replace(spec, stages=tuple(stages), name=f"{spec.name}-revit")
