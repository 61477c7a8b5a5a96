"""Specs from the config.json of Hugging Face transformers' BERT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....errors import UserError
from ...checks import check_fraction, shown
from ...hugging_face_fields import classes, dim
from ..vit.spec import LARGEST_DEPTH, LARGEST_HEADS, LARGEST_WIDTH
from .spec import DEFAULT_NORM_EPS, LARGEST_VOCAB, BertSpec

# The length that GLUE's sequences are cut to (Devlin et al. 2019, appendix A.3 has 128 too).
TOKENS = 128


def bert_spec_from_config(config: Mapping[str, Any], name: str) -> BertSpec:
    """Return the spec of a BertForSequenceClassification whose config.json holds `config`.

    Sequences of 128 tokens, or as many as the model has positions. Raises UserError naming the
    field that this model cannot follow.
    """
    if config.get("hidden_act", "gelu") != "gelu":
        raise UserError(f"hidden_act={shown(config['hidden_act'])} is not supported; only 'gelu'.")
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise UserError(
            f"position_embedding_type={shown(config['position_embedding_type'])} is not "
            "supported; only 'absolute'."
        )
    eps = config.get("layer_norm_eps", DEFAULT_NORM_EPS)
    check_fraction("layer_norm_eps", eps)
    positions = dim(config, "max_position_embeddings", 512, LARGEST_WIDTH)
    return BertSpec.uniform(
        dim(config, "hidden_size", 768, LARGEST_WIDTH),
        depth=dim(config, "num_hidden_layers", 12, LARGEST_DEPTH),
        heads=dim(config, "num_attention_heads", 12, LARGEST_HEADS),
        mlp=dim(config, "intermediate_size", 3072, LARGEST_WIDTH),
        vocab=dim(config, "vocab_size", 30_522, LARGEST_VOCAB),
        positions=positions,
        types=dim(config, "type_vocab_size", 2, LARGEST_HEADS),
        tokens=min(TOKENS, positions),
        classes=classes(config),
        norm_eps=eps,
        name=name,
    )
