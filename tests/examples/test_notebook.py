"""examples/notebook.py runs as it is printed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook.py"


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(NOTEBOOK), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for written in ("my-vit/spec.json", "lut.csv", "pruned/spec.json"):
        assert (tmp_path / written).is_file()
    assert "predicted_ms" in done.stdout
    assert "measured_ms" in done.stdout
