"""A plan names each point once."""

from __future__ import annotations

from collections.abc import Callable

from vitprof.models import Block, ViTSpec
from vitprof.profiler.plan import Plan, Point


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
