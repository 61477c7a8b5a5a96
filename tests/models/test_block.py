from __future__ import annotations

import pytest
from vitprof.models import AXES, OPS, Block, find_op


def test_a_block_is_a_key_whatever_the_order_of_its_dims():
    first = Block.of("mlp", embed=4, mlp=8, tokens=5)
    assert {first: 1}[Block.of("mlp", tokens=5, mlp=8, embed=4)] == 1
    assert str(first) == "mlp(embed=4, mlp=8, tokens=5)"
    assert (first["mlp"], first.as_dict()) == (8, {"embed": 4, "mlp": 8, "tokens": 5})


def test_bytes_are_weights_once_and_activations_per_image():
    block = Block.of("classifier", embed=4, heads=1, classes=3, tokens=5)
    weights = 2 * 4 + (4 + 1) * 3
    assert block.bytes() == 4 * (weights + 5 * 4 + 3)
    assert block.bytes(batch=8, bytes_per_value=2) == 2 * (weights + 8 * (5 * 4 + 3))


@pytest.mark.parametrize("value", [0, -1, 1_000_001, True, 4.0, "4", None])
def test_a_value_out_of_range_is_refused(refused, value):
    with refused("mlp=", "op 'mlp'"):
        Block.of("mlp", embed=4, mlp=value, tokens=5)


def test_a_value_too_long_to_print_is_refused(refused):
    with refused("mlp=a number of thousands of digits"):
        Block.of("mlp", embed=4, mlp=10**5000, tokens=5)


def test_wrong_dims_and_ops_are_named(refused):
    with refused("'mpl'", "embed, mlp, tokens"):
        Block.of("mlp", embed=4, mpl=8, tokens=5)
    with refused("'tokens'", "lacks"):
        Block.of("mlp", embed=4, mlp=8)
    with refused("'mpl'", "'mlp'"):
        find_op("mpl")


def test_axes_are_those_of_all_ops_once():
    assert len(AXES) == len(set(AXES))
    assert set(AXES) == {axis for op in OPS.values() for axis in op.axes}


def test_what_was_once_taken_is_not_taken_in_another_type(refused):
    """Blocks are kept by their dims, and True, 1 and 1.0 are one key of a dict."""
    assert Block.of("mlp", embed=1, mlp=1, tokens=1) is Block.of("mlp", embed=1, mlp=1, tokens=1)
    for wrong in (True, 1.0, [1], None):
        with refused("embed", "whole number"):
            Block.of("mlp", embed=wrong, mlp=1, tokens=1)
