"""The picture of a comparison is written, and shows something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from vitprof.models import ViTSpec
from vitprof.tables import LatencyTable
from vitprof.tables.comparison.comparison import Comparison, compare_models


@pytest.fixture(scope="session")
def comparison(vit_table: LatencyTable, small_vit: Callable[..., ViTSpec]) -> Comparison:
    specs = [small_vit(16 + i % 17, 1 + i % 3, 1 + i % 4, name=f"m{i}") for i in range(20)]
    return compare_models(vit_table, specs, [1.0 + i % 5 for i in range(20)])


@pytest.mark.parametrize("models", [1, 20])
def test_both_panels_of_the_png_are_drawn(
    models: int, comparison: Comparison, tmp_path: Path
) -> None:
    path = tmp_path / "compare.png"
    replace(comparison, models=comparison.models[:models]).plot(path)
    image = matplotlib.image.imread(path)
    height, width = image.shape[:2]
    assert width > 1000
    assert height > 500
    panels = np.split(image[height // 5 : -height // 5, :, :3], [width // 2], axis=1)
    for panel in panels:
        coloured = np.ptp(panel, axis=2) > 0.2
        assert coloured.mean() > 0.0002


def test_the_suffix_chooses_the_format(comparison: Comparison, tmp_path: Path) -> None:
    path = tmp_path / "compare.svg"
    comparison.plot(path)
    text = path.read_text()
    assert "<svg" in text
    assert "GMAC" in text or "<path" in text


@pytest.mark.parametrize("name", ["compare.xyz", "missing/compare.png"])
def test_what_cannot_be_written_is_one_sentence(
    name: str,
    comparison: Comparison,
    tmp_path: Path,
    refused: Callable[..., object],
) -> None:
    with refused(name, "cannot be written"):
        comparison.plot(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
