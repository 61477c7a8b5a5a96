"""What a Vision Transformer may have beyond the paper's: registers, layer scale, gated MLPs, ..."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ....errors import UserError
from ...checks import check_flag, check_known_fields, check_whole_number, shown
from ...ops.codes import code

POOLS = ("class", "mean")
FINAL_NORMS = ("tokens", "pooled", "none")
# The op of an MLP by its activation.
MLP_OPS = {
    "gelu": "mlp",
    "gelu_tanh": "mlp_gelu_tanh",
    "quick_gelu": "mlp_quick_gelu",
    "swiglu": "swiglu_mlp",
}
LARGEST_REGISTERS = 256


@dataclass(frozen=True, kw_only=True)
class ViTDetails:
    """Details of a ViTSpec; the defaults are the plain Vision Transformer.

    class_token: there is one. registers: learned tokens behind it that nothing reads
    (Darcet et al. 2023). prefix_positions: class token and registers have positions too.
    pool: what the classifier reads, the class token or the mean of the patches. final_norm: the
    last layer norm is over all tokens, over the pooled vector, or absent.
    pre_norm: a layer norm in front of the layers, and no bias in the patch projection
    (Radford et al. 2021 (CLIP)). layer_scale: a learned factor a channel on what each half of a
    layer adds (Touvron et al. 2021 (CaiT), section 2). qkv_bias: queries, keys and values have a
    bias. qk_norm: a layer norm on each head's queries and keys (Dehghani et al. 2023).
    activation: of the MLP; swiglu is a gated MLP whose `mlp` is the width of gate and value each
    (Shazeer 2020).

    Raises UserError for a value that is not one of these, and the class token's pool without one.
    """

    class_token: bool = True
    registers: int = 0
    prefix_positions: bool = True
    pool: Literal["class", "mean"] = "class"
    final_norm: Literal["tokens", "pooled", "none"] = "tokens"
    pre_norm: bool = False
    layer_scale: bool = False
    qkv_bias: bool = True
    qk_norm: bool = False
    activation: Literal["gelu", "gelu_tanh", "quick_gelu", "swiglu"] = "gelu"

    def __post_init__(self) -> None:
        for name in _FLAGS:
            check_flag(name, getattr(self, name))
        check_whole_number("registers", self.registers, 0, LARGEST_REGISTERS)
        code(POOLS, self.pool, "pool")
        code(FINAL_NORMS, self.final_norm, "final_norm")
        code(tuple(MLP_OPS), self.activation, "activation")
        if self.pool == "class" and not self.class_token:
            raise UserError('pool="class" needs the class token; take pool="mean".')

    @classmethod
    def from_fields(cls, record: Any) -> ViTDetails:
        """Return the details with these JSON fields; raises UserError naming the wrong one."""
        if isinstance(record, ViTDetails):
            return record
        if not isinstance(record, Mapping):
            raise UserError(
                f'details={shown(record)} must be an object like {{"layer_scale": true}}.'
            )
        check_known_fields(record, [field.name for field in dataclasses.fields(cls)])
        return cls(**record)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are not as in a plain Vision Transformer."""
        fields = dataclasses.fields(self)
        values = {field.name: getattr(self, field.name) for field in fields}
        return {name: value for name, value in values.items() if value != getattr(PLAIN, name)}

    @property
    def prefix(self) -> int:
        """Tokens in front of the patches, without a distillation token."""
        return int(self.class_token) + self.registers

    @property
    def attention_op(self) -> str:
        """The op of a layer's attention, of a model that merges no tokens."""
        return "normed_attention" if self.qk_norm else "attention"

    @property
    def mlp_op(self) -> str:
        """The op of a layer's MLP."""
        return MLP_OPS[self.activation]

    def end_op(self, classes: int) -> str:
        """Return the op of the last norm and the classifier, of features where classes is 0."""
        if self.pool == "mean":
            return "pooled_tokens_classifier" if classes else "mean_features"
        return "classifier" if classes else "features"

    def more_params(self, embed: int, prefix: int, layers: Any) -> int:
        """Return how many weights more (or less) these details make than the blocks' own count.

        prefix: tokens in front of the patches; layers: the ViTLayers.
        """
        more = 0
        if not self.prefix_positions:
            more -= prefix * embed
        if self.pre_norm:
            more += 2 * embed - embed  # a norm, and no bias of the projection
        if self.final_norm == "none":
            more -= 2 * embed
        for layer in layers:
            if self.layer_scale:
                more += embed * (bool(layer.heads) + bool(layer.mlp))
            if not self.qkv_bias:
                more -= layer.heads * (2 * layer.qk + layer.v)
        return more


_FLAGS = ("class_token", "prefix_positions", "pre_norm", "layer_scale", "qkv_bias", "qk_norm")
PLAIN = ViTDetails()
