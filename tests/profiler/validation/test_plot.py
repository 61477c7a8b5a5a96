"""The picture of a validation is written, and shows something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from vitprof.profiler.validation.plot import NAMES
from vitprof.profiler.validation.result import ValidationResult
from vitprof.profiler.validation.rival import Rival
from vitprof.tables import Setting
from vitprof.tables.comparison.errors_of_prediction import PredictionErrors


@pytest.fixture(scope="module")
def result() -> ValidationResult:
    rng = np.random.default_rng(0)
    measured = np.geomspace(2, 40, 12)

    def about(sd: float) -> np.ndarray:
        return measured * np.exp(rng.normal(0, sd, len(measured)))

    predicted, again = about(0.02), about(0.005)
    rivals = {
        name: Rival(PredictionErrors.of(values, measured), values.tolist(), trained_on, 10.0)
        for name, trained_on in zip(list(NAMES)[1:], (0, 8, 8, 8, 50, 50, 50), strict=True)
        for values in [about(0.2)]
    }
    floor = PredictionErrors.of(measured, again)
    return ValidationResult(
        [f"unseen-{n}" for n in range(12)],
        predicted.tolist(),
        (0.95 * predicted).tolist(),
        (1.05 * predicted).tolist(),
        measured.tolist(),
        again.tolist(),
        PredictionErrors.of(predicted, measured),
        floor,
        PredictionErrors.of(predicted, measured),
        floor,
        0.95,
        rivals,
        Setting("cpu", "onnxruntime", "CPUExecutionProvider"),
        first_ms=measured.tolist(),
        interval=(0.012, 0.02),
        rounds=3,
        seconds=61.0,
        stopped="settled",
        asked=12,
    )


@pytest.mark.parametrize("rivals", [0, 3, 6])
def test_both_panels_of_the_png_are_drawn(
    rivals: int, result: ValidationResult, tmp_path: Path
) -> None:
    path = tmp_path / "validate.png"
    few = replace(result, rivals=dict(list(result.rivals.items())[:rivals]))
    few.plot(path)
    image = matplotlib.image.imread(path)
    height, width = image.shape[:2]
    assert width > 1000
    assert height > 500
    for panel in np.split(image[height // 5 : -height // 5, :, :3], [width // 2], axis=1):
        assert (np.ptp(panel, axis=2) > 0.2).mean() > 0.001


def test_a_perfect_second_measurement_can_be_drawn(
    result: ValidationResult, tmp_path: Path
) -> None:
    same = PredictionErrors.of(result.measured_ms, result.measured_ms)
    perfect = replace(
        result,
        predicted_ms=result.measured_ms,
        low_ms=result.measured_ms,
        high_ms=result.measured_ms,
        errors=same,
        noise_floor=same,
    )
    perfect.plot(tmp_path / "perfect.png")
    assert (tmp_path / "perfect.png").stat().st_size > 10_000


def test_the_suffix_chooses_the_format(result: ValidationResult, tmp_path: Path) -> None:
    for suffix, start in (("svg", b"<?xml"), ("pdf", b"%PDF")):
        path = tmp_path / f"validate.{suffix}"
        result.plot(path)
        assert path.read_bytes().startswith(start)


@pytest.mark.parametrize("name", ["validate.xyz", "missing/validate.png"])
def test_what_cannot_be_written_is_one_sentence(
    name: str,
    result: ValidationResult,
    tmp_path: Path,
    refused: Callable[..., object],
) -> None:
    with refused(name, "cannot be written"):
        result.plot(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
