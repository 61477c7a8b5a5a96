"""From the weight names of Hugging Face's BERT to the module's.

Files say `bert.encoder.layer.0.attention.self.query.weight`. A norm that ends a half there begins
the next one here (modules/bert.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ....errors import UserError
from ..vit.checkpoint_names import fuse_qkv

if TYPE_CHECKING:
    from torch import Tensor

_OUTSIDE_LAYERS = {
    "embeddings.word_embeddings": "embeddings.word",
    "embeddings.position_embeddings": "embeddings.position",
    "embeddings.token_type_embeddings": "embeddings.sentence",
    "embeddings.LayerNorm": "layers.0.norm1",
    "pooler.dense": "pooler",
    "classifier": "classifier",
}
_INSIDE_LAYER = {
    "attention.self.query": "attn.q",
    "attention.self.key": "attn.k",
    "attention.self.value": "attn.v",
    "attention.output.dense": "attn.proj",
    "attention.output.LayerNorm": "norm2",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
}
_LAYER = re.compile(r"^encoder\.layer\.(\d+)\.(.+)\.(weight|bias)$")
# TensorFlow's names of a norm's weights, which the first files have.
_FIRST_FILES = (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias"))
# Heads of pretraining, and numbers that are not weights.
_IGNORED = re.compile(r"^(?:cls\.|embeddings\.position_ids$)")


def bert_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the same weights under the module's names, query, key and value fused.

    A name that is not known is kept as it is. Raises UserError where two weights stand for the
    same, and where one of a layer's query, key and value is missing or the three do not fit.
    """
    bare = {name: _bare(name) for name in weights}
    found = [match for each in bare.values() if (match := _LAYER.match(each))]
    depth = max((int(match[1]) + 1 for match in found), default=0)
    renamed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if _IGNORED.match(bare[name]):
            continue
        new_name = _new_name(bare[name], depth)
        if new_name in renamed:
            raise UserError(f"'{name}' and another weight both stand for '{new_name}'; remove one.")
        renamed[new_name] = weight
    return fuse_qkv(renamed)


def _bare(name: str) -> str:
    for old, new in _FIRST_FILES:
        name = name.replace(old, new)
    return name.removeprefix("bert.")


def _new_name(bare: str, depth: int) -> str:
    in_layer = _LAYER.match(bare)
    if in_layer is None:
        place, _, kind = bare.rpartition(".")
        return f"{_OUTSIDE_LAYERS.get(place, place)}.{kind}" if place else bare
    layer, part, kind = int(in_layer[1]), in_layer[2], in_layer[3]
    if part == "output.LayerNorm":
        return f"layers.{layer + 1}.norm1.{kind}" if layer + 1 < depth else f"norm.{kind}"
    return f"layers.{layer}.{_INSIDE_LAYER.get(part, part)}.{kind}"
