"""The reference: what tells the machine's speed while a table is measured.

It has to follow the machine's speed for whole models, and those find their weights in memory and
not in a core's own cache. A block of 3 ms is noisier than the models it should correct
(docs/results/reference_block.md), and an MLP of DeiT-B wavers half as much as an EfficientViT,
whose every weight is used once (docs/families.md): there a whole model is the reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ..errors import UserError
from ..models import Block, Spec
from ..models.checks import shown
from .plan import Plan, Subject

# 19 MB of weights in fp32, and about 18 ms on one core of a server CPU.
TOKENS = 197
STANDARD = Block.of("mlp", embed=768, mlp=3072, tokens=TOKENS)


def choose_reference(plan: Plan, batch: int = 1) -> Subject | None:
    """Return what is to tell the machine's speed while a plan is measured; None for no points.

    Of the plan's MLPs, or its whole models where it has no MLP, the one whose run is nearest to
    STANDARD's; the first of equally near ones. STANDARD itself, its tokens shared out among the
    batch, where there is neither: of the other ops, some mostly move data about and waver by
    themselves.
    """
    subjects = [point.subject for point in plan.points]
    mlps = [one for one in subjects if isinstance(one, Block) and one.op == STANDARD.op]
    if mlps:
        return (_nearest(mlps, batch),)
    models = [one for one in subjects if isinstance(one, Spec)]
    if models:
        return _nearest(models, batch)
    tokens = max(1, round(TOKENS / batch))
    standard = Block.of("mlp", **{**STANDARD.as_dict(), "tokens": tokens})
    return (standard,) if subjects else None


One = TypeVar("One", Block, Spec)


def _nearest(among: Sequence[One], batch: int) -> One:
    return min(among, key=lambda one: abs(batch * one.macs - STANDARD.macs))


def reference_to_json(reference: Subject | None) -> object:
    """Return the header's words: a block's dims and op, a model's fields, or None."""
    if reference is None or isinstance(reference, Spec):
        return reference.to_dict() if reference else None
    (block,) = reference
    return block.as_dict_with_op()


def reference_of(header: Mapping[str, Any]) -> Subject | None:
    """Return the reference that a table's header names; None where it has none."""
    said = header.get("reference")
    if not isinstance(said, dict):
        return None
    try:
        return Spec.from_dict(said) if "family" in said else (Block.of(**said),)
    except (TypeError, UserError):
        raise UserError(
            f"the table's header names {shown(said)} as the reference, which is no block and no "
            "model; the file is damaged."
        ) from None
