"""The ops a block can be: axes, MACs, parameters and shapes of each, without torch.

One file a family of ops. MACs are multiply-accumulates of matrix products and convolutions for
one image; normalisation, softmax, activations and additions are not counted, as is usual.
FLOPs, where printed, are 2 x MACs.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import UserError, did_you_mean
from ..families.registry import BUILT_IN, PLUGINS, built_in
from .foreign import FOREIGN_OPS
from .kernels import KERNEL_OPS
from .op import Op

# The order of a table's columns stays as it was when each family came; a new one's go behind.
_AS_THEY_CAME = ("vit", "efficientvit", "autovit", "swin", "bert", "vgg")
_FAMILIES = dict.fromkeys((*_AS_THEY_CAME, *BUILT_IN))

OPS: dict[str, Op] = {op.name: op for name in _FAMILIES for op in built_in(name).load("ops")}

# Every axis any op of ours has, in the order of a table's columns.
AXES: tuple[str, ...] = tuple(dict.fromkeys(axis for op in OPS.values() for axis in op.axes))

# Those that only imported tables have, what a runtime runs as one kernel, and the axes that only
# these have: a table has their columns where it has such rows.
IMPORTED_OPS: dict[str, Op] = {op.name: op for op in (*FOREIGN_OPS, *KERNEL_OPS)}
IMPORTED_AXES: tuple[str, ...] = tuple(
    axis
    for axis in dict.fromkeys(axis for op in IMPORTED_OPS.values() for axis in op.axes)
    if axis not in AXES
)


def find_op(name: str) -> Op:
    """Return the op called `name`; raises UserError naming the nearest known one."""
    op = OPS.get(name) or IMPORTED_OPS.get(name)
    if op is None:
        others = plugin_ops()
        if name not in others:
            raise UserError(f"unknown op '{name}'{did_you_mean(name, [*OPS, *others])}.")
        op = others[name]
    return op


def plugin_ops() -> Mapping[str, Op]:
    """Return the ops of the families that other wheels bring, by name; of two the first stays."""
    ops: dict[str, Op] = {}
    for family in PLUGINS.all().values():
        for op in family.load("ops"):
            ops.setdefault(op.name, op)
    return ops


def plugin_axes() -> tuple[str, ...]:
    """Return the axes that only ops of other wheels have; they follow a table's own columns."""
    axes = dict.fromkeys(axis for op in plugin_ops().values() for axis in op.axes)
    return tuple(axis for axis in axes if axis not in AXES and axis not in IMPORTED_AXES)


__all__ = [
    "AXES",
    "IMPORTED_AXES",
    "IMPORTED_OPS",
    "OPS",
    "Op",
    "find_op",
    "plugin_axes",
    "plugin_ops",
]
