"""The Swin inside Hugging Face's Mask2Former, as a spec: its config.json and its weights' names.

Cheng et al. 2022. What a table can tell is the backbone; the pixel decoder and the transformer
decoder, whose attention is deformable and masked, are not blocks of any family here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ....errors import UserError
from ...checks import shown
from ...hugging_face_fields import dim, side
from ..vit.spec import LARGEST_RESOLUTION
from .hugging_face import swin_spec_from_config
from .spec import LARGEST_WINDOW, SwinSpec

if TYPE_CHECKING:
    from torch import Tensor

MODEL_TYPE = "mask2former"
# On disk, in the memory of transformers 4, and in that of transformers 5.
_BACKBONE = re.compile(r"^model\.pixel_level_module\.encoder\.(?:swin\.)?(?:encoder\.)?")
# The decoder's part of the backbone: norms of the stages' outputs; and a norm that nothing reads.
_NO_PART = ("hidden_states_norms.", "layernorm.")
# Fields by which weights or code would come from elsewhere.
_ELSEWHERE = ("backbone", "use_pretrained_backbone", "use_timm_backbone")


def backbone_spec_from_config(
    config: Mapping[str, Any], name: str, resolution: int | None = None
) -> SwinSpec:
    """Return the Swin, without classes, of a Mask2Former whose config.json holds `config`.

    resolution: pixels of a side; None: `image_size` of the config, or the next size that fits.
    The module here has no padding, and a window that covers its map is not shifted, while
    transformers pads, and shifts always: only sizes at which both are the same fit. Raises
    UserError, with the nearest that do, for another size, and naming the field for another
    backbone or one that this model cannot follow.
    """
    for field in _ELSEWHERE:
        if config.get(field):
            raise UserError(
                f"{field}={shown(config[field])} is not supported: the backbone has to be "
                "described by backbone_config, and its weights have to be in the folder."
            )
    backbone = config.get("backbone_config")
    if not isinstance(backbone, dict):
        raise UserError(
            f"backbone_config={shown(backbone)} has to be an object that describes a Swin."
        )
    if backbone.get("model_type") != "swin":
        raise UserError(
            f"backbone_config has model_type={shown(backbone.get('model_type'))}; of Mask2Former "
            "only Swin backbones are supported."
        )
    # What class the backbone's weights came from says nothing of its layers.
    fields = {key: value for key, value in backbone.items() if key != "architectures"}
    patch = side(fields, "patch_size", 4)
    window = dim(fields, "window_size", 7, LARGEST_WINDOW)
    depths = fields.get("depths", [2, 2, 6, 2])
    stages = len(depths) if isinstance(depths, list) else 1
    tile = patch * 2 ** min(max(stages - 1, 0), 16) * window
    wanted = side(fields, "image_size", 224) if resolution is None else resolution
    fitting = max(-(-wanted // tile), 2) * tile
    if resolution is not None and fitting != resolution:
        below = resolution // tile * tile
        nearest = f"{below} or {fitting}" if below >= 2 * tile else f"{fitting}"
        raise UserError(
            f"at a resolution of {resolution}, maps of the Swin would be padded to its windows of "
            f"{window} tokens, or be one window; use a multiple of {tile} from {2 * tile} on: "
            f"{nearest}."
        )
    if fitting > LARGEST_RESOLUTION:
        raise UserError(
            f"patch_size={patch}, window_size={window} and {stages} stages need images of "
            f"{fitting} pixels a side, more than {LARGEST_RESOLUTION}."
        )
    spec = swin_spec_from_config({**fields, "image_size": fitting}, name)
    outputs = backbone.get("out_features")
    if outputs is not None and outputs != [f"stage{n + 1}" for n in range(len(spec.stages))]:
        raise UserError(
            f"out_features={shown(outputs)} is not supported: the decoder has to take all "
            f"{len(spec.stages)} stages."
        )
    return replace(spec, classes=0)


def backbone_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """Return the backbone's weights under a Swin's own names, None if it is not a Mask2Former."""
    found = {
        _BACKBONE.sub("", name): weight for name, weight in weights.items() if _BACKBONE.match(name)
    }
    return {n: w for n, w in found.items() if not n.startswith(_NO_PART)} if found else None
