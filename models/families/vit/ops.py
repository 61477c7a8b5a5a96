"""The ops of a plain Vision Transformer (Dosovitskiy et al. 2020; DeiT, Touvron et al. 2021).

And of one that merges tokens (Bolya et al. 2023 (ToMe)).

Symbols: D = embed, N = tokens, H = heads, K = qk (per head), V = v (per head), M = mlp, P = kernel
(the patch), C = in_channels, R = resolution, T = prefix (class and distillation tokens),
Y = classes.
"""

from __future__ import annotations

from dataclasses import replace

from ....errors import UserError
from ...ops.op import Dims, Op


def _sequence(d: Dims) -> tuple[int, ...]:
    return (d["tokens"], d["embed"])


def _attention_macs(d: Dims) -> int:
    """N·D·H·(2K+V) for Q, K, V; N²·H·(K+V) for QKᵀ and its product with V; N·H·V·D to project."""
    n, embed, heads, qk, v = (d[a] for a in ("tokens", "embed", "heads", "qk", "v"))
    return n * embed * heads * (2 * qk + v) + n * n * heads * (qk + v) + n * heads * v * embed


def _attention_params(d: Dims) -> int:
    """Layer norm 2D; fused Q, K, V (D+1)·H·(2K+V); projection (H·V+1)·D."""
    embed, heads, qk, v = (d[a] for a in ("embed", "heads", "qk", "v"))
    return 2 * embed + (embed + 1) * heads * (2 * qk + v) + (heads * v + 1) * embed


def _mlp_macs(d: Dims) -> int:
    """2·N·D·M: two linear layers."""
    return 2 * d["tokens"] * d["embed"] * d["mlp"]


def _mlp_params(d: Dims) -> int:
    """Layer norm 2D; (D+1)·M and (M+1)·D."""
    return 2 * d["embed"] + (d["embed"] + 1) * d["mlp"] + (d["mlp"] + 1) * d["embed"]


def _patches(d: Dims) -> int:
    return (d["resolution"] // d["kernel"]) ** 2


def _patch_embed_macs(d: Dims) -> int:
    """(R/P)²·C·P²·D: a convolution whose stride is its kernel."""
    return _patches(d) * d["in_channels"] * d["kernel"] ** 2 * d["embed"]


def _patch_embed_params(d: Dims) -> int:
    """Convolution (C·P²+1)·D; T prefix tokens and the position of each of (R/P)²+T tokens."""
    convolution = (d["in_channels"] * d["kernel"] ** 2 + 1) * d["embed"]
    return convolution + (d["prefix"] + _patches(d) + d["prefix"]) * d["embed"]


def _classifier_macs(d: Dims) -> int:
    """D·Y for each head: the class token's, and the distillation token's where there is one."""
    return d["heads"] * d["embed"] * d["classes"]


def _classifier_params(d: Dims) -> int:
    """Final layer norm 2D; (D+1)·Y a head."""
    return 2 * d["embed"] + d["heads"] * (d["embed"] + 1) * d["classes"]


PATCH_EMBED = Op(
    "patch_embed",
    ("embed", "in_channels", "resolution", "kernel", "prefix"),
    _patch_embed_macs,
    _patch_embed_params,
    lambda d: (d["in_channels"], d["resolution"], d["resolution"]),
    lambda d: (_patches(d) + d["prefix"], d["embed"]),
)
ATTENTION = Op(
    "attention",
    ("embed", "heads", "qk", "v", "tokens"),
    _attention_macs,
    _attention_params,
    _sequence,
    _sequence,
    joined=("tokens",),
)
# The same where tokens were merged before: the sizes of the tokens go into the softmax.
PROPORTIONAL_ATTENTION = replace(ATTENTION, name="proportional_attention")


def _merging_macs(d: Dims) -> int:
    """Cosines of even and odd tokens, and the sums of r merged ones: E·O·K + O·r·(D+1)."""
    even, odd = (d["tokens"] + 1) // 2, d["tokens"] // 2
    return even * odd * d["qk"] + odd * d["merged"] * (d["embed"] + 1)


def _check_merging(d: Dims) -> None:
    if d["merged"] > (d["tokens"] - 1) // 2:
        raise UserError(
            f"merged={d['merged']} of {d['tokens']} tokens: at most half of those behind the class "
            "token can be merged at once."
        )


BIPARTITE_MERGING = Op(
    "bipartite_merging",
    ("embed", "heads", "qk", "tokens", "merged"),
    _merging_macs,
    lambda _: 0,
    _sequence,
    lambda d: (d["tokens"] - d["merged"], d["embed"]),
    joined=("tokens",),
    # A long sequence can lose more tokens at once than the shortest that was measured.
    linear=("merged",),
    check=_check_merging,
)
MLP = Op(
    "mlp",
    ("embed", "mlp", "tokens"),
    _mlp_macs,
    _mlp_params,
    _sequence,
    _sequence,
    joined=("tokens",),
)
CLASSIFIER = Op(
    "classifier",
    ("embed", "heads", "classes", "tokens"),
    _classifier_macs,
    _classifier_params,
    _sequence,
    lambda d: (d["classes"],),
)


# What details change so much that it is another block, see details.py.
PREFIXLESS_PATCH_EMBED = Op(
    "prefixless_patch_embed",
    ("embed", "in_channels", "resolution", "kernel"),
    _patch_embed_macs,
    lambda d: _patch_embed_params({**d, "prefix": 0}),
    lambda d: (d["in_channels"], d["resolution"], d["resolution"]),
    lambda d: (_patches(d), d["embed"]),
)
# A layer norm of width K on each head's queries, and one on its keys.
NORMED_ATTENTION = replace(
    ATTENTION, name="normed_attention", params=lambda d: _attention_params(d) + 4 * d["qk"]
)
MLP_GELU_TANH = replace(MLP, name="mlp_gelu_tanh")
MLP_QUICK_GELU = replace(MLP, name="mlp_quick_gelu")
# Gate and value are M wide each: 3·N·D·M; the first layer is (D+1)·2M.
SWIGLU_MLP = replace(
    MLP,
    name="swiglu_mlp",
    macs=lambda d: 3 * d["tokens"] * d["embed"] * d["mlp"],
    params=lambda d: _mlp_params(d) + (d["embed"] + 1) * d["mlp"],
)
# The end of a model without classes: the last norm, then the class token or the patches' mean.
FEATURES = Op(
    "features",
    ("embed", "tokens"),
    lambda _: 0,
    lambda d: 2 * d["embed"],
    _sequence,
    lambda d: (d["embed"],),
    joined=("tokens",),
)
MEAN_FEATURES = replace(FEATURES, name="mean_features")

OPS: tuple[Op, ...] = (
    PATCH_EMBED,
    ATTENTION,
    MLP,
    CLASSIFIER,
    PROPORTIONAL_ATTENTION,
    BIPARTITE_MERGING,
    PREFIXLESS_PATCH_EMBED,
    NORMED_ATTENTION,
    MLP_GELU_TANH,
    MLP_QUICK_GELU,
    SWIGLU_MLP,
    FEATURES,
    MEAN_FEATURES,
)
