"""Small models with random weights, two small search spaces, and digits."""

from __future__ import annotations

import pytest
import torch
from vitprof.spaces.registry import search_space_from_dict
from vitprof.spaces.space import SearchSpace
from vitprof.training.data.datasets import load_dataset
from vitprof.training.data.images import Dataset

from ..spaces.small_spaces import small_autovit_fixture, small_fixture  # noqa: F401

torch.set_num_threads(1)  # quicker for models as small as these

_STAGE = {
    "depth": [1, 2],
    "heads": [1, 2],
    "ratio": [1, 2],
    "qk": 4,
    "v": 4,
    "stride": 2,
    "expansion": 2,
}
SPACES: dict[str, SearchSpace] = {
    "vit": search_space_from_dict(
        {
            "family": "vit",
            "name": "tiny-vit",
            "resolution": 8,
            "patch": 2,
            "in_channels": 1,
            "classes": 10,
            "embed": [16, 24],
            "depth": [1, 2],
            "heads": [1, 2, 3],
            "qk": [4, 8],
            "v": [4, 6],
            "mlp": [16, 32],
        },
        "a test",
    ),
    "autovit": search_space_from_dict(
        {
            "family": "autovit",
            "name": "tiny-autovit",
            "resolution": 32,
            "in_channels": 1,
            "classes": 10,
            "stem_width": [4, 8],
            "pool_width": [10, 20],
            "pool_expansion": 2,
            "stages": [1, 2],
            "mbconv": [{"width": [4, 8], "depth": [1, 2], "expansion": [1, 2], "stride": 1}],
            "transformer": [{"width": [8, 12], **_STAGE}, {"width": [12, 16], **_STAGE}],
        },
        "a test",
    ),
    # Tokens are merged: at most 4 of 16 in each layer.
    "vit that merges": search_space_from_dict(
        {
            "family": "vit",
            "name": "tiny-merging",
            "resolution": 8,
            "patch": 2,
            "in_channels": 1,
            "classes": 10,
            "embed": [16, 24],
            "depth": [1, 2],
            "heads": [1, 2],
            "qk": 4,
            "mlp": [16, 32],
            "kept": [0.5, 1],
        },
        "a test",
    ),
    # Fewer heads than the most, with larger shares of the channels; padded windows.
    "efficientvit": search_space_from_dict(
        {
            "family": "efficientvit",
            "name": "tiny-efficientvit",
            "resolution": 48,
            "in_channels": 1,
            "classes": 10,
            "window": 2,
            "kernels": [1],
            "qk": [4, 6],
            "ffn_ratio": [1, 1.5],
            "stage": [
                {"embed": [8, 16], "depth": [1, 2], "heads": [1, 2]},
                {"embed": [12, 24], "depth": [1, 2], "heads": [2, 3]},
            ],
        },
        "a test",
    ),
    # Windows that are shifted in every second layer of the first stage, and that cover the second.
    "swin": search_space_from_dict(
        {
            "family": "swin",
            "name": "tiny-swin",
            "resolution": 16,
            "in_channels": 1,
            "classes": 10,
            "patch": 2,
            "window": 4,
            "stage": [
                {
                    "embed": [8, 12],
                    "depth": [1, 2],
                    "heads": [1, 2],
                    "qk": [4, 6],
                    "mlp_ratio": [1, 2],
                },
                {"embed": [16, 20], "depth": [1, 2], "heads": [1, 3], "qk": 4, "mlp_ratio": 1.5},
            ],
        },
        "a test",
    ),
}


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="session")
def tiny_vit() -> SearchSpace:
    return SPACES["vit"]


@pytest.fixture(scope="session")
def tiny_autovit() -> SearchSpace:
    return SPACES["autovit"]


@pytest.fixture(scope="session")
def tiny_efficientvit() -> SearchSpace:
    return SPACES["efficientvit"]


@pytest.fixture(scope="session")
def tiny_swin() -> SearchSpace:
    return SPACES["swin"]


@pytest.fixture(scope="session", params=list(SPACES))
def space(request: pytest.FixtureRequest) -> SearchSpace:
    return SPACES[request.param]
