"""The ops of a VGG with batch norms (Simonyan & Zisserman 2015; Ioffe & Szegedy 2015).

Symbols: I = in_channels, O = out_channels, R = resolution of the map that comes in.
"""

from __future__ import annotations

from ....errors import UserError
from ...ops.op import Dims, Op


def _conv_macs(d: Dims) -> int:
    """9·I·O·R²: three by three at every place; the pooling is not counted."""
    return 9 * d["in_channels"] * d["out_channels"] * d["resolution"] ** 2


def _conv_params(d: Dims) -> int:
    """(9·I+1)·O, and 2·O of the batch norm."""
    return (9 * d["in_channels"] + 1) * d["out_channels"] + 2 * d["out_channels"]


def _check_conv(d: Dims) -> None:
    if d["pool"] not in (1, 2) or d["resolution"] % d["pool"]:
        raise UserError(
            f"pool={d['pool']} of a map of side {d['resolution']}: it is 1 (none) or 2, and "
            "divides the side."
        )


def _pooled(d: Dims) -> tuple[int, ...]:
    side = d["resolution"] // d["pool"]
    return (d["out_channels"], side, side)


def _dense_params(d: Dims) -> int:
    return (d["in_channels"] + 1) * d["out_channels"]


CONV_NORM_RELU = Op(
    "conv_norm_relu",
    ("in_channels", "out_channels", "resolution", "pool"),
    _conv_macs,
    _conv_params,
    lambda d: (d["in_channels"], d["resolution"], d["resolution"]),
    _pooled,
    fixed=("resolution", "pool"),
    check=_check_conv,
)
DENSE_RELU = Op(
    "dense_relu",
    ("in_channels", "out_channels"),
    lambda d: d["in_channels"] * d["out_channels"],
    _dense_params,
    lambda d: (d["in_channels"],),
    lambda d: (d["out_channels"],),
)
DENSE_CLASSIFIER = Op(
    "dense_classifier",
    ("in_channels", "classes"),
    lambda d: d["in_channels"] * d["classes"],
    lambda d: (d["in_channels"] + 1) * d["classes"],
    lambda d: (d["in_channels"],),
    lambda d: (d["classes"],),
)
FLATTENED = Op(
    "average_pool",
    ("in_channels", "resolution", "pooled"),
    lambda _: 0,
    lambda _: 0,
    lambda d: (d["in_channels"], d["resolution"], d["resolution"]),
    lambda d: (d["in_channels"] * d["pooled"] ** 2,),
    fixed=("resolution", "pooled"),
)
OPS = (CONV_NORM_RELU, DENSE_RELU, DENSE_CLASSIFIER, FLATTENED)
