"""`vitprof quantize --runtime litert` with LiteRT itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import vitprof
from deployed_by import check_file, check_quantize, written_model
from vitprof import UserError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_model(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("precision", ["fp32", "int8", "int8-static"])
@pytest.mark.few("int8-1", "int8-static-4")
def test_the_file_computes_what_the_model_does(
    model: Path, tmp_path: Path, precision: str, batch: int
) -> None:
    check_file(model, tmp_path, "litert", precision, batch)


def test_all_files_are_tested_timed_and_weighed(tmp_path: Path) -> None:
    check_quantize(tmp_path, "litert", "tflite")


def test_another_way_to_choose_ranges_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="by `calibration` entropy, only onnxruntime does"):
        vitprof.quantize(
            model,
            "digits",
            out=tmp_path,
            dtype="int8-static",
            runtime="litert",
            calibration="entropy",
        )
