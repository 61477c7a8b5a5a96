"""EfficientViT with cascaded group attention (Liu et al. 2023)."""

from __future__ import annotations

from ..family import Family

FAMILY = Family(
    name="efficientvit",
    title="EfficientViT",
    package=__name__,
    spec=".spec:EfficientViTSpec",
    known=".known:known_efficientvits",
    ops=".ops:OPS",
    module=".model:EfficientViT",
    blocks=".blocks:BLOCKS",
    space="....spaces.efficientvit:EfficientViTSpace",
    rename=".checkpoint_names:efficientvit_names",
    choices=".choices:CHOICES",
    published=".table_6:TABLE_6",
    removable=".removable:removable_of_efficientvit",
    inherited=".inheritance:inherited_efficientvit",
)
