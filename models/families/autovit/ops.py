"""The ops of AutoViT's hybrid of convolutions and transformers (Kong et al. 2025, section 3.2).

Symbols: C = in_channels, O = out_channels, k = kernel, s = stride, R = resolution (the side of the
map that comes in), r = ceil(R/s) (the side that goes out), e = expansion, D = embed, H = heads,
K = qk and V = v (per head), M = mlp, L = depth, P = patch, Y = classes. A batch norm has two
weights a channel. `activation` is a place in codes.ACTIVATIONS.
"""

from __future__ import annotations

from ...ops.codes import check_choices
from ...ops.op import Dims, Op


def _out(d: Dims) -> int:
    """r: kernels are odd and padded by (k-1)/2, so only the stride makes the map smaller."""
    return -(-d["resolution"] // d["stride"])


def _map_in(d: Dims) -> tuple[int, ...]:
    return (d["in_channels"], d["resolution"], d["resolution"])


def _map_out(d: Dims) -> tuple[int, ...]:
    return (d["out_channels"], _out(d), _out(d))


def _conv_macs(d: Dims) -> int:
    """r²·k²·C·O."""
    return _out(d) ** 2 * d["kernel"] ** 2 * d["in_channels"] * d["out_channels"]


def _conv_params(d: Dims) -> int:
    """k²·C·O and the batch norm 2O."""
    return d["kernel"] ** 2 * d["in_channels"] * d["out_channels"] + 2 * d["out_channels"]


def _mbconv_macs(d: Dims) -> int:
    """R²·C·eC to expand (absent where e = 1); r²·k²·eC depthwise; r²·eC·O to project."""
    channels, area = d["in_channels"], _out(d) ** 2
    hidden = d["expansion"] * channels
    expand = d["resolution"] ** 2 * channels * hidden if d["expansion"] > 1 else 0
    return expand + area * d["kernel"] ** 2 * hidden + area * hidden * d["out_channels"]


def _mbconv_params(d: Dims) -> int:
    """C·eC + 2eC to expand (absent where e = 1); k²·eC + 2eC; eC·O + 2O."""
    channels, out = d["in_channels"], d["out_channels"]
    hidden = d["expansion"] * channels
    expand = (channels + 2) * hidden if d["expansion"] > 1 else 0
    return expand + (d["kernel"] ** 2 + 2) * hidden + (hidden + 2) * out


def _mobilevit_macs(d: Dims) -> int:
    """Convolutions R²·(3k²C² + 2CD), and L layers.

    k×k on C channels: k²C²; 1×1 to and from D: 2CD; k×k on the concatenated 2C: 2k²C². A layer,
    with N = R²/P² tokens in each of P² sequences: R²·D·H·(2K+V) for Q, K, V; R²·N·H·(K+V) for QKᵀ
    and its product with V; R²·H·V·D to project; R²·2DM for the MLP.
    """
    channels, embed, heads, qk, v = (d[a] for a in ("in_channels", "embed", "heads", "qk", "v"))
    convolutions = 3 * d["kernel"] ** 2 * channels**2 + 2 * channels * embed
    tokens = (d["resolution"] // d["patch"]) ** 2
    attention = embed * heads * (2 * qk + 2 * v) + tokens * heads * (qk + v)
    layer = attention + 2 * embed * d["mlp"]
    return d["resolution"] ** 2 * (convolutions + d["depth"] * layer)


def _mobilevit_params(d: Dims) -> int:
    """3k²C² + 2CD and batch norms 6C; L layers; the last layer norm 2D.

    A layer: layer norms 4D; Q, K, V (D+1)·H·(2K+V); projection (H·V+1)·D; MLP (D+1)·M + (M+1)·D.
    """
    channels, embed, heads, qk, v = (d[a] for a in ("in_channels", "embed", "heads", "qk", "v"))
    convolutions = 3 * d["kernel"] ** 2 * channels**2 + 2 * channels * embed + 6 * channels
    attention = (embed + 1) * heads * (2 * qk + v) + (heads * v + 1) * embed
    layer = 4 * embed + attention + (embed + 1) * d["mlp"] + (d["mlp"] + 1) * embed
    return convolutions + d["depth"] * layer + 2 * embed


def _mbpool_macs(d: Dims) -> int:
    """R²·C·M before the mean over the map, M·O after it."""
    return d["resolution"] ** 2 * d["in_channels"] * d["mlp"] + d["mlp"] * d["out_channels"]


def _mbpool_params(d: Dims) -> int:
    """C·M + 2M (batch norm); (M+1)·O."""
    return (d["in_channels"] + 2) * d["mlp"] + (d["mlp"] + 1) * d["out_channels"]


CONV = Op(
    "conv",
    ("in_channels", "out_channels", "kernel", "stride", "resolution", "activation"),
    _conv_macs,
    _conv_params,
    _map_in,
    _map_out,
    fixed=("kernel", "stride", "resolution", "activation"),
    check=check_choices,
)
MBCONV = Op(
    "mbconv",
    ("in_channels", "out_channels", "expansion", "kernel", "stride", "resolution", "activation"),
    _mbconv_macs,
    _mbconv_params,
    _map_in,
    _map_out,
    fixed=("expansion", "kernel", "stride", "resolution", "activation"),
    check=check_choices,
)
MOBILEVIT = Op(
    "mobilevit",
    (
        "in_channels",
        "embed",
        "heads",
        "qk",
        "v",
        "mlp",
        "depth",
        "kernel",
        "patch",
        "resolution",
        "activation",
    ),
    _mobilevit_macs,
    _mobilevit_params,
    _map_in,
    _map_in,
    fixed=("kernel", "patch", "resolution", "activation"),
    check=check_choices,
)
MBPOOL = Op(
    "mbpool",
    ("in_channels", "mlp", "out_channels", "resolution", "activation"),
    _mbpool_macs,
    _mbpool_params,
    _map_in,
    lambda d: (d["out_channels"],),
    fixed=("resolution", "activation"),
    check=check_choices,
)
LINEAR_CLASSIFIER = Op(
    "linear_classifier",
    ("embed", "classes"),
    lambda d: d["embed"] * d["classes"],
    lambda d: (d["embed"] + 1) * d["classes"],
    lambda d: (d["embed"],),
    lambda d: (d["classes"],),
)

OPS: tuple[Op, ...] = (CONV, MBCONV, MOBILEVIT, MBPOOL, LINEAR_CLASSIFIER)
