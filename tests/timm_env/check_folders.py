"""Folders as timm saves them: the spec, and the outputs of the weights in them.

Not collected with the other tests: `make test-timm` runs it in an environment that has timm.
"""

from pathlib import Path

import pytest
import timm
import torch
from vitprof.models import create_model, create_spec


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("vit_tiny_patch16_224", {"num_classes": 7, "img_size": 64, "depth": 2}),
        ("vit_small_patch14_reg4_dinov2", {"img_size": 56, "depth": 2, "num_classes": 5}),
        ("deit_tiny_distilled_patch16_224", {"depth": 2}),
        ("swin_tiny_patch4_window7_224", {"num_classes": 9}),
        ("efficientvit_m0", {"num_classes": 6}),
    ],
)
def test_outputs_are_timms(name: str, arguments: dict[str, int], tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = timm.create_model(name, pretrained=False, **arguments).eval()
    timm.models.save_for_hf(theirs, tmp_path, safe_serialization=True, model_args=arguments)
    spec = create_spec(tmp_path)
    assert spec.params == sum(weight.numel() for weight in theirs.parameters())
    ours = create_model(tmp_path, checkpoint=tmp_path)
    images = torch.randn(2, 3, spec.resolution, spec.resolution)
    with torch.no_grad():
        assert torch.allclose(ours(images), theirs(images), atol=1e-4, rtol=1e-4)
