"""What the spaces of families with stages plan is what their models need."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from vitprof.compress.cutting import prunable_of
from vitprof.errors import UserError
from vitprof.models import Block, Spec, create_spec, spec_names
from vitprof.models.ablations import single_variants
from vitprof.profiler.refine import find_gaps
from vitprof.profiler.spaces_of_table import spaces_of_table
from vitprof.spaces.autovit import latency_table_modules
from vitprof.spaces.registry import families_with_spaces, slabs_class, with_variants
from vitprof.spaces.slabs import MeasuringSpace
from vitprof.spaces.staged_slabs import StagedSlabs
from vitprof.tables import LatencyTable, Row, Setting, merge
from vitprof.tables.calibration.calibrate import calibrated

STAGED = [name for name in families_with_spaces() if name != "vit"]
TableOf = Callable[..., LatencyTable]


@pytest.fixture(scope="session")
def table_of(row_of: Callable[..., Row], setting: Setting) -> TableOf:
    """Return a table of every block of a space; a block costs what its MACs and weights are."""

    def cost(block: Block) -> float:
        return 0.01 + block.macs / 1e8 + block.params / 1e9

    def table(*spaces: MeasuringSpace, models: int = 0) -> LatencyTable:
        blocks = dict.fromkeys(block for space in spaces for block in space.blocks())
        specs = [spec for space in spaces for spec in space.calibration_models(models)]
        rows = [row_of(block, cost(block)) for block in blocks]
        whole = [row_of(s, 1.1 * sum(map(cost, s.blocks())), context="in_model") for s in specs]
        return LatencyTable([*rows, *whole], setting)

    return table


def of_family(family: str) -> list[Spec]:
    return [spec for name in spec_names() if (spec := create_spec(name)).family == family]


@pytest.mark.parametrize("name", STAGED)
def test_the_default_table_predicts_the_known_models(name: str, table_of: TableOf) -> None:
    table = table_of(slabs_class(name).create())
    for spec in of_family(name):
        # Wider heads than any Swin's, and VGGs of smaller images; see below.
        if "revit" not in spec.name and "cifar" not in spec.name:
            assert table.predict(spec).extrapolated == []


@pytest.mark.parametrize("name", ["swin-tiny-revit", "swin-small-revit", "swin-base-revit"])
def test_a_revit_stage_is_predicted_by_a_table_of_its_own(name: str, table_of: TableOf) -> None:
    spec = create_spec(name)
    table = table_of(slabs_class("swin").create(spec))
    assert table.predict(spec).extrapolated == []


def test_the_table_of_small_images_predicts_vggs_for_cifar(table_of: TableOf) -> None:
    table = table_of(slabs_class("vgg").create(resolution=32, classes=10))
    for spec in of_family("vgg"):
        if "cifar" in spec.name:
            assert table.predict(spec).extrapolated == []


def test_a_pruned_vgg_is_predicted_by_its_models_table(table_of: TableOf) -> None:
    spec = create_spec("vgg16-bn-cifar")
    table = table_of(slabs_class("vgg").create(spec))
    narrow = {f"convs.{n}.channels": -(-width // 8) for n, width in enumerate(spec.channels)}
    uneven = {name: least * (1 + n % 4) for n, (name, least) in enumerate(narrow.items())}
    for units in (narrow, uneven):
        pruned = prunable_of(spec).with_units(spec, units)
        assert table.predict(pruned).extrapolated == []
        assert pruned.macs < 0.5 * spec.macs


@pytest.mark.parametrize("name", STAGED)
def test_random_models_are_predicted_and_differ(name: str, table_of: TableOf) -> None:
    space = slabs_class(name).create()
    table = table_of(space)
    rng = random.Random(1)
    specs = [space.sample(rng, f"r{i}") for i in range(25)]
    assert len({tuple(spec.blocks()) for spec in specs}) == len(specs)
    for spec in specs:
        assert table.predict(spec).extrapolated == []
    macs = sorted(spec.macs for spec in specs)
    assert macs[-1] > 2 * macs[0], "models of one size would make any predictor look good"


@pytest.mark.parametrize("name", STAGED)
def test_the_space_of_a_table_samples_what_the_table_covers(name: str, table_of: TableOf) -> None:
    table = table_of(slabs_class(name).create())
    (space,) = [s for s in spaces_of_table(table) if s.name == name]
    rng = random.Random(2)
    for i in range(5):
        assert table.predict(space.sample(rng, str(i))).extrapolated == []


@pytest.mark.parametrize("name", STAGED)
def test_the_space_of_one_model_covers_it(name: str, table_of: TableOf) -> None:
    spec = of_family(name)[0]
    space = slabs_class(name).create(spec)
    assert len(space.blocks()) < len(slabs_class(name).create().blocks())
    assert table_of(space).predict(spec).extrapolated == []


@pytest.mark.parametrize("name", STAGED)
def test_gaps_have_probes_that_are_blocks(name: str) -> None:
    space = slabs_class(name).create()
    gaps = find_gaps(space, random.Random(0))
    assert gaps
    assert all(isinstance(space, StagedSlabs) and space.covers(gap.probe) for gap in gaps)


def test_autovits_plan_has_the_papers_46_modules() -> None:
    blocks = slabs_class("autovit").create().blocks()
    modules = latency_table_modules()
    assert len(set(modules)) == 46
    assert blocks[:46] == modules
    assert len(set(blocks)) == len(blocks)


def test_another_image_has_other_maps() -> None:
    for name, side in (("efficientvit", 384), ("swin", 448), ("autovit", 512), ("vgg", 96)):
        space = slabs_class(name).create(resolution=side, classes=10)
        stem = space.blocks()[0]
        assert stem["resolution"] == side
        assert space.sample(random.Random(0)).blocks()[0]["resolution"] == side


@pytest.mark.parametrize(
    ("name", "side"), [("efficientvit", 225), ("swin", 256), ("autovit", 250), ("vgg", 112)]
)
def test_an_image_that_strides_do_not_divide_is_refused(
    name: str, side: int, refused: Callable[..., object]
) -> None:
    with refused(str(side)):
        slabs_class(name).create(resolution=side)


def test_patches_are_plain_vits(refused: Callable[..., object]) -> None:
    with refused("`patch`"):
        slabs_class("swin").create(patch=8)


def test_variants_are_covered_when_asked_for(table_of: TableOf) -> None:
    spec = create_spec("efficientvit-m4")
    space = slabs_class("efficientvit").create()
    plain = table_of(space)
    with pytest.raises(UserError, match="is not in the table"):
        for variant in single_variants(spec):
            plain.predict(variant.spec)
    table = table_of(with_variants(space, spec))
    for variant in single_variants(spec):
        assert table.predict(variant.spec).extrapolated == []


def test_variants_of_another_family_are_refused(refused: Callable[..., object]) -> None:
    with refused("deit-tiny", "`family` vit"):
        with_variants(slabs_class("swin").create(), create_spec("deit-tiny"))
    with refused("swin-tiny", "not listed"):
        with_variants(slabs_class("swin").create(), create_spec("swin-tiny"))


# --- several families in one table ----------------------------------------------------------------


def test_a_table_holds_several_families_each_with_its_line(table_of: TableOf) -> None:
    names = ("vit", "swin")
    spaces = [slabs_class(name).create() for name in names]
    table = calibrated(table_of(*spaces, models=4))
    assert list(table.calibrations) == list(names)
    assert table.calibration is None, "there is not one line"
    found = spaces_of_table(table)
    assert [space.name for space in found] == list(names)
    rng = random.Random(3)
    for space in found:
        for i in range(5):
            prediction = table.predict(space.sample(rng, str(i)))
            assert prediction.extrapolated == []
            assert "line fitted on 4" in prediction.how
    both = [create_spec("swin-tiny"), create_spec("deit-tiny")]
    assert list(table.predict_many(both)) == pytest.approx([table.predict(s).ms for s in both])


def test_lines_survive_the_file(table_of: TableOf, tmp_path) -> None:
    spaces = [slabs_class(name).create() for name in ("swin", "vit")]
    table = calibrated(table_of(*spaces, models=3))
    table.to_csv(tmp_path / "both.csv")
    read = LatencyTable.read_csv(tmp_path / "both.csv")
    assert read.calibrations == table.calibrations
    alone = calibrated(table_of(spaces[0], models=3))
    alone.to_csv(tmp_path / "one.csv")
    assert LatencyTable.read_csv(tmp_path / "one.csv").calibration == alone.calibration


def test_a_family_without_a_line_is_the_sum_of_its_blocks(table_of: TableOf) -> None:
    table = calibrated(table_of(slabs_class("vit").create(), models=3))
    swin = table_of(slabs_class("swin").create())
    merged = merge.merge_tables([table, swin])
    spec = create_spec("swin-tiny")
    assert merged.predict(spec).ms == pytest.approx(swin.predict(spec).ms)


def test_an_unknown_space_names_the_nearest(refused: Callable[..., object]) -> None:
    with refused("swim", "did you mean 'swin'"):
        slabs_class("swim")
