"""The ops that BERT has beside a ViT's attention and MLP (Devlin et al. 2019, sections 3, 4.1).

Symbols: D = embed, N = tokens, W = vocab, P = positions, T = types, Y = classes.
"""

from __future__ import annotations

from ...ops.op import Dims, Op


def _embedding_params(d: Dims) -> int:
    """A row of D for each of W words, P positions and T types of sentences."""
    return (d["vocab"] + d["positions"] + d["types"]) * d["embed"]


def _classifier_macs(d: Dims) -> int:
    """D² for the pooler of the first token, D·Y for the classes."""
    return d["embed"] * d["embed"] + d["embed"] * d["classes"]


def _classifier_params(d: Dims) -> int:
    """Layer norm 2D; pooler (D+1)·D; (D+1)·Y."""
    return 2 * d["embed"] + (d["embed"] + 1) * (d["embed"] + d["classes"])


TEXT_EMBEDDING = Op(
    "text_embedding",
    ("embed", "vocab", "positions", "types", "tokens"),
    lambda _: 0,
    _embedding_params,
    lambda d: (d["tokens"],),
    lambda d: (d["tokens"], d["embed"]),
    fixed=("vocab", "positions", "types"),
    joined=("tokens",),
    # A word's and a position's row for each token, and the sentence's.
    read=lambda d: (2 * d["tokens"] + d["types"]) * d["embed"],
)
TEXT_CLASSIFIER = Op(
    "text_classifier",
    ("embed", "classes", "tokens"),
    _classifier_macs,
    _classifier_params,
    lambda d: (d["tokens"], d["embed"]),
    lambda d: (d["classes"],),
    joined=("tokens",),
)
OPS = (TEXT_EMBEDDING, TEXT_CLASSIFIER)
