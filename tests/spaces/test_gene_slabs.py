"""A family that says its choices and how to build a spec: all else follows."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from vitprof.models import Spec, find_op
from vitprof.models.families.vgg.spec import VggSpec
from vitprof.profiler.spaces_of_table import grids_of
from vitprof.search.costs import CostModel
from vitprof.spaces.gene import Value
from vitprof.spaces.gene_slabs import slabs_of
from vitprof.spaces.space import SearchSpace
from vitprof.tables import LatencyTable, Row, Setting

from .small_spaces import every


@dataclass(frozen=True)
class PlainVgg(SearchSpace):
    """As short as a family can be: VGGs of two stages, the second no narrower than the first."""

    family = "vgg"
    makes = VggSpec
    choices: ClassVar[Mapping[str, Sequence[Value]]] = {
        "stage-1.channels": (16, 24, 32),
        "stage-1.depth": (1, 3),
        "stage-2.channels": (16, 32, 64),
        "hidden": (32, 64),
    }

    never_shrink: tuple[str, ...] = ("stage-1.channels", "stage-2.channels")

    def build(self, values: Mapping[str, Value], name: str) -> Spec:
        first = (int(values["stage-1.channels"]),) * int(values["stage-1.depth"])
        fields: dict[str, Any] = {"resolution": 32, "pooled": 1, "classes": 10} | dict(self.frame)
        return VggSpec(
            name=name,
            stages=(first, (int(values["stage-2.channels"]),)),
            hidden=(int(values["hidden"]),),
            **fields,
        )


SPACE = PlainVgg.from_fields("plain", {})
SLABS = slabs_of(PlainVgg)


@pytest.fixture(scope="module")
def table_of(row_of: Callable[..., Row], setting: Setting) -> Callable[..., LatencyTable]:
    def table(blocks) -> LatencyTable:
        return LatencyTable(
            [row_of(b, 0.01 + b.macs / 1e8 + b.params / 1e9) for b in blocks], setting
        )

    return table


def test_it_counts_what_it_enumerates_and_builds_all_of_it() -> None:
    rows = every(SPACE)
    specs = {SPACE.spec(row) for row in rows}
    assert SPACE.count() == len(rows) == len(specs) == (3 + 2 + 2) * 2 * 2
    assert all(spec.stages[0][0] <= spec.stages[1][0] for spec in specs)  # type: ignore[attr-defined]


def test_what_is_sampled_mutated_and_crossed_is_of_the_space() -> None:
    rows = {row.tobytes() for row in every(SPACE)}
    rng = np.random.default_rng(0)
    first = SPACE.sample(rng, 50)
    for population in (first, SPACE.mutated(first, rng), SPACE.crossed(first, first[::-1], rng)):
        assert {row.tobytes() for row in population} <= rows


def test_a_file_changes_its_choices_and_fields_and_says_them_again(refused) -> None:
    space = PlainVgg.from_fields("mine", {"stage-1": {"depth": [2]}, "hidden": 48, "classes": 3})
    values = {gene.name: gene.values for gene in space.genes}
    assert values["stage-1.depth"] == (2,) and values["hidden"] == (48,)
    assert values["stage-1.channels"] == (16, 24, 32)
    assert space.supernet_spec().classes == 3  # type: ignore[attr-defined]
    said = space.to_dict()
    assert (said.pop("family"), said.pop("name")) == ("vgg", "mine")
    assert PlainVgg.from_fields("mine", said) == space
    with refused("'stage-1'", "stage1"):
        PlainVgg.from_fields("mine", {"stage1": {}})
    with refused("'depth'", "dept"):
        PlainVgg.from_fields("mine", {"stage-1": {"dept": 2}})
    with refused("stage-1", "table"):
        PlainVgg.from_fields("mine", {"stage-1": 3})
    with refused("pooled=5"):
        PlainVgg.from_fields("mine", {"pooled": 5})


def test_its_blocks_hold_every_value_that_occurs() -> None:
    found = SPACE.blocks()
    occur = {b for row in every(SPACE) for b in SPACE.spec(row).blocks()}
    assert set(found) == occur


def test_its_own_grids_cover_every_model_and_random_ones_between(table_of) -> None:
    slabs = SLABS.create()
    table = table_of(slabs.blocks())
    for row in every(SPACE):
        assert table.predict(SPACE.spec(row)).extrapolated == []
    rng = random.Random(0)
    specs = [slabs.sample(rng, str(i)) for i in range(40)]
    assert all(table.predict(spec).extrapolated == [] for spec in specs)
    assert all(spec.stages[0][0] <= spec.stages[1][0] for spec in specs)  # type: ignore[attr-defined]
    widths = {spec.stages[1][0] for spec in specs}  # type: ignore[attr-defined]
    assert widths - {16, 32, 64}, "a table is right at its own levels"
    assert len(slabs.calibration_models(4)) == 4
    assert SLABS.name == "vgg"


def test_another_image_and_a_model_beside_its_choices_are_covered(table_of, refused) -> None:
    slabs = SLABS.create(resolution=64, classes=3)
    assert slabs.sample(random.Random(0)).resolution == 64  # type: ignore[attr-defined]
    wide = VggSpec(stages=((40,), (80,)), hidden=(32,), resolution=32, pooled=1, classes=10)
    table = table_of(SLABS.create(wide).blocks())
    assert table.predict(wide).extrapolated == []
    assert table.predict(SPACE.supernet_spec()).extrapolated == []
    with refused("`patch`", "vgg"):
        SLABS.create(patch=4)


def test_a_table_gives_back_its_grids_its_image_and_its_classes(table_of) -> None:
    slabs = SLABS.create(resolution=64, classes=3)
    table = table_of(slabs.blocks())
    found = SLABS.of_grids(grids_of(table))
    spec = found.sample(random.Random(0))
    assert (spec.resolution, spec.classes) == (64, 3)  # type: ignore[attr-defined]
    assert table.predict(spec).extrapolated == []
    assert {slab.op for slab in found.slabs} == {slab.op for slab in slabs.slabs}
    assert all(
        axis in slab.levels or axis in slab.frame
        for slab in found.slabs
        for axis in find_op(slab.op).axes
    )


def test_a_search_knows_what_whole_models_cost(table_of) -> None:
    table = table_of(SPACE.measured().blocks())
    rows = every(SPACE)
    model = CostModel(SPACE, [table])
    for _ in range(2):  # the second time from what is known
        costs = model.of(rows)
        specs = [SPACE.spec(row) for row in rows]
        assert costs.params.tolist() == [spec.params for spec in specs]
        assert costs.macs.tolist() == [spec.macs for spec in specs]
        assert costs.latency_ms[:, 0] == pytest.approx([table.predict(s).ms for s in specs])
    assert (model.peak_bytes(rows) > 4 * costs.params).all()
