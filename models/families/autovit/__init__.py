"""AutoViT: convolutions and MobileViT blocks (Kong et al. 2025)."""

from __future__ import annotations

from ..family import Family

FAMILY = Family(
    name="autovit",
    title="AutoViT",
    package=__name__,
    spec=".spec:AutoViTSpec",
    known=".known:known_autovits",
    ops=".ops:OPS",
    module=".model:AutoViT",
    blocks=".blocks:BLOCKS",
    space="....spaces.autovit:AutoViTSpace",
    removable=".removable:removable_of_autovit",
    inherited=".inheritance:inherited_autovit",
    skeleton=".skeleton:autovit_skeleton",
)
