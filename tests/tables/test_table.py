"""What a table answers for blocks and models."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vitprof.models import Block, ViTLayer, ViTSpec
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.calibration.calibrate import calibrated
from vitprof.tables.grids.block_arrays import BlockArrays

SmallVit = Callable[..., ViTSpec]
RowOf = Callable[..., Row]

SPECS = st.builds(
    lambda embed, layers: ViTSpec(
        embed=embed, layers=tuple(layers), patch=4, resolution=8, in_channels=1, classes=10
    ),
    st.integers(16, 32),
    st.lists(
        st.builds(
            ViTLayer,
            st.integers(0, 4).filter(lambda heads: heads != 0),
            st.integers(4, 8),
            st.integers(4, 8),
            st.integers(16, 128) | st.just(0),
        ),
        min_size=1,
        max_size=4,
    ),
)


@settings(max_examples=40)
@given(spec=SPECS)
def test_a_model_costs_the_sum_of_its_blocks(spec: ViTSpec, vit_table: LatencyTable) -> None:
    prediction = vit_table.predict(spec)
    alone = [vit_table.predict_block(block) for block in spec.blocks()]
    assert [part.block for part in prediction.by_block] == spec.blocks()
    assert [part.ms for part in prediction.by_block] == pytest.approx([part.ms for part in alone])
    assert prediction.ms == pytest.approx(sum(part.ms for part in alone))
    assert prediction.low_ms < prediction.ms < prediction.high_ms
    assert sum(prediction.by_op.values()) == pytest.approx(prediction.ms)
    assert prediction.extrapolated == []
    assert prediction.offset_ms == 0
    assert prediction.model == spec.name


@settings(max_examples=40)
@given(specs=st.lists(SPECS, max_size=5))
def test_many_at_once_equal_one_by_one(specs: list[ViTSpec], vit_table: LatencyTable) -> None:
    many = vit_table.predict_many(specs)
    assert many.shape == (len(specs),)
    np.testing.assert_allclose(many, [vit_table.predict(spec).ms for spec in specs], rtol=1e-9)


def test_a_measured_model_costs_what_was_measured(
    vit_table: LatencyTable, small_vit: SmallVit
) -> None:
    prediction = vit_table.predict(small_vit(embed=32, depth=2, heads=4, mlp=64, qk=8, v=4))
    measured = {
        "patch_embed": 0.42,
        "attention": 2 * (0.2 + 32 * 4 * 12 / 5e3),
        "mlp": 2 * (0.3 + 32 * 64 / 1e3 + 0.05),
        "classifier": 0.05 + 32 / 1e3,
    }
    assert prediction.by_op == pytest.approx(measured)


def test_the_interval_is_that_of_a_weighted_sum_of_independent_points(
    mlp: Callable[..., Block], row_of: RowOf, vit_rows: list[Row], setting: Setting
) -> None:
    """Three layers at a quarter of the way lean on two points with 3·0.75 and 3·0.25."""
    rows = [row for row in vit_rows if row.subject.op != "mlp"]
    exact = [replace(row, low_ms=row.latency_ms, high_ms=row.latency_ms) for row in rows]
    left = row_of(mlp(16, 16, 5), 1.0, low_ms=0.9, high_ms=1.1)
    right = row_of(mlp(32, 16, 5), 2.0, low_ms=1.7, high_ms=2.3)
    table = LatencyTable([*exact, left, right], setting)
    spec = ViTSpec(
        embed=20,
        layers=(ViTLayer(1, 4, 4, 16),) * 3,
        patch=4,
        resolution=8,
        in_channels=1,
        classes=10,
    )
    prediction = table.predict(spec)
    half_width = math.hypot(3 * 0.75 * 0.1, 3 * 0.25 * 0.3)
    assert prediction.high_ms - prediction.ms == pytest.approx(half_width)
    assert prediction.ms - prediction.low_ms == pytest.approx(half_width)
    part = next(part for part in prediction.by_block if part.block.op == "mlp")
    assert part.high_ms - part.ms == pytest.approx(math.hypot(0.75 * 0.1, 0.25 * 0.3))


def test_the_interval_agrees_with_simulated_tables(
    vit_table: LatencyTable, small_vit: SmallVit
) -> None:
    spec = small_vit(embed=22, depth=3, heads=2, mlp=50)
    rng = np.random.default_rng(7)
    totals = []
    for _ in range(400):
        noise = rng.normal(size=len(vit_table.rows))
        rows = [
            replace(row, latency_ms=row.latency_ms + z * (row.high_ms - row.low_ms) / 2 / 1.96)
            for row, z in zip(vit_table.rows, noise, strict=True)
        ]
        totals.append(LatencyTable(rows, vit_table.setting).predict_many([spec])[0])
    prediction = vit_table.predict(spec)
    assert np.mean(totals) == pytest.approx(prediction.ms, rel=0.01)
    half_width = prediction.high_ms - prediction.ms
    assert 1.96 * np.std(totals) == pytest.approx(half_width, rel=0.12)


def test_a_known_name_is_a_spec(vit_table: LatencyTable, refused: Callable[..., object]) -> None:
    with refused("embed=192", "outside"):
        vit_table.predict("deit-tiny")
    with refused("deit-tinyy", "did you mean"):
        vit_table.predict("deit-tinyy")


def test_outside_the_table_the_answer_is_refused_or_marked(
    vit_table: LatencyTable, small_vit: SmallVit, refused: Callable[..., object]
) -> None:
    wide = small_vit(mlp=192)
    for ask in (vit_table.predict, lambda spec: vit_table.predict_many([spec])):
        with refused("mlp=192", "from 16 to 128"):
            ask(wide)
    prediction = vit_table.predict(wide, extrapolate=True)
    assert prediction.extrapolated == ["mlp.mlp"]
    assert {p.extrapolated for p in prediction.by_block if p.block.op == "mlp"} == {("mlp",)}
    # The line through mlp = 64 and 128 goes on; both lie above the step at 40.
    mlp_ms = prediction.by_op["mlp"]
    assert mlp_ms == pytest.approx(2 * (0.3 + 24 * 192 / 1e3 + 0.05))
    assert vit_table.predict_many([wide], extrapolate=True)[0] == pytest.approx(prediction.ms)


def test_an_extrapolated_interval_wider_than_the_answer_is_unknown(
    vit_table: LatencyTable, small_vit: SmallVit
) -> None:
    rows = [replace(row, low_ms=0.0, high_ms=2.1 * row.latency_ms) for row in vit_table.rows]
    wide = LatencyTable(rows, vit_table.setting)
    one_layer = small_vit(24, 1, 1, 4000)
    known, unknown = (table.predict(one_layer, extrapolate=True) for table in (vit_table, wide))
    assert known.low_ms < known.ms < known.high_ms
    assert math.isnan(unknown.low_ms)
    assert math.isnan(unknown.high_ms)
    assert unknown.ms == pytest.approx(known.ms)
    inside = LatencyTable(rows, vit_table.setting).predict(small_vit(24, 1, 3, 64))
    assert inside.low_ms < inside.high_ms, "inside the table a wide interval is one"


def test_it_is_said_how_much_of_the_answer_comes_from_unstable_points(
    vit_table: LatencyTable, small_vit: SmallVit
) -> None:
    spec = small_vit(24, 2, 1, 64)
    assert vit_table.predict(spec).unstable_share == 0.0
    shaky = [
        replace(row, verdict="unstable") if row.subject.op == "mlp" else row
        for row in vit_table.rows
    ]
    answer = LatencyTable(shaky, vit_table.setting).predict(spec)
    assert answer.unstable_share == pytest.approx(answer.by_op["mlp"] / answer.ms)
    assert answer.report()["unstable_share"] == answer.unstable_share
    half = [
        replace(row, verdict="unstable")
        if row.subject.op == "mlp" and row.subject["embed"] == 16
        else row
        for row in vit_table.rows
    ]
    between = LatencyTable(half, vit_table.setting).predict_block(
        Block.of("mlp", embed=20, mlp=64, tokens=5)
    )
    left, right = 0.3 + 16 * 64 / 1e3 + 0.05, 0.3 + 24 * 64 / 1e3 + 0.05
    assert between.unstable_share == pytest.approx(left / (left + right))


def test_another_frame_is_marked_too(vit_table: LatencyTable, small_vit: SmallVit) -> None:
    prediction = vit_table.predict(small_vit(resolution=16), extrapolate=True)
    assert prediction.extrapolated == [
        "attention.tokens",
        "classifier.tokens",
        "mlp.tokens",
        "patch_embed.resolution",
    ]


def test_a_missing_op_is_named_with_what_there_is(
    vit_rows: list[Row],
    setting: Setting,
    small_vit: SmallVit,
    refused: Callable[..., object],
) -> None:
    rows = [row for row in vit_rows if row.subject.op != "classifier"]
    table = LatencyTable(rows, setting, source="lut.csv")
    for ask in (table.predict, lambda spec: table.predict_many([spec])):
        with refused("lut.csv", "classifier", "patch_embed, attention, mlp"):
            ask(small_vit())


def test_a_failed_point_that_a_model_needs_is_named(
    vit_table: LatencyTable,
    small_vit: SmallVit,
    failed_row: Callable[..., Row],
    refused: Callable[..., object],
) -> None:
    rows = [
        failed_row(row.subject, "out of memory.") if row.subject["embed"] == 32 else row
        for row in vit_table.rows
    ]
    table = LatencyTable(rows, vit_table.setting)
    for ask in (table.predict, lambda spec: table.predict_many([spec])):
        with refused("embed=32", "out of memory"):
            ask(small_vit(embed=25))
    assert table.predict(small_vit(embed=24)).ms == vit_table.predict(small_vit(embed=24)).ms


@pytest.fixture
def probed(vit_table: LatencyTable, row_of: RowOf, mlp: Callable[..., Block]) -> LatencyTable:
    """The table with two points off its grid: one inside, one outside."""
    inside, outside = row_of(mlp(24, 48, 5), 9.0), row_of(mlp(24, 500, 5), 50.0)
    return LatencyTable([*vit_table.rows, inside, outside], vit_table.setting)


def test_a_point_off_the_grid_answers_exactly_for_itself(
    probed: LatencyTable, vit_table: LatencyTable, small_vit: SmallVit, mlp: Callable[..., Block]
) -> None:
    assert probed.predict_block(mlp(24, 48, 5)).ms == 9.0
    outside = probed.predict_block(mlp(24, 500, 5))
    assert (outside.ms, outside.extrapolated) == (50.0, ())
    assert probed.predict_block(mlp(24, 49, 5)).ms == vit_table.predict_block(mlp(24, 49, 5)).ms
    assert probed.predict(small_vit(24, 1, mlp=48)).by_op["mlp"] == 9.0


def test_many_at_once_equal_one_by_one_off_the_grid(
    probed: LatencyTable, small_vit: SmallVit
) -> None:
    specs = [small_vit(24, 2, mlp=48), small_vit(24, 1, mlp=500), small_vit(24, 1, mlp=49)]
    np.testing.assert_allclose(
        probed.predict_many(specs), [probed.predict(spec).ms for spec in specs]
    )


def test_a_point_off_the_grid_errs_the_same_way_for_every_block_that_is_it(
    vit_rows: list[Row],
    row_of: RowOf,
    mlp: Callable[..., Block],
    setting: Setting,
    small_vit: SmallVit,
) -> None:
    exact = [replace(row, low_ms=row.latency_ms, high_ms=row.latency_ms) for row in vit_rows]
    table = LatencyTable([*exact, row_of(mlp(24, 48, 5), 9.0, low_ms=8.0, high_ms=10.0)], setting)
    prediction = table.predict(small_vit(24, 4, mlp=48))
    assert prediction.high_ms - prediction.ms == pytest.approx(4 * 1.0)


def test_a_point_off_the_grid_needs_no_corner(
    vit_rows: list[Row],
    row_of: RowOf,
    failed_row: Callable[..., Row],
    mlp: Callable[..., Block],
    setting: Setting,
) -> None:
    rows = [failed_row(row.subject) if row.subject == mlp(24, 64, 5) else row for row in vit_rows]
    table = LatencyTable([*rows, row_of(mlp(24, 48, 5), 9.0)], setting)
    assert table.predict_block(mlp(24, 48, 5)).ms == 9.0


@pytest.mark.parametrize("hidden", [48, 500], ids=["inside", "outside"])
def test_a_failed_point_off_the_grid_is_not_replaced_by_a_guess(
    hidden: int,
    vit_rows: list[Row],
    failed_row: Callable[..., Row],
    mlp: Callable[..., Block],
    setting: Setting,
    refused: Callable[..., object],
) -> None:
    failed = failed_row(mlp(24, hidden, 5), "no kernel.")
    table = LatencyTable([*vit_rows, failed], setting)
    with refused(f"mlp={hidden}"):
        table.predict_block(mlp(24, hidden, 5))


def test_blocks_measured_in_a_network_are_preferred(
    vit_rows: list[Row], setting: Setting, small_vit: SmallVit
) -> None:
    dearer = [
        replace(
            row,
            context="in_network",
            latency_ms=2 * row.latency_ms,
            low_ms=2 * row.low_ms,
            high_ms=2 * row.high_ms,
        )
        for row in vit_rows
    ]
    alone = LatencyTable(vit_rows, setting).predict(small_vit()).ms
    both = LatencyTable([*vit_rows, *dearer], setting)
    assert both.predict(small_vit()).ms == pytest.approx(2 * alone)


def test_rows_of_whole_models_are_no_blocks(
    vit_table: LatencyTable, small_vit: SmallVit, row_of: RowOf
) -> None:
    model = row_of(small_vit(), 4.0, context="in_model")
    table = LatencyTable([model, *vit_table.rows], vit_table.setting)
    assert table.model_rows == [model]
    assert table.block_rows == vit_table.rows
    assert table.ops == ["patch_embed", "attention", "mlp", "classifier"]
    assert table.predict(small_vit()) == vit_table.predict(small_vit())


def test_another_setting_than_wanted_is_refused(
    vit_table: LatencyTable, refused: Callable[..., object]
) -> None:
    vit_table.check_setting(device="cpu", batch=1, threads=None)
    with refused("batch 1", "not 8", "measure a table with batch 8"):
        vit_table.check_setting(device="cpu", batch=8)


def test_a_written_table_predicts_the_same(
    vit_table: LatencyTable, small_vit: SmallVit, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    vit_table.to_csv(path)
    read, now = LatencyTable.read_csv(path).predict(small_vit()), vit_table.predict(small_vit())
    assert (read.ms, read.low_ms, read.high_ms) == pytest.approx(
        (now.ms, now.low_ms, now.high_ms), rel=1e-6
    )


def test_what_an_unfinished_table_holds_stays_unfinished_when_written(
    three_rows: list[Row], setting: Setting, tmp_path: Path
) -> None:
    path = tmp_path / "copy.csv"
    LatencyTable(three_rows, setting, unfinished=True).to_csv(path)
    assert LatencyTable.read_csv(path).unfinished


def test_an_empty_list_of_specs_costs_nothing(vit_table: LatencyTable) -> None:
    assert vit_table.predict_many([]).tolist() == []


# --- with a calibration ---------------------------------------------------------------------------


@pytest.fixture(scope="session")
def with_models(vit_table: LatencyTable, small_vit: SmallVit, row_of: RowOf) -> LatencyTable:
    """The table and six whole models whose attention is dearer in place than alone."""
    rows = []
    for i in range(6):
        spec = small_vit(16 + 3 * i, 1 + i % 4, 1 + i % 4, 20 + 20 * i, name=f"m{i}")
        by_op = vit_table.predict(spec).by_op
        ms = sum(by_op.values()) + 0.2 * by_op["attention"] + 0.01
        rows.append(row_of(spec, ms, context="in_model"))
    return vit_table.with_rows([*vit_table.rows, *rows])


@settings(max_examples=40)
@given(specs=st.lists(SPECS, max_size=5))
def test_many_at_once_equal_one_by_one_when_calibrated(
    specs: list[ViTSpec], with_models: LatencyTable
) -> None:
    table = calibrated(with_models)
    assert table.calibration is not None
    one_by_one = [table.predict(spec).ms for spec in specs]
    np.testing.assert_allclose(table.predict_many(specs), one_by_one, rtol=1e-9)
    alone = [table.predict(spec, calibrated=False).ms for spec in specs]
    np.testing.assert_allclose(with_models.predict_many(specs), alone, rtol=1e-9)
    assert not specs or max(np.abs(np.array(one_by_one) / alone - 1)) > 1e-3


def test_arrays_of_widths_are_calibrated_too(
    with_models: LatencyTable, small_vit: SmallVit
) -> None:
    table = calibrated(with_models)
    ones = np.ones((3, 2), dtype=np.int64)
    embed, heads, mlp = np.array([16, 24, 32]), 2 * ones, 48 * ones
    heads[1] = 0  # a model without attention has no factor to apply
    arrays = BlockArrays.from_vit_widths(small_vit(), embed, heads, 6 * ones, 7 * ones, mlp)
    specs = [
        ViTSpec(
            embed=int(embed[i]),
            layers=(ViTLayer(int(heads[i, 0]), 6, 7, 48),) * 2,
            patch=4,
            resolution=8,
            in_channels=1,
            classes=10,
        )
        for i in range(3)
    ]
    wanted = [table.predict(spec).ms for spec in specs]
    np.testing.assert_allclose(table.predict_many(arrays), wanted, rtol=1e-9)


def test_a_calibrated_prediction_adds_up_and_says_what_it_stands_on(
    with_models: LatencyTable, small_vit: SmallVit
) -> None:
    table = calibrated(with_models)
    prediction = table.predict(small_vit())
    parts = sum(part.ms for part in prediction.by_block)
    assert parts + prediction.offset_ms == pytest.approx(prediction.ms, rel=1e-9)
    assert "fitted on 6" in prediction.how
    raw = table.predict(small_vit(), calibrated=False)
    assert raw.offset_ms == 0
    assert "fitted" not in raw.how
    assert "each measured alone" in raw.how


def test_another_calibration_or_other_rows_leave_the_table_as_it_was(
    with_models: LatencyTable, small_vit: SmallVit
) -> None:
    table = calibrated(with_models)
    before = table.predict(small_vit()).ms
    bare = table.with_calibrations({})
    assert bare.predict(small_vit()).ms == table.predict(small_vit(), calibrated=False).ms
    fewer = table.with_rows(table.block_rows)
    assert (fewer.calibration, fewer.model_rows) == (None, [])
    assert fewer.predict(small_vit()).ms == bare.predict(small_vit()).ms
    assert table.predict(small_vit()).ms == before
    assert len(table.model_rows) == 6
    for other in (bare, fewer):
        assert (other.header, other.source) == (table.header, table.source)


def test_the_contexts_of_an_op_name_the_one_for_predictions_first(
    vit_rows: list[Row], setting: Setting
) -> None:
    mlps = [row for row in vit_rows if row.subject.op == "mlp"]
    in_network = [replace(row, context="in_network") for row in mlps]
    in_model = [replace(row, context="in_model") for row in mlps[:1]]
    table = LatencyTable([*in_model, *vit_rows, *in_network], setting)
    assert table.contexts("mlp") == ["in_network", "alone", "in_model"]
    assert table.contexts("attention") == ["alone"]
    assert table.contexts("cga") == []
    assert LatencyTable(in_model, setting).contexts("mlp") == ["in_model"]
