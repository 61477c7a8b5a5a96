"""Teachers of timm and torchvision, from a folder and from a file, against the libraries' modules.

Not collected with the other tests: `make test-timm` runs it in an environment that has both.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch.nn import functional as F
from vitprof.errors import UserError
from vitprof.training.data.images import Dataset, Images, Normalisation
from vitprof.training.inputs import model_inputs
from vitprof.training.teachers.read import read_teacher

CPU = torch.device("cpu")
NORM = Normalisation((0.1, 0.2, 0.3), (0.9, 0.8, 0.7))
IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 3, 32, 32), dtype=np.uint8)
IMAGES = Images(PIXELS, np.arange(4) % 2, ("ant", "bee"), "photos")
PHOTOS = Dataset(IMAGES, IMAGES)


def expected(module: torch.nn.Module, side: int, mode: str, norm: Normalisation) -> torch.Tensor:
    images = F.interpolate(model_inputs(IMAGES, norm), size=(side, side), mode=mode, antialias=True)
    with torch.no_grad():
        return module(images)


def made(name: str, **arguments) -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=2, **arguments).eval()


@pytest.mark.parametrize("name", ["regnety_002", "resnet18", "vit_tiny_patch16_224"])
def test_a_folder_of_timms(name: str, tmp_path: Path) -> None:
    arguments = {"img_size": 64, "depth": 2} if name.startswith("vit") else {}
    module = made(name, **arguments)
    timm.models.save_for_hf(
        module, tmp_path, safe_serialization=True, model_args={"num_classes": 2, **arguments}
    )
    config = module.pretrained_cfg
    side = arguments.get("img_size", config["input_size"][1])
    norm = Normalisation(tuple(config["mean"]), tuple(config["std"]))
    teacher = read_teacher(tmp_path, CPU, PHOTOS, NORM)
    answers = expected(module, side, config["interpolation"], norm)
    assert torch.allclose(teacher(model_inputs(IMAGES, NORM)), answers, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("argument", ["checkpoint_path", "pretrained", "model_name"])
def test_a_folder_that_names_other_files_is_refused(argument: str, tmp_path: Path) -> None:
    timm.models.save_for_hf(made("resnet18"), tmp_path, safe_serialization=True)
    config = json.loads((tmp_path / "config.json").read_text())
    config["model_args"] = {argument: "elsewhere.pth"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=f"'{argument}', which is not part of a model"):
        read_teacher(tmp_path, CPU, PHOTOS, NORM)


def test_a_name_of_timms_and_a_file(tmp_path: Path) -> None:
    module = made("regnety_002")
    torch.save(module.state_dict(), tmp_path / "weights.pth")
    teacher = read_teacher(f"timm:regnety_002@{tmp_path / 'weights.pth'}", CPU, PHOTOS, NORM)
    answers = expected(module, 224, "bicubic", IMAGENET)
    assert torch.allclose(teacher(model_inputs(IMAGES, NORM)), answers, atol=1e-4, rtol=1e-3)
    with pytest.raises(UserError, match="timm has no model 'regnety_2'"):
        read_teacher(f"timm:regnety_2@{tmp_path / 'weights.pth'}", CPU, PHOTOS, NORM)


def test_a_name_of_torchvisions_and_a_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = torchvision.models.get_model("regnet_y_400mf", num_classes=2).eval()
    file = tmp_path / "weights.pth"
    torch.save(module.state_dict(), file)
    images = model_inputs(IMAGES, NORM)
    teacher = read_teacher(f"torchvision:regnet_y_400mf@{file}", CPU, PHOTOS, NORM)
    answers = expected(module, 224, "bilinear", IMAGENET)
    assert torch.allclose(teacher(images), answers, atol=1e-4, rtol=1e-3)
    # What lies beside the file counts before the library's own.
    record = {"image_mean": [0.5] * 3, "image_std": [0.25] * 3, "size": 32}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(record))
    teacher = read_teacher(f"torchvision:regnet_y_400mf@{file}", CPU, PHOTOS, NORM)
    answers = expected(module, 32, "bicubic", Normalisation((0.5,) * 3, (0.25,) * 3))
    assert torch.allclose(teacher(images), answers, atol=1e-4, rtol=1e-3)
    torch.save(torchvision.models.get_model("regnet_y_400mf").state_dict(), file)
    with pytest.raises(UserError, match=r"'fc\.weight' of shape \(1000, 440\)"):
        read_teacher(f"torchvision:regnet_y_400mf@{file}", CPU, PHOTOS, NORM)
