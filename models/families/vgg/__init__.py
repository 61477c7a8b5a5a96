"""VGG with batch norms (Simonyan & Zisserman 2015)."""

from __future__ import annotations

from ..family import Family

FAMILY = Family(
    name="vgg",
    title="VGG",
    package=__name__,
    spec=".spec:VggSpec",
    known=".known:known_vggs",
    ops=".ops:OPS",
    module=".model:Vgg",
    blocks=".blocks:BLOCKS",
    space="....spaces.vgg:VggSpace",
    rename=".checkpoint_names:vgg_names",
    structures=".structures:vgg_structures",
    with_units=".structures:vgg_with_units",
    steps=".structures:vgg_steps",
)
