"""The Vision Transformer (Dosovitskiy et al. 2020) and DeiT (Touvron et al. 2021)."""

from __future__ import annotations

from ..family import Family

FAMILY = Family(
    name="vit",
    title="ViT",
    package=__name__,
    spec=".spec:ViTSpec",
    known=".known:known_vits",
    ops=".ops:OPS",
    module=".model:VisionTransformer",
    blocks=".blocks:BLOCKS",
    space="....spaces.vit:ViTSpace",
    hugging_face={
        "vit": ".hugging_face:vit_spec_from_config",
        "deit": ".hugging_face:vit_spec_from_config",
        "dinov2": ".dinov2:dinov2_spec_from_config",
        "dinov2_with_registers": ".dinov2:dinov2_spec_from_config",
    },
    rename=".checkpoint_names:vit_names",
    of_checkpoint=".checkpoint_names:vit_of_checkpoint",
    structures=".structures:vit_structures",
    with_units=".structures:vit_with_units",
    removable=".removable:removable_of_vit",
    inherited=".inheritance:inherited_vit",
    skeleton=".skeleton:vit_skeleton",
)
