"""The line from sums of blocks to whole models: recovered, applied, kept in the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from vitprof.models import ViTSpec
from vitprof.tables import LatencyTable, Row
from vitprof.tables.calibration.calibrate import calibrated
from vitprof.tables.calibration.calibration import Calibration, LoneBlocks, fit_calibration

RowOf = Callable[..., Row]


FACTORS = {"attention": 1.08, "mlp": 1.02}
PER_BLOCK_MS = {"attention": 0.02, "mlp": 0.08}
PER_MPARAM_MS = 0.04


def models_of(
    rng: np.random.Generator, count: int, noise: float, offset_ms: float = 0.3
) -> tuple[list[LoneBlocks], np.ndarray]:
    """Return random lone blocks, and what models of these factors and constants then take."""
    models = [
        LoneBlocks(
            {"attention": rng.uniform(5, 40), "mlp": rng.uniform(5, 80)},
            {"attention": int(rng.integers(6, 13)), "mlp": int(rng.integers(6, 13))},
            int(rng.integers(10e6, 60e6)),
        )
        for _ in range(count)
    ]
    truth = np.array(
        [
            sum(FACTORS[op] * ms for op, ms in model.sums_ms.items())
            + sum(PER_BLOCK_MS[op] * count for op, count in model.counts.items())
            + PER_MPARAM_MS * model.params / 1e6
            + offset_ms
            for model in models
        ]
    )
    return models, truth * np.exp(rng.normal(0, noise, count))


def test_factors_without_noise_are_found_again() -> None:
    sums, measured = models_of(np.random.default_rng(0), 200, noise=0.0)
    line = fit_calibration(sums, measured)
    assert line.factors == pytest.approx(FACTORS, abs=5e-3)
    assert line.per_block_ms == pytest.approx(PER_BLOCK_MS, abs=0.015)
    assert line.per_mparam_ms == pytest.approx(PER_MPARAM_MS, abs=0.01)
    assert [line.latency(s) for s in sums] == pytest.approx(measured.tolist(), rel=4e-3)
    assert line.models == 200
    assert line.held_out_mape < 0.003


def test_few_models_move_the_factors_apart_only_as_far_as_they_show_it() -> None:
    """Measured all alike, models leave one factor for every op."""
    rng = np.random.default_rng(1)
    sums, _ = models_of(rng, 8, noise=0.0)
    line = fit_calibration(sums, [1.05 * sum(s.sums_ms.values()) for s in sums])
    assert line.factors == pytest.approx({"attention": 1.05, "mlp": 1.05}, abs=0.015)


@pytest.mark.parametrize("models", [3, 8, 20])
def test_the_interval_covers_other_models_as_often_as_it_says(models: int) -> None:
    rng = np.random.default_rng(models)
    covered = total = 0
    for _ in range(150):
        sums, measured = models_of(rng, models + 10, noise=0.015)
        line = fit_calibration(sums[:models], measured[:models])
        for s, ms in zip(sums[models:], measured[models:], strict=True):
            covered += abs(line.latency(s) - ms) <= line.half_width(s)
            total += 1
    assert 0.90 <= covered / total <= 0.995


def test_uncertain_blocks_widen_the_interval() -> None:
    sums, measured = models_of(np.random.default_rng(2), 8, noise=0.01)
    line = fit_calibration(sums, measured)
    assert line.half_width(sums[0], blocks_sd_ms=0.0) == line.half_width(sums[0], 1e-3)
    assert line.half_width(sums[0], 20.0) > 2 * line.half_width(sums[0])


def test_an_op_that_no_model_had_gets_the_mean_factor() -> None:
    sums, measured = models_of(np.random.default_rng(3), 8, noise=0.0)
    line = fit_calibration(sums, measured)
    assert line.factor("cga") == pytest.approx(sum(line.factors.values()) / 2)


def test_a_quiet_machine_has_narrower_intervals() -> None:
    models, measured = models_of(np.random.default_rng(4), 8, noise=0.003)
    quiet = fit_calibration(models, measured, noise_sd=0.005)
    noisy = fit_calibration(models, measured, noise_sd=0.03)
    assert quiet.half_width(models[0]) < 0.5 * noisy.half_width(models[0])


def test_models_of_more_blocks_show_what_a_block_adds() -> None:
    """The same sums in more and more blocks: only their number can explain the difference."""
    models = [LoneBlocks({"mlp": 20.0}, {"mlp": 2 * n}, 10**7) for n in range(4, 12)]
    measured = [20.0 + 0.1 * m.counts["mlp"] for m in models]
    line = fit_calibration(models, measured, noise_sd=0.002)
    assert line.block_ms("mlp") == pytest.approx(0.1, rel=0.1)
    assert line.block_ms("cga") == line.block_ms("mlp"), "of an op that no model had"


def test_models_of_more_weights_show_what_a_weight_adds() -> None:
    models = [LoneBlocks({"mlp": 20.0}, {"mlp": 12}, n * 10**7) for n in range(1, 9)]
    measured = [20.0 + 0.2 * m.params / 1e7 for m in models]
    line = fit_calibration(models, measured, noise_sd=0.002)
    assert line.per_mparam_ms == pytest.approx(0.02, rel=0.1)


def test_too_few_models_are_refused(refused: Callable[..., object]) -> None:
    with refused("at least 3", "has 2"):
        fit_calibration(
            [LoneBlocks({"mlp": ms}, {"mlp": 2}, 1000) for ms in (1.0, 2.0)], [1.0, 2.0]
        )


def test_a_calibrated_table_predicts_whole_models(
    with_models: LatencyTable, vit_table: LatencyTable, small_vit: Callable[..., ViTSpec]
) -> None:
    table = calibrated(with_models)
    assert table.calibration is not None
    spec = small_vit(27, 3)
    prediction = table.predict(spec)
    assert prediction.ms == pytest.approx(1.1 * vit_table.predict(spec).ms, rel=0.01)
    assert sum(part.ms for part in prediction.by_block) + prediction.offset_ms == pytest.approx(
        prediction.ms
    )
    assert prediction.low_ms < prediction.ms < prediction.high_ms
    assert table.predict_many([spec])[0] == pytest.approx(prediction.ms)
    assert table.predict(spec, calibrated=False).ms == pytest.approx(vit_table.predict(spec).ms)
    bare = table.with_rows(table.block_rows)
    assert bare.predict(spec).ms == pytest.approx(vit_table.predict(spec).ms)


def test_models_that_failed_or_are_not_covered_are_left_out_of_the_fit(
    with_models: LatencyTable,
    small_vit: Callable[..., ViTSpec],
    row_of: RowOf,
    failed_row: Callable[..., Row],
) -> None:
    odd = [
        failed_row(small_vit(name="failed"), context="in_model"),
        row_of(small_vit(mlp=900, name="wide"), 999.0, context="in_model"),
    ]
    both = calibrated(LatencyTable([*with_models.rows, *odd], with_models.setting))
    assert both.calibration == calibrated(with_models).calibration
    few = [row for row in with_models.rows if row.name not in ("model m0", "model m1", "model m2")]
    assert calibrated(LatencyTable(few[:-1], with_models.setting)).calibration is None


def test_the_calibration_is_kept_in_the_file(with_models: LatencyTable, tmp_path: Path) -> None:
    table = calibrated(with_models)
    table.to_csv(tmp_path / "table.csv")
    assert LatencyTable.read_csv(tmp_path / "table.csv").calibration == table.calibration


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("factors", {}),
        ("factors", {"mlp": 0}),
        ("factors", {"mlp": -1.0}),
        ("factors", {"mlp": "1.1"}),
        ("factors", {"mlp": True}),
        ("factors", {"mlp": 10**400}),
        ("factors", {"mlp": "x" * 5000}),
        ("factors", [1.0]),
        ("offset_ms", None),
        ("per_block_ms", 0.1),
        ("per_block_ms", {"mlp": "0.1"}),
        ("per_block_ms", {"attention": 0.1}),
        ("per_mparam_ms", None),
        ("dof", 0),
        ("residual_sd", -0.1),
        ("covariance", [1.0, 2.0]),
        ("covariance", [[1.0]]),
        ("covariance", [[1.0, 0.0], [0.0, None]]),
        ("covariance", 1.0),
        ("residual_sd", [1.0]),
    ],
)
def test_a_damaged_calibration_is_refused(
    name: str, value: object, table_text: str, refuses: Callable[..., None]
) -> None:
    models = [LoneBlocks({"mlp": ms}, {"mlp": 2}, 1000) for ms in (1.0, 2.0, 3.0)]
    whole = fit_calibration(models, [1.0, 2.0, 3.0]).as_dict()
    assert Calibration.from_dict(whole, "here") is not None
    lines = table_text.split("\n")
    for broken in (whole | {name: value}, {k: v for k, v in whole.items() if k != name}, [1]):
        lines[1] = f"# {json.dumps(json.loads(lines[1][2:]) | {'calibration': broken})}"
        refuses("\n".join(lines), "line 2", "calibration")
