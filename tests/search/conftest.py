"""Small models with random weights, two small search spaces, and digits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from vitprof.models import (
    AutoViTSpec,
    EfficientViTSpec,
    EfficientViTStage,
    MBConvStage,
    Spec,
    TransformerStage,
    ViTLayer,
    ViTSpec,
    create_model,
)
from vitprof.spaces.named_spaces import search_space_from_dict
from vitprof.spaces.search_space import SearchSpace
from vitprof.training.data.datasets import load_dataset
from vitprof.training.data.images import Dataset

from .small_spaces import small_autovit_fixture, small_fixture  # noqa: F401

torch.set_num_threads(1)  # quicker for models as small as these

_STAGE = {"depth": [1, 2], "heads": [1, 2], "ratio": [1, 2], "qk": 4, "v": 4, "stride": 2,
          "expansion": 2}  # fmt: skip
SPACES: dict[str, SearchSpace] = {
    "vit": search_space_from_dict(
        {
            "family": "vit", "name": "tiny-vit", "resolution": 8, "patch": 2, "in_channels": 1,
            "classes": 10, "embed": [16, 24], "depth": [1, 2], "heads": [1, 2, 3], "qk": [4, 8],
            "v": [4, 6], "mlp": [16, 32],
        },
        "a test",
    ),
    "autovit": search_space_from_dict(
        {
            "family": "autovit", "name": "tiny-autovit", "resolution": 32, "in_channels": 1,
            "classes": 10, "stem_width": [4, 8], "pool_width": [10, 20], "pool_expansion": 2,
            "stages": [1, 2],
            "mbconv": [{"width": [4, 8], "depth": [1, 2], "expansion": [1, 2], "stride": 1}],
            "transformer": [{"width": [8, 12], **_STAGE}, {"width": [12, 16], **_STAGE}],
        },
        "a test",
    ),
}  # fmt: skip

SPECS: dict[str, Spec] = {
    "vit": ViTSpec(
        embed=16, layers=(ViTLayer(2, 8, 8, 24), ViTLayer(2, 4, 6, 32), ViTLayer(4, 4, 4, 16)),
        resolution=8, patch=2, classes=10, in_channels=1, name="small-vit",
    ),
    "autovit": AutoViTSpec(
        mbconvs=(MBConvStage(8, 2, 1, 1), MBConvStage(12, 3, 2, 2)),
        transformers=(
            TransformerStage(12, 16, 3, 2, 6, 6, 24, 1),
            TransformerStage(12, 20, 2, 2, 6, 6, 24, 2),
        ),
        pool_width=20, pool_expansion=2, stem_width=8, resolution=32, classes=5, in_channels=1,
        name="small-autovit",
    ),
    "efficientvit": EfficientViTSpec(
        stages=tuple(EfficientViTStage(*dims) for dims in ((16, 2, 2), (24, 1, 2), (24, 3, 2))),
        resolution=128, classes=5, kernels=(3, 1), qk=4, name="small-efficientvit",
    ),
}  # fmt: skip


@pytest.fixture(scope="session")
def specs() -> dict[str, Spec]:
    return SPECS


@pytest.fixture(scope="session")
def randomised() -> Callable[..., nn.Module]:
    """Return a model whose biases, norms and batch statistics are random, so none hides a fault."""

    def made(spec: Spec, seed: int = 0) -> nn.Module:
        torch.manual_seed(seed)
        model = create_model(spec)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.2 * torch.randn_like(parameter))
            for module in model.modules():
                if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
                    module.running_mean.normal_(0, 0.3)
                    module.running_var.uniform_(0.5, 2.0)
        return model

    return made


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="session")
def tiny_vit() -> SearchSpace:
    return SPACES["vit"]


@pytest.fixture(scope="session")
def tiny_autovit() -> SearchSpace:
    return SPACES["autovit"]


@pytest.fixture(scope="session", params=["vit", "autovit"])
def space(request: pytest.FixtureRequest) -> SearchSpace:
    return SPACES[request.param]
