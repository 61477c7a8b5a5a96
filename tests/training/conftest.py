"""A few real images, and folders of made-up ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from vitprof.training.data.datasets import load_dataset
from vitprof.training.data.images import Dataset

torch.set_num_threads(1)  # quicker for models as small as these

MakeFolder = Callable[..., Path]


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Write `count` images a class as folder/class/n.suffix, in one colour a class."""
    from PIL import Image

    def make(
        name: str = "photos",
        classes: tuple[str, ...] = ("cat", "dog"),
        count: int = 5,
        size: tuple[int, int] = (8, 8),
        suffix: str = ".png",
    ) -> Path:
        folder = tmp_path / name
        for number, label in enumerate(classes):
            (folder / label).mkdir(parents=True)
            for nth in range(count):
                pixels = np.full((size[1], size[0], 3), 40 * number + nth, dtype=np.uint8)
                Image.fromarray(pixels).save(folder / label / f"{nth}{suffix}")
        return folder

    return make
