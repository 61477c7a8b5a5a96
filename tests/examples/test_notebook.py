"""examples/notebook.py runs, with a smaller table and a shorter training than its own."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook.py"


def test_the_notebook_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = runpy.run_path(str(NOTEBOOK))["main"]
    main(tmp_path, epochs=2, points=30, whole_models=3)
    for written in ("my-vit/spec.json", "lut.csv", "pruned/spec.json"):
        assert (tmp_path / written).is_file()
    printed = capsys.readouterr().out
    assert "predicted_ms" in printed
    assert "measured_ms" in printed
