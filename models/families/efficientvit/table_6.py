"""Table 6 of EfficientViT's paper (Liu et al. 2023): eleven models around EfficientViT-M4."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from ...published_ablations import PublishedRow, PublishedTable
from ...spec import Spec
from .choices import SPLIT
from .spec import EfficientViTSpec

_OWN = (1, 2, 3)  # M4's depths
# Section 4.4 gives the depths of the Swin layout only, and says that those of N = 2 and 3 are less,
# so that the throughput stays about the same.
_ASSUMED = "the paper has fewer layers than M4 here and does not say how many; these are assumed"
# At M4's depths it has 1.6 times M4's MACs, and the paper measured it to be faster than M4.
_PERHAPS_FEWER = "by the paper's throughput it had fewer layers; the depths here are M4's"


def _row(
    number: int,
    words: str,
    measured: tuple[float, float, float],
    changed: dict[str, str] | None = None,
    depths: tuple[int, ...] = _OWN,
    note: str = "",
) -> PublishedRow:
    """Return a row; `measured` is top-1 in per cent and images/s of the GPU and of ONNX."""
    return PublishedRow(number, words, changed or {}, depths, *measured, note)


def _with_depths(spec: Spec, depths: tuple[int, ...]) -> Spec:
    stages = cast(EfficientViTSpec, spec).stages
    return replace(  # type: ignore[call-arg]
        spec,
        stages=tuple(replace(s, depth=depth) for s, depth in zip(stages, depths, strict=True)),
    )


TABLE_6 = PublishedTable(
    title="Table 6 of EfficientViT (Liu et al. 2023)",
    model="efficientvit-m4",
    runtime="ONNX",
    rows=(
        _row(1, "EfficientViT-M4", (71.3, 15914, 108.6)),
        _row(2, "sandwich -> Swin", (68.3, 15804, 114.5), {"ffns": "swin"}, (2, 2, 3)),
        _row(3, "N = 1 -> 2", (70.2, 14977, 112.3), {"ffns": "2"}, (1, 1, 2), _ASSUMED),
        _row(4, "N = 1 -> 3", (65.7, 15856, 139.7), {"ffns": "3"}, (1, 1, 1), _ASSUMED),
        _row(5, "CGA -> MHSA", (70.2, 16243, 102.2), {"attention": "mhsa"}),
        _row(6, "cascade -> none", (69.8, 16411, 111.0), {"attention": "cga without cascade"}),
        _row(7, "QKV allocation -> none", (69.9, 15132, 103.1), {"qk": SPLIT}),
        _row(
            8, "FFN ratio 2 -> 4", (69.8, 15310, 112.4), {"ffn_ratio": "4.0"}, _OWN, _PERHAPS_FEWER
        ),
        _row(9, "DWConv -> none", (69.9, 16325, 110.4), {"dwconv": "no"}),
        _row(10, "BN -> LN", (70.4, 15463, 103.6), {"norm": "layer"}),
        _row(11, "ReLU -> HSwish", (72.2, 15887, 87.5), {"activation": "hardswish"}),
    ),
    with_depths=_with_depths,
)
