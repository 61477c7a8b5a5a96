"""A family of another wheel is measured, validated and searched by its choices alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import vitprof
from vitprof.models import Block, Spec, create_spec
from vitprof.profiler.spaces_of_table import spaces_of_table
from vitprof.search.costs import CostModel
from vitprof.spaces.registry import families_with_spaces, find_search_space, search_space_names
from vitprof.tables import LatencyTable, Row, Setting


def table_of(specs: list[Spec], blocks: list[Block], row_of, setting: Setting) -> LatencyTable:
    rows: list[Row] = [row_of(block, 0.01 + block.macs / 1e8) for block in blocks]
    rows += [row_of(spec, 0.02 + spec.macs / 1e8, context="in_model") for spec in specs]
    return LatencyTable(rows, setting)


def test_it_is_known_by_name(install_toy: Callable[..., None]) -> None:
    assert "toy" not in families_with_spaces()
    install_toy()
    assert "toy" in families_with_spaces()
    assert "toy" in search_space_names()
    assert find_search_space("toy").count() == 9


def test_its_plan_covers_what_is_known_and_drawn(
    install_toy: Callable[..., None], row_of: Callable[..., Row], setting: Setting
) -> None:
    install_toy()
    plan = vitprof.plan("toy", whole_models=4, resolution=32)
    table = table_of(plan.models, plan.blocks, row_of, setting)
    (found,) = spaces_of_table(table)
    assert found.name == "toy"
    rng = random.Random(0)
    drawn = [found.sample(rng, str(number)) for number in range(20)]
    assert {spec.resolution for spec in drawn} == {32}  # type: ignore[attr-defined]
    assert {spec.width for spec in drawn} - {8, 16, 32}, "between the levels too"  # type: ignore[attr-defined]
    for spec in drawn:
        assert table.predict(spec).extrapolated == []
    model = vitprof.plan(model="toy-large", whole_models=2)
    large = create_spec("toy-large")
    assert table_of([], model.blocks, row_of, setting).predict(large).extrapolated == []


def test_it_is_searched(
    install_toy: Callable[..., None], row_of, setting: Setting, tmp_path: Path
) -> None:
    install_toy()
    file = tmp_path / "mine.toml"
    file.write_text('family = "toy"\nclasses = 5\nwidth = [8, 24]\n')
    plan = vitprof.plan(space=str(file), whole_models=0)
    space = find_search_space(str(file))
    table = table_of([], plan.blocks, row_of, setting)
    rows = np.concatenate(list(space.enumerate()))
    assert len(rows) == space.count() == 2 * 3
    costs = CostModel(space, [table]).of(rows)
    specs = [space.spec(row) for row in rows]
    assert costs.latency_ms[:, 0] == pytest.approx([table.predict(spec).ms for spec in specs])
    assert {(spec.width, spec.classes) for spec in specs} == {(8, 5), (24, 5)}  # type: ignore[attr-defined]
