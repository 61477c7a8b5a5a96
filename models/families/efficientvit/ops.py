"""The ops of EfficientViT (Liu et al. 2023, sections 3.1 and 3.2, with Table 6's variants).

Symbols: C = embed, M = mlp, H = heads, K = qk and V = v (per head), R = resolution (the side of
the map that comes in), W = window, kᵢ = the kernel on the queries of head i, Y = classes.
`activation`, `norm`, `attention` and `cascade` are choices by number: see codes.py and ATTENTIONS.
A layer norm has as many weights as a batch norm, so the closed forms are those of both.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....errors import UserError
from ...ops.codes import check_choices, check_divides, choice
from ...ops.op import Dims, Op

ATTENTIONS = ("cga", "mhsa")
LARGEST_KERNEL = 9


def kernels_code(kernels: Sequence[int]) -> int:
    """Return the dim that stands for the kernels of the heads: 7, 5, 3, 3 is 753.

    Each kernel is a digit, and the last digit goes on for the heads that are left.
    """
    digits = list(kernels)
    while len(digits) > 1 and digits[-1] == digits[-2]:
        digits.pop()
    return int("".join(str(kernel) for kernel in digits))


def kernels_of(code: int, heads: int) -> tuple[int, ...]:
    """Return the kernel of each head, from the dim that stands for them."""
    digits = [int(digit) for digit in str(code)]
    return tuple(digits[min(head, len(digits) - 1)] for head in range(heads))


def merged(resolution: int) -> int:
    """Return the side of a map after a 3x3 convolution of stride 2 with padding 1."""
    return (resolution + 1) // 2


def windows(resolution: int, window: int) -> int:
    """Return the number of windows that cover a map, the last ones padded."""
    return (-(-resolution // window)) ** 2


def _check_stem(d: Dims) -> None:
    check_choices(d)
    check_divides(d, "resolution", 16)
    check_divides(d, "embed", 8)


def _check_attention(d: Dims) -> None:
    check_choices(d)
    choice(ATTENTIONS, d["attention"], "attention")
    check_divides(d, "embed", "heads")
    if any(kernel % 2 == 0 for kernel in kernels_of(d["kernels"], d["heads"])):
        raise UserError(f"kernels={d['kernels']} has an even digit, and a kernel is odd.")


def _map(d: Dims) -> tuple[int, ...]:
    return (d["embed"], d["resolution"], d["resolution"])


def _stem_macs(d: Dims) -> int:
    """9·((R/2)²·I·C/8 + (R/4)²·C/8·C/4 + (R/8)²·C/4·C/2 + (R/16)²·C/2·C), I = in_channels."""
    inputs, embed, side = d["in_channels"], d["embed"], d["resolution"]
    total = 0
    for part in (8, 4, 2, 1):
        side //= 2
        total += 9 * side**2 * inputs * (embed // part)
        inputs = embed // part
    return total


def _stem_params(d: Dims) -> int:
    """9·(I·C/8 + C/8·C/4 + C/4·C/2 + C/2·C), and a norm of 2 weights a channel after each."""
    inputs, embed = d["in_channels"], d["embed"]
    total = 0
    for part in (8, 4, 2, 1):
        total += (9 * inputs + 2) * (embed // part)
        inputs = embed // part
    return total


def _dwconv_macs(d: Dims) -> int:
    """R²·C·k²."""
    return d["resolution"] ** 2 * d["embed"] * d["kernel"] ** 2


def _dwconv_params(d: Dims) -> int:
    """C·k², norm 2C."""
    return d["embed"] * (d["kernel"] ** 2 + 2)


def _ffn_macs(d: Dims) -> int:
    """2·R²·C·M: two 1x1 convolutions."""
    return 2 * d["resolution"] ** 2 * d["embed"] * d["mlp"]


def _ffn_params(d: Dims) -> int:
    """2·C·M, norms 2M and 2C."""
    return 2 * d["embed"] * d["mlp"] + 2 * d["mlp"] + 2 * d["embed"]


def _inputs_of_heads(d: Dims) -> int:
    """Channels that the heads see, summed: C where each sees its split, H·C where each sees all."""
    split = d["attention"] == ATTENTIONS.index("cga") + 1
    return d["embed"] if split else d["embed"] * d["heads"]


def _query_taps(d: Dims) -> list[int]:
    """kᵢ² of the heads whose queries pass a depthwise convolution."""
    return [kernel**2 for kernel in kernels_of(d["kernels"], d["heads"]) if kernel > 1]


def _cga_macs(d: Dims) -> int:
    """T·(X·(2K+V) + K·Σkᵢ² + H·V·C) + T·W²·H·(K+V), T = W²·⌈R/W⌉² tokens with their padding.

    X is C in cascaded group attention, H·C in plain attention.
    """
    heads, qk, v = d["heads"], d["qk"], d["v"]
    tokens = windows(d["resolution"], d["window"]) * d["window"] ** 2
    convolutions = (
        _inputs_of_heads(d) * (2 * qk + v) + qk * sum(_query_taps(d)) + heads * v * d["embed"]
    )
    return tokens * convolutions + tokens * d["window"] ** 2 * heads * (qk + v)


def _cga_params(d: Dims) -> int:
    """X·(2K+V) + 2H·(2K+V); K·(kᵢ²+2) a convolution on queries; H·V·C + 2C; biases H·W²."""
    heads, qk, v, embed = d["heads"], d["qk"], d["v"], d["embed"]
    projections = (_inputs_of_heads(d) + 2 * heads) * (2 * qk + v)
    queries = sum(qk * (taps + 2) for taps in _query_taps(d))
    return projections + queries + heads * v * embed + 2 * embed + heads * d["window"] ** 2


def _merging_macs(d: Dims) -> int:
    """R²·C·4C + r²·4C·9 + r²·4C·O, r = ⌈R/2⌉, and squeeze-excite 2·4C·C; C in, O out."""
    inputs, hidden = d["in_channels"], 4 * d["in_channels"]
    tokens, fewer = d["resolution"] ** 2, merged(d["resolution"]) ** 2
    return tokens * inputs * hidden + fewer * hidden * (9 + d["out_channels"]) + 2 * hidden * inputs


def _merging_params(d: Dims) -> int:
    """4C² + 8C; 4C·9 + 8C; squeeze-excite (4C+1)·C + (C+1)·4C; 4C·O + 2O."""
    inputs, outputs = d["in_channels"], d["out_channels"]
    hidden = 4 * inputs
    convolutions = inputs * hidden + 2 * hidden + 9 * hidden + 2 * hidden
    excite = (hidden + 1) * inputs + (inputs + 1) * hidden
    return convolutions + excite + hidden * outputs + 2 * outputs


def _pooled_macs(d: Dims) -> int:
    """C·Y."""
    return d["embed"] * d["classes"]


def _pooled_params(d: Dims) -> int:
    """Norm 2C; (C+1)·Y."""
    return 2 * d["embed"] + (d["embed"] + 1) * d["classes"]


CONV_STEM = Op(
    "conv_stem",
    ("embed", "in_channels", "resolution", "activation", "norm"),
    _stem_macs,
    _stem_params,
    lambda d: (d["in_channels"], d["resolution"], d["resolution"]),
    lambda d: (d["embed"], d["resolution"] // 16, d["resolution"] // 16),
    fixed=("in_channels", "resolution", "activation", "norm"),
    check=_check_stem,
)
DWCONV = Op(
    "dwconv",
    ("embed", "resolution", "kernel", "norm"),
    _dwconv_macs,
    _dwconv_params,
    _map,
    _map,
    fixed=("resolution", "kernel", "norm"),
    check=check_choices,
)
FFN = Op(
    "ffn",
    ("embed", "mlp", "resolution", "activation", "norm"),
    _ffn_macs,
    _ffn_params,
    _map,
    _map,
    fixed=("resolution", "activation", "norm"),
    check=check_choices,
)
CGA = Op(
    "cga",
    (
        "embed",
        "heads",
        "qk",
        "v",
        "resolution",
        "window",
        "kernels",
        "attention",
        "cascade",
        "activation",
        "norm",
    ),
    _cga_macs,
    _cga_params,
    _map,
    _map,
    fixed=(
        "heads",
        "resolution",
        "window",
        "kernels",
        "attention",
        "cascade",
        "activation",
        "norm",
    ),
    check=_check_attention,
)
PATCH_MERGING = Op(
    "patch_merging",
    ("in_channels", "out_channels", "resolution", "activation", "norm"),
    _merging_macs,
    _merging_params,
    lambda d: (d["in_channels"], d["resolution"], d["resolution"]),
    lambda d: (d["out_channels"], merged(d["resolution"]), merged(d["resolution"])),
    fixed=("resolution", "activation", "norm"),
    check=check_choices,
)
POOLED_CLASSIFIER = Op(
    "pooled_classifier",
    ("embed", "resolution", "classes", "norm"),
    _pooled_macs,
    _pooled_params,
    _map,
    lambda d: (d["classes"],),
    fixed=("resolution", "norm"),
    check=check_choices,
)

OPS: tuple[Op, ...] = (CONV_STEM, DWCONV, FFN, CGA, PATCH_MERGING, POOLED_CLASSIFIER)
