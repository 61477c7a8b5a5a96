"""The ops a block can be: axes, MACs, parameters and shapes of each, without torch.

One file a family of ops. MACs are multiply-accumulates of matrix products and convolutions for
one image; normalisation, softmax, activations and additions are not counted, as is usual.
FLOPs, where printed, are 2 x MACs.
"""

from __future__ import annotations

from ...errors import UserError, did_you_mean
from ..families.autovit import ops as autovit
from ..families.bert import ops as bert
from ..families.efficientvit import ops as efficientvit
from ..families.swin import ops as swin
from ..families.vgg import ops as vgg
from ..families.vit.ops import (
    ATTENTION,
    BIPARTITE_MERGING,
    CLASSIFIER,
    MLP,
    PATCH_EMBED,
    PROPORTIONAL_ATTENTION,
)
from .foreign import FOREIGN_OPS
from .op import Op

OPS: dict[str, Op] = {
    op.name: op
    for op in (
        PATCH_EMBED,
        ATTENTION,
        MLP,
        CLASSIFIER,
        PROPORTIONAL_ATTENTION,
        BIPARTITE_MERGING,
        *efficientvit.OPS,
        *autovit.OPS,
        *swin.OPS,
        *bert.OPS,
        *vgg.OPS,
    )
}

# Every axis any op has, in the order of a table's columns.
AXES: tuple[str, ...] = tuple(dict.fromkeys(axis for op in OPS.values() for axis in op.axes))

# Those that only imported tables have, and the axes that only these have.
IMPORTED_OPS: dict[str, Op] = {op.name: op for op in FOREIGN_OPS}
IMPORTED_AXES: tuple[str, ...] = tuple(
    axis
    for axis in dict.fromkeys(axis for op in FOREIGN_OPS for axis in op.axes)
    if axis not in AXES
)


def find_op(name: str) -> Op:
    """Return the op called `name`; raises UserError naming the nearest known one."""
    op = OPS.get(name) or IMPORTED_OPS.get(name)
    if op is None:
        raise UserError(f"unknown op '{name}'{did_you_mean(name, OPS)}.")
    return op


__all__ = ["AXES", "IMPORTED_AXES", "IMPORTED_OPS", "OPS", "Op", "find_op"]
