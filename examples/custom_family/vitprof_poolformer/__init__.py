"""PoolFormer for vitprof: the record that the wheel's entry point names."""

from vitprof.models.families.family import Family

FAMILY = Family(
    name="poolformer",
    title="PoolFormer",
    package=__name__,
    spec=".spec:PoolFormerSpec",
    known=".spec:known_poolformers",
    ops=".spec:OPS",
    module=".model:PoolFormer",
    blocks=".model:BLOCKS",
    space=".space:PoolFormerSpace",
)
