"""The Swin Transformer (Liu et al. 2021)."""

from __future__ import annotations

from ..family import Family

FAMILY = Family(
    name="swin",
    title="Swin",
    package=__name__,
    spec=".spec:SwinSpec",
    known=".known:known_swins",
    ops=".ops:OPS",
    module=".model:SwinTransformer",
    blocks=".blocks:BLOCKS",
    space="....spaces.swin:SwinSpace",
    hugging_face={
        "swin": ".hugging_face:swin_spec_from_config",
        "mask2former": ".mask2former:backbone_spec_from_config",
    },
    rename=".checkpoint_names:swin_names",
    structures=".structures:swin_structures",
    with_units=".structures:swin_with_units",
    inherited=".inheritance:inherited_swin",
)
