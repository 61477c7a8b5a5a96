from __future__ import annotations

from vitprof.models import Block, create_block


def test_dims_no_module_can_have_are_refused(refused):
    dims = {"embed": 4, "in_channels": 3, "resolution": 8, "kernel": 4, "prefix": 1}
    with refused("kernel=16", "from 1 to 8"):
        create_block(Block.of("patch_embed", **{**dims, "kernel": 16}))
    with refused("heads=3"):
        create_block(Block.of("classifier", embed=4, heads=3, classes=2, tokens=5))


def test_an_unknown_op_names_the_nearest(refused):
    with refused("'atention'", "'attention'"):
        create_block(Block("atention", ()))
