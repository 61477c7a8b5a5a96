"""Which random models a table is validated on."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from vitprof.models import create_spec
from vitprof.profiler.validation.drawing import draw_for
from vitprof.spaces.registry import find_search_space, slabs_class
from vitprof.tables import LatencyTable, Row, Setting


def test_a_table_of_one_family_draws_from_it(setting: Setting, row_of: Callable[..., Row]) -> None:
    table = LatencyTable(
        [row_of(block, 1.0) for block in slabs_class("vit").create().blocks()], setting
    )
    spec = draw_for(table)(random.Random(1), "one")
    assert (spec.family, spec.name) == ("vit", "one")
    assert spec == draw_for(table, "vit")(random.Random(1), "one")
    assert spec != draw_for(table)(random.Random(2), "one")


def test_a_named_search_space_goes_before_the_family(
    setting: Setting, row_of: Callable[..., Row]
) -> None:
    table = LatencyTable(
        [row_of(block, 1.0) for block in slabs_class("vit").create().blocks()], setting
    )
    space = find_search_space("autoformer-tiny")
    for given in ("autoformer-tiny", space):
        spec = draw_for(table, space=given)(random.Random(1), "one")
        assert spec == space.random_spec(random.Random(1), "one")


def test_where_it_is_not_clear_the_family_is_asked_for(
    setting: Setting, row_of: Callable[..., Row], refused: Any
) -> None:
    models = [create_spec("vit-micro-8"), create_spec("vgg16-bn")]
    blocks = dict.fromkeys(block for spec in models for block in spec.blocks())
    rows = [row_of(subject, 1.0) for subject in (*blocks, *models)]
    with refused("several families (vit, vgg)", "`family` vit"):
        draw_for(LatencyTable(rows, setting))
    with refused("`space` has a family of its own", "`family`"):
        draw_for(LatencyTable(rows, setting), "vit", "autovit-xxs")
