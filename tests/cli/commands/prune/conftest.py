"""A trained model and tables of it, made once a module."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pruned_digits import SPEC, table_of
from vitprof.models import create_model
from vitprof.spaces.vit import ViTSlabs
from vitprof.training.data.datasets import load_dataset
from vitprof.training.model_folder import write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "digits-vit"
    torch.manual_seed(0)
    write_model(create_model(SPEC), folder, load_dataset("digits").normalisation)
    return folder


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    return table_of(ViTSlabs.covering(SPEC).blocks(), tmp_path_factory.mktemp("table") / "lut.csv")


@pytest.fixture(scope="module")
def merging_table(tmp_path_factory) -> Path:
    space = ViTSlabs.covering(SPEC).with_merging()
    return table_of(space.blocks(), tmp_path_factory.mktemp("merging") / "lut.csv")
