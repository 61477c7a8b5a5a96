"""Ops that only imported tables have: other tools' blocks and operators, which are none of ours.

None has a torch module: such a block can be looked up, not built. Where another tool does not say
what its block computes, its MACs and parameters are not known and nothing is made up for them.

`resolution` is the side of the square feature map a block works on.
"""

from __future__ import annotations

from ..families.vit.ops import ATTENTION, MLP
from .op import Dims, Op


def _nothing(d: Dims) -> int:
    return 0


def _no_shape(d: Dims) -> tuple[int, ...]:
    return ()


def _unknown(
    name: str, *axes: str, on_grid: bool = True, fixed: tuple[str, ...] = (), ragged: bool = False
) -> Op:
    return Op(
        name,
        axes,
        _nothing,
        _nothing,
        _no_shape,
        _no_shape,
        counted=False,
        on_grid=on_grid,
        ragged=ragged,
        squared=tuple({"resolution"} & set(axes) - set(fixed)) if ragged else (),
        fixed=fixed,
    )


def _blocks(name: str, *axes: str, fixed: tuple[str, ...] = ()) -> Op:
    """Return the op of another tool's blocks, of which the `fixed` axes are kinds."""
    return _unknown(name, *axes, fixed=fixed, ragged=True)


def _product_macs(d: Dims) -> int:
    """B·M·N·K of B products of M x K and K x N matrices."""
    return d["matrices"] * d["rows"] * d["columns"] * d["inner"]


# NViT's block: attention and MLP together (Yang et al. 2023, section 3.3). mlp 1 stands for none.
LAYER = Op(
    "layer",
    ("embed", "heads", "qk", "v", "mlp", "tokens"),
    lambda d: ATTENTION.macs(d) + MLP.macs(d),
    lambda d: ATTENTION.params(d) + MLP.params(d),
    ATTENTION.input_shape,
    ATTENTION.output_shape,
    ragged=True,
)

# NeuSight's operators (Lee et al. 2025), measured at scattered dims.
_PRODUCT_AXES = ("matrices", "rows", "columns", "inner")
LINEAR = Op(
    "linear",
    _PRODUCT_AXES,
    _product_macs,
    lambda d: d["columns"] * d["inner"],
    _no_shape,
    _no_shape,
    on_grid=False,
)
BMM = Op("bmm", _PRODUCT_AXES, _product_macs, _nothing, _no_shape, _no_shape, on_grid=False)
SOFTMAX = _unknown("softmax", "rows", "columns", on_grid=False)
LAYER_NORM = _unknown("layer_norm", "rows", "columns", on_grid=False)
GELU = _unknown("gelu", "rows", "columns", on_grid=False)

# nn-Meter's blocks of hybrid transformers (branch dev/hybrid-transformer).
_CONVOLUTION = ("resolution", "in_channels", "out_channels")
NNMETER_FIRST_CONV = _blocks(
    "nnmeter_firstconv", *_CONVOLUTION, "stride", "kernel", fixed=("stride", "kernel")
)
NNMETER_CONV = _blocks(
    "nnmeter_conv",
    *_CONVOLUTION,
    "expansion",
    "stride",
    "kernel",
    "squeeze_excite",
    fixed=("stride", "kernel", "squeeze_excite"),
)
NNMETER_DOWNSAMPLING = _blocks(
    "nnmeter_transds", *_CONVOLUTION, "stride", "expansion", fixed=("stride",)
)
NNMETER_ATTENTION = _blocks("nnmeter_transattn", "resolution", "embed", "expansion")
NNMETER_FFN = _blocks("nnmeter_transffn", "resolution", "embed", "expansion")
NNMETER_POOL = _blocks("nnmeter_mbpool", *_CONVOLUTION, "expansion")

# Once-for-All's blocks. `expanded` is the width between expansion and projection; the flags are
# 2 for yes and 1 for no, since a dim is a number from 1.
# A stage's resolution decides its widths, so each has rows of its own.
_OFA_MAPS = ("resolution", "out_resolution")
OFA_CONV = _blocks(
    "ofa_conv", *_CONVOLUTION, "out_resolution", "place", fixed=(*_OFA_MAPS, "place")
)
OFA_POOL = _blocks("ofa_pool", *_CONVOLUTION, "out_resolution", fixed=_OFA_MAPS)
OFA_LOGITS = _blocks("ofa_logits", "in_channels", "classes")
_OFA_KINDS = ("kernel", "stride", "skip", "squeeze_excite", "hard_swish")
OFA_BLOCK = _blocks(
    "ofa_block",
    *_CONVOLUTION,
    "out_resolution",
    "expanded",
    *_OFA_KINDS,
    fixed=(*_OFA_KINDS, *_OFA_MAPS),
)

FOREIGN_OPS = (
    LAYER,
    LINEAR,
    BMM,
    SOFTMAX,
    LAYER_NORM,
    GELU,
    NNMETER_FIRST_CONV,
    NNMETER_CONV,
    NNMETER_DOWNSAMPLING,
    NNMETER_ATTENTION,
    NNMETER_FFN,
    NNMETER_POOL,
    OFA_CONV,
    OFA_POOL,
    OFA_LOGITS,
    OFA_BLOCK,
)
