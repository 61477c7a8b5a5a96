"""The ops a block can be: axes, MACs, parameters and shapes of each, without torch.

One file a family of ops. MACs are multiply-accumulates of matrix products and convolutions for
one image; normalisation, softmax, activations and additions are not counted, as is usual.
FLOPs, where printed, are 2 x MACs.
"""

from __future__ import annotations

from ...errors import UserError, did_you_mean
from .op import Op
from .vit import ATTENTION, CLASSIFIER, MLP, PATCH_EMBED

OPS: dict[str, Op] = {op.name: op for op in (PATCH_EMBED, ATTENTION, MLP, CLASSIFIER)}

# Every axis any op has, in the order of a table's columns.
AXES: tuple[str, ...] = tuple(dict.fromkeys(axis for op in OPS.values() for axis in op.axes))


def find_op(name: str) -> Op:
    """Return the op called `name`; raises UserError naming the nearest known one."""
    if name not in OPS:
        raise UserError(f"unknown op '{name}'{did_you_mean(name, OPS)}.")
    return OPS[name]


__all__ = ["AXES", "OPS", "Op", "find_op"]
