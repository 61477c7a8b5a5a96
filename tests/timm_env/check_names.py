"""timm beside vitprof: names, parameters and MACs, and outputs with timm's own weights.

Not collected with the other tests: `make test-timm` runs it in an environment that has timm.
"""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.layers import set_fused_attn
from vitprof.models import create_model
from vitprof.models.timm_names import timm_architectures, timm_names, timm_spec

ROOT = Path(__file__).parent.parent.parent
COUNTS = json.loads((ROOT / "tests/data/timm/counts.json").read_text())
# Of each family and detail one that is quickly made.
WHOLE = (
    "deit_tiny_patch16_224",
    "deit_tiny_distilled_patch16_224",
    "deit3_small_patch16_224",
    "vit_tiny_patch16_224.augreg_in21k",
    "vit_small_patch14_reg4_dinov2",
    "vit_xsmall_patch16_clip_224",
    "vit_wee_patch16_reg1_gap_256",
    "swin_tiny_patch4_window7_224",
    "efficientvit_m0",
    "efficientvit_m4",
)


@pytest.fixture(scope="module")
def oracle() -> ModuleType:
    place = importlib.util.spec_from_file_location("oracle", ROOT / "benchmarks/timm_oracle.py")
    assert place is not None and place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


def test_the_list_is_timms(oracle: ModuleType) -> None:
    every = {name for module in oracle.MODULES for name in timm.list_models(module=module)}
    assert set(timm_architectures()) == every


@pytest.mark.parametrize("name", WHOLE)
def test_counts_are_as_recorded(name: str, oracle: ModuleType) -> None:
    set_fused_attn(False)
    arch, _, tag = name.partition(".")
    tag = tag or next(iter(timm_architectures()[arch].tags))
    assert oracle.counted(name) == COUNTS[f"{arch}.{tag}"]


@pytest.mark.parametrize("name", WHOLE)
def test_outputs_agree_with_a_saved_model(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = timm.create_model(name).eval()
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.8, 1.2)
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    ours = create_model(timm_spec(name), tmp_path / "model.safetensors")
    side = timm_architectures()[name.partition(".")[0]].resolution
    images = torch.randn(1, 3, side, side)
    with torch.no_grad():
        assert torch.allclose(ours(images), theirs(images), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", [name for name in timm_names() if "small" in name])
def test_weights_have_timms_names(name: str) -> None:
    with torch.device("meta"):
        theirs = timm.create_model(name).state_dict()
        ours = create_model(timm_spec(name)).state_dict()
    assert {key: value.shape for key, value in ours.items()}.items() <= {
        key: value.shape for key, value in theirs.items()
    }.items()
