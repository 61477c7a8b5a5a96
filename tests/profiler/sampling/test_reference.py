"""What tells the machine's speed while a plan is measured, and how a header says it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from vitprof.models import Block, Spec, create_spec
from vitprof.profiler.plan import Plan
from vitprof.profiler.sampling.reference import STANDARD, choose_references
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables.references import References

Mlp = Callable[..., Block]
M0, M5 = create_spec("efficientvit-m0"), create_spec("efficientvit-m5")


def chosen(*subjects: Block | Spec, batch: int = 1) -> References:
    blocks = [one for one in subjects if isinstance(one, Block)]
    models = [one for one in subjects if isinstance(one, Spec)]
    return choose_references(Plan.of_blocks(blocks, models=models), batch)


def both(block: Block) -> References:
    return References(block, block)


def attention(heads: int, embed: int = 384) -> Block:
    return Block.of("attention", embed=embed, heads=heads, qk=64, v=64, tokens=197)


def test_the_reference_is_the_mlp_most_like_that_of_deit_b(mlp: Mlp) -> None:
    nearer = attention(12, 1370)
    assert abs(nearer.macs - STANDARD.macs) < STANDARD.macs / 20
    assert chosen(nearer, mlp(768, 2304, 197), STANDARD, M5) == both(STANDARD)
    assert chosen(nearer, mlp(768, 2304, 197), mlp(576, 2304, 197)) == both(mlp(768, 2304, 197))


def test_of_small_models_it_is_the_mlp_with_most_weights(mlp: Mlp) -> None:
    small, large = mlp(192, 384, 65), mlp(192, 768, 65)
    assert chosen(small, large, attention(3, 192)) == both(large)


def test_an_mlp_of_many_tokens_and_few_weights_is_none(mlp: Mlp) -> None:
    """A Swin's: as much work as wanted with hardly any weights, or the weights for few tokens."""
    many_tokens, many_weights = mlp(128, 512, 7056), mlp(1024, 4096, 49)
    assert abs(many_tokens.macs - STANDARD.macs) < STANDARD.macs / 100
    assert chosen(many_tokens, many_weights, M5) == both(STANDARD)


def test_a_batch_makes_the_reference_of_fewer_tokens(mlp: Mlp) -> None:
    whole, sixteenth = mlp(768, 3072, 192), mlp(768, 3072, 12)
    assert chosen(whole, sixteenth) == both(whole)
    assert chosen(whole, sixteenth, batch=16) == both(sixteenth)


def test_models_without_mlps_are_followed_by_one_of_them() -> None:
    assert chosen(attention(12, 768), M0, M5) == References(STANDARD, M5)
    assert chosen(attention(12, 768), M0, M5, batch=16).models == M0


def test_blocks_without_an_mlp_are_followed_by_the_standard_one_at_that_batch() -> None:
    stem = ViTSlabs().blocks()[0]
    assert stem.op == "patch_embed"
    assert chosen(attention(12, 768), stem) == both(STANDARD)
    shared = chosen(stem, batch=16).blocks
    assert isinstance(shared, Block)
    assert shared.op == "mlp"
    assert 16 * shared.macs == pytest.approx(STANDARD.macs, rel=0.03)
    endless = chosen(stem, batch=1000).blocks
    assert isinstance(endless, Block)
    assert endless.as_dict()["tokens"] == 1


def test_without_points_there_is_no_reference() -> None:
    assert chosen() == References()


def test_a_bundles_block_takes_the_place_of_the_block_only(mlp: Mlp) -> None:
    assert both(STANDARD).with_block(mlp()) == both(mlp())
    assert References(STANDARD, M5).with_block(mlp()) == References(mlp(), M5)
    assert References(STANDARD, M5).with_block(None) == References(None, M5)


def test_a_point_has_the_reference_of_its_kind(mlp: Mlp) -> None:
    references = References(STANDARD, M5)
    assert references.of(mlp()) == STANDARD
    assert references.of(M0) == M5
