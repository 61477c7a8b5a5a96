"""Images in three classes, and teachers of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from vitprof.training.data.images import Dataset, Images

CLASSES = ("ant", "bee", "cat")


@pytest.fixture(scope="session")
def photos() -> Dataset:
    """Eighteen images of 8 x 8, six a class."""
    pixels = np.random.default_rng(0).integers(0, 256, (18, 3, 8, 8), dtype=np.uint8)
    images = Images(pixels, np.arange(18) % 3, CLASSES, "photos")
    return Dataset(images, images)


@pytest.fixture
def resnet(tmp_path: Path) -> Callable[..., Path]:
    """Write a small ResNet of transformers, with random weights, as its folder."""
    import transformers

    def make(kind: str = "ResNet", names: tuple[str, ...] = CLASSES, **preprocessor) -> Path:
        torch.manual_seed(0)
        config = getattr(transformers, f"{kind}Config")(
            embedding_size=8,
            hidden_sizes=[8, 16],
            depths=[1, 1],
            id2label=dict(enumerate(names)),
            label2id={name: place for place, name in enumerate(names)},
        )
        model = getattr(transformers, f"{kind}ForImageClassification")(config).eval()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_var.uniform_(0.01, 0.2)
        folder = tmp_path / kind
        model.save_pretrained(folder)
        fields = {
            "size": {"shortest_edge": 16},
            "image_mean": [0.5, 0.4, 0.3],
            "image_std": [0.2, 0.25, 0.3],
            **preprocessor,
        }
        transformers.ConvNextImageProcessorPil(**fields).save_pretrained(folder)
        return folder

    return make
