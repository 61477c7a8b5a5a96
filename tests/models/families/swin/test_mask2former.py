"""A Mask2Former's Swin as a spec and a model, against transformers' own backbone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from vitprof.errors import UserError
from vitprof.models import create_model, create_spec
from vitprof.models.families.swin.mask2former import backbone_spec_from_config

BACKBONE = {"model_type": "swin", "image_size": 224, "window_size": 7, "embed_dim": 96}
CONFIG = {"model_type": "mask2former", "backbone_config": BACKBONE}


@torch.no_grad()
def test_the_backbone_of_a_folder_is_transformers_own(tmp_path, write_mask2former_folder) -> None:
    full = write_mask2former_folder(tmp_path / "m2f")
    swin = create_model(tmp_path / "m2f", checkpoint=tmp_path / "m2f")
    images = torch.randn(2, 3, 64, 64)
    own = full.model.pixel_level_module.encoder.swin(
        images,
        always_partition=True,
        output_hidden_states_before_downsampling=True,
        output_hidden_states=True,
    ).reshaped_hidden_states[-1]
    assert own.std() > 0.1
    torch.testing.assert_close(swin(images), own.flatten(2).transpose(1, 2), rtol=1e-4, atol=1e-5)


def test_the_spec_of_the_backbone(tmp_path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    spec = create_spec(tmp_path)
    assert (spec.family, spec.classes, spec.resolution) == ("swin", 0, 448)
    tiny = create_spec("swin-tiny")
    assert spec.stages == tiny.stages
    assert [block.op for block in spec.blocks()] == [block.op for block in tiny.blocks()][:-1]
    assert type(spec).from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"backbone_config": None}, "object that describes a Swin"),
        ({"backbone_config": {"model_type": "resnet"}}, "only Swin backbones"),
        ({"backbone": "microsoft/swin-tiny-patch4-window7-224"}, "backbone="),
        ({"use_timm_backbone": True}, "use_timm_backbone"),
        ({"backbone_config": {**BACKBONE, "out_features": ["stage4"]}}, "all 4 stages"),
        ({"backbone_config": {**BACKBONE, "use_absolute_embeddings": True}}, "absolute"),
        ({"backbone_config": {**BACKBONE, "window_size": 0}}, "window_size"),
        ({"backbone_config": {**BACKBONE, "window_size": 255}}, "pixels a side"),
    ],
    ids=str,
)
def test_another_backbone_is_refused(changes, words) -> None:
    with pytest.raises(UserError, match=words):
        backbone_spec_from_config({**CONFIG, **changes}, "m2f")


@pytest.mark.parametrize(
    ("resolution", "nearest"),
    [
        (224, "448"),
        (384, "448"),
        (500, "448 or 672"),
        (1024, "896 or 1120"),
        (1, "448"),
    ],
)
def test_a_size_that_would_be_padded_is_refused_with_the_nearest(resolution, nearest) -> None:
    with pytest.raises(UserError, match=f": {nearest}\\."):
        backbone_spec_from_config(CONFIG, "m2f", resolution)


def test_sizes_that_fit(tmp_path: Path) -> None:
    for resolution in (448, 672, 1120):
        assert backbone_spec_from_config(CONFIG, "m2f", resolution).resolution == resolution
