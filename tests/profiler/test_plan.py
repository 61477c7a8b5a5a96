"""A plan names each point once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from vitprof.models import Block, ViTSpec
from vitprof.profiler.plan import NETWORK_REPEATS, Part, Plan, Point


def test_a_repeated_block_is_one_point_where_it_stood_first(mlp: Callable[..., Block]) -> None:
    plan = Plan.of_blocks([mlp(16), mlp(32), mlp(16)], "in_network")
    assert plan.points == [Point(mlp(16), "in_network"), Point(mlp(32), "in_network")]


def test_a_point_is_named_as_its_row(
    mlp: Callable[..., Block], row_of: Callable[..., object]
) -> None:
    spec = ViTSpec.uniform(24, 1, 1, name="mine")
    for subject in (mlp(16), spec):
        point, row = Point(subject), row_of(subject, 1.0)
        assert str(point) == row.name
        assert point.key == row.key
    assert Point(spec) != Point(spec, "in_model")


def test_the_parts_of_a_point_add_up_to_one_block(mlp: Callable[..., Block]) -> None:
    """With a cost of c a block, and d for the rest of the network, c alone is left."""
    block = mlp()
    model = ViTSpec.uniform(16, 3, 1, 32, resolution=8, patch=4)
    layer = model.blocks()[2]
    assert Point(block).parts == [Part((block,), 1.0)]
    assert Point(model, "in_model").parts == [Part(model, 1.0)]
    for point in (Point(block, "in_network"), Point(layer, "in_model", model)):
        assert point.is_difference
        weights = {part.subject: part.weight for part in point.parts}
        count = sum(w * subject.count(point.subject) for subject, w in weights.items())
        others = sum(w * (len(s) - s.count(point.subject)) for s, w in weights.items())
        assert (count, others) == (pytest.approx(1.0), 0)
    assert len(Point(block, "in_network").parts[0].subject) == 1 + NETWORK_REPEATS


def test_the_stem_and_the_classifier_are_always_measured_alone() -> None:
    model = ViTSpec.uniform(16, 3, 1, 32, resolution=8, patch=4)
    for plan, context in (
        (Plan.of_blocks(model.blocks(), "in_network"), "in_network"),
        (Plan.in_model(model), "in_model"),
    ):
        contexts = {p.subject.op: p.context for p in plan.points if isinstance(p.subject, Block)}
        assert contexts == {
            "patch_embed": "alone",
            "attention": context,
            "mlp": context,
            "classifier": "alone",
        }
    assert Plan.in_model(model).points[-1] == Point(model, "in_model")


def test_a_model_without_a_layer_has_nothing_to_leave_out(refused: Callable[..., object]) -> None:
    bare = ViTSpec.uniform(16, 1, 0, 0, resolution=8, patch=4, name="bare")
    with refused("bare", "no block"):
        Plan.in_model(bare)
