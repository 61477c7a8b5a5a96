"""DINOv2's specs from the config.json of Hugging Face transformers, with and without registers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....errors import UserError
from ...checks import check_flag, check_fraction, check_whole_number, shown
from ...hugging_face_fields import architectures, check_supported, dim, side
from .details import LARGEST_REGISTERS, ViTDetails
from .spec import LARGEST_DEPTH, LARGEST_HEADS, LARGEST_WIDTH, ViTSpec

# transformers' defaults, which differ.
_PATCH = {"dinov2": 14, "dinov2_with_registers": 16}


def dinov2_spec_from_config(config: Mapping[str, Any], name: str) -> ViTSpec:
    """Return the spec of a Dinov2Model or Dinov2WithRegistersModel by its config.json.

    Oquab et al. 2023 (DINOv2); Darcet et al. 2023 (registers). The output is the normed class
    token, (batch, embed), transformers' `pooler_output`. Registers have no positions; the class
    token's is added to it (see `checkpoint_names`), so that with registers there are `embed`
    parameters fewer than in the file. Raises UserError naming the field that this model cannot
    follow, such as a head for classification.
    """
    check_supported(config)
    for architecture in architectures(config):
        if architecture.endswith("ForImageClassification"):
            raise UserError(
                f"architectures={shown(architecture)} is not supported, because its classifier "
                "reads class token and mean of the patches side by side; give the model without "
                "it, such as facebook/dinov2-small."
            )
    registers = 0
    if config["model_type"] == "dinov2_with_registers":
        registers = config.get("num_register_tokens", 4)
        check_whole_number("num_register_tokens", registers, 0, LARGEST_REGISTERS)
    gated = config.get("use_swiglu_ffn", False)
    check_flag("use_swiglu_ffn", gated)
    eps = config.get("layer_norm_eps", 1e-6)
    check_fraction("layer_norm_eps", eps)
    embed = dim(config, "hidden_size", 768, LARGEST_WIDTH)
    return ViTSpec.uniform(
        embed,
        depth=dim(config, "num_hidden_layers", 12, LARGEST_DEPTH),
        heads=dim(config, "num_attention_heads", 12, LARGEST_HEADS),
        mlp=_mlp(config, embed, gated),
        patch=side(config, "patch_size", _PATCH[config["model_type"]]),
        resolution=side(config, "image_size", 224),
        in_channels=dim(config, "num_channels", 3, LARGEST_HEADS),
        classes=0,
        norm_eps=eps,
        details=ViTDetails(
            registers=registers,
            prefix_positions=not registers,
            layer_scale=True,
            activation="swiglu" if gated else "gelu",
        ),
        name=name,
    )


def _mlp(config: Mapping[str, Any], embed: int, gated: bool) -> int:
    """Return the width of the MLP; a gated one has two thirds of it, in steps of 8."""
    ratio = config.get("mlp_ratio", 4)
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio <= 64:
        raise UserError(f"mlp_ratio={shown(ratio)} must be a number above 0 and at most 64.")
    width = int(embed * ratio)
    return (int(width * 2 / 3) + 7) // 8 * 8 if gated else width
