"""`vitprof.calibrate` fits, drops and measures again."""

from __future__ import annotations

from pathlib import Path

import pytest
import vitprof

pytestmark = pytest.mark.slow


def test_the_line_is_dropped_and_fitted_again_and_the_file_stays(table) -> None:
    before = Path(table.source).read_bytes()
    bare = vitprof.calibrate(table.source, drop=True)
    assert isinstance(bare, vitprof.LatencyTable)
    assert bare.calibrations == {}
    again = vitprof.calibrate(bare)
    assert again.calibration.models == 3
    assert again.predict("vit-micro-8").ms == pytest.approx(
        table.predict("vit-micro-8").ms, rel=1e-4
    )
    assert Path(table.source).read_bytes() == before


def test_new_models_are_measured_with_progress_and_written(table, tmp_path: Path) -> None:
    told: list[str] = []
    fitted = vitprof.calibrate(
        table, models=3, seed=7, out=tmp_path / "new.csv", progress=lambda *said: told.append(said)
    )
    assert [row.subject.name for row in fitted.model_rows] == [
        f"calibration-7-{n}" for n in range(3)
    ]
    assert told
    read = vitprof.LatencyTable.read_csv(tmp_path / "new.csv")
    assert read.calibration == fitted.calibration
    assert read.header == table.header


def test_what_cannot_be_is_one_sentence(table, refused) -> None:
    with refused("`drop` and `models`"):
        vitprof.calibrate(table, drop=True, models=3)
    with refused("fewer than 3 whole models", "`models` 8"):
        vitprof.calibrate(table.with_rows(table.block_rows))
    table.unfinished = True
    with refused("unfinished"):
        vitprof.calibrate(table)
