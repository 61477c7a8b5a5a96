"""The ops of the Swin Transformer (Liu et al. 2021) that a plain ViT has not; its MLP is ViT's.

Symbols: C = embed, H = heads, K = qk and V = v (per head), R = resolution (the side of the map
that comes in), W = window (its side), P = kernel (the patch), I = in_channels, O = out_channels,
N = tokens, Y = classes. `shift` is a choice by number (NO_YES of codes.py): whether the windows
are shifted by half of their side, which changes the copies and the constants but no count.
"""

from __future__ import annotations

from ...ops.codes import check_choices
from ...ops.op import Dims, Op


def _sequence(d: Dims) -> tuple[int, ...]:
    return (d["resolution"] ** 2, d["embed"])


def _embed_macs(d: Dims) -> int:
    """(R/P)²·I·P²·C: a convolution whose stride is its kernel."""
    return (d["resolution"] // d["kernel"]) ** 2 * d["in_channels"] * d["kernel"] ** 2 * d["embed"]


def _embed_params(d: Dims) -> int:
    """Convolution (I·P²+1)·C; layer norm 2C."""
    return (d["in_channels"] * d["kernel"] ** 2 + 1) * d["embed"] + 2 * d["embed"]


def _attention_macs(d: Dims) -> int:
    """R²·C·H·(2K+V) for Q, K, V; R²·W²·H·(K+V) in the windows; R²·H·V·C to project.

    Equation 2 of the paper is this with C = H·K = H·V.
    """
    embed, heads, qk, v = (d[a] for a in ("embed", "heads", "qk", "v"))
    a_token = embed * heads * (2 * qk + v) + d["window"] ** 2 * heads * (qk + v) + heads * v * embed
    return d["resolution"] ** 2 * a_token


def _attention_params(d: Dims) -> int:
    """Layer norm 2C; fused Q, K, V (C+1)·H·(2K+V); projection (H·V+1)·C; bias (2W-1)²·H."""
    embed, heads, qk, v = (d[a] for a in ("embed", "heads", "qk", "v"))
    linears = (embed + 1) * heads * (2 * qk + v) + (heads * v + 1) * embed
    return 2 * embed + linears + (2 * d["window"] - 1) ** 2 * heads


def _merging_macs(d: Dims) -> int:
    """(R/2)²·4C·O: a linear layer on each square of four tokens."""
    return (d["resolution"] // 2) ** 2 * 4 * d["embed"] * d["out_channels"]


def _merging_params(d: Dims) -> int:
    """Layer norm 8C; linear layer 4C·O without bias."""
    return 8 * d["embed"] + 4 * d["embed"] * d["out_channels"]


def _classifier_macs(d: Dims) -> int:
    """C·Y: the linear layer; the mean over the tokens is not counted."""
    return d["embed"] * d["classes"]


def _classifier_params(d: Dims) -> int:
    """Final layer norm 2C; (C+1)·Y."""
    return 2 * d["embed"] + (d["embed"] + 1) * d["classes"]


SWIN_EMBED = Op(
    "swin_embed",
    ("embed", "in_channels", "resolution", "kernel"),
    _embed_macs,
    _embed_params,
    lambda d: (d["in_channels"], d["resolution"], d["resolution"]),
    lambda d: ((d["resolution"] // d["kernel"]) ** 2, d["embed"]),
    fixed=("resolution", "kernel"),
)
WINDOW_ATTENTION = Op(
    "window_attention",
    ("embed", "heads", "qk", "v", "window", "resolution", "shift"),
    _attention_macs,
    _attention_params,
    _sequence,
    _sequence,
    fixed=("window", "resolution", "shift"),
    check=check_choices,
)
TOKEN_MERGING = Op(
    "token_merging",
    ("embed", "out_channels", "resolution"),
    _merging_macs,
    _merging_params,
    _sequence,
    lambda d: ((d["resolution"] // 2) ** 2, d["out_channels"]),
    fixed=("resolution",),
)
POOLED_TOKENS_CLASSIFIER = Op(
    "pooled_tokens_classifier",
    ("embed", "tokens", "classes"),
    _classifier_macs,
    _classifier_params,
    lambda d: (d["tokens"], d["embed"]),
    lambda d: (d["classes"],),
)

OPS: tuple[Op, ...] = (SWIN_EMBED, WINDOW_ATTENTION, TOKEN_MERGING, POOLED_TOKENS_CLASSIFIER)
