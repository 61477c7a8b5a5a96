"""Teachers of every origin against the module itself, asked with what it expects."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from vitprof.errors import UserError
from vitprof.models import ViTSpec, create_model
from vitprof.training.data.images import Dataset, Normalisation
from vitprof.training.distillation import DistillationLoss, Teaching
from vitprof.training.inputs import model_inputs
from vitprof.training.loop import TrainingRun
from vitprof.training.losses import soft_cross_entropy
from vitprof.training.model_folder import write_model
from vitprof.training.plan import TrainingPlan
from vitprof.training.teachers.read import read_teacher

CPU = torch.device("cpu")
NORM = Normalisation((0.1, 0.2, 0.3), (0.9, 0.8, 0.7))
THEIRS = Normalisation((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
SPEC = ViTSpec.uniform(16, 1, 2, mlp=16, resolution=16, patch=4, classes=3, name="teacher")
Make = Callable[..., Path]


def seen(photos: Dataset, norm: Normalisation = NORM) -> Tensor:
    images = model_inputs(photos.train, norm)
    assert isinstance(images, Tensor)
    return images


def as_expected(photos: Dataset, side: int = 16) -> Tensor:
    """Return the images in the teacher's normalisation, scaled: without the student's."""
    images = seen(photos, THEIRS)
    return F.interpolate(images, size=(side, side), mode="bicubic", antialias=True)


@pytest.mark.parametrize("kind", ["ResNet", "RegNet"])
def test_a_classifier_of_transformers(kind: str, resnet: Make, photos, caplog) -> None:
    import transformers

    folder = resnet(kind)
    itself = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    with caplog.at_level(logging.INFO, "vitprof"):
        teacher = read_teacher(folder, CPU, photos, NORM)
    with torch.no_grad():
        expected = itself(pixel_values=as_expected(photos)).logits
    assert expected.std() > 0.01
    assert torch.allclose(teacher(seen(photos)), expected, atol=1e-4)
    assert "scaled from 8 to 16 pixels a side (bicubic) and normalised by mean 0.5" in caplog.text
    assert not any(weight.requires_grad for weight in teacher.parameters())
    assert not teacher.training


def test_a_folder_of_ours_keeps_its_own_size_and_normalisation(photos, tmp_path) -> None:
    torch.manual_seed(0)
    model = create_model(SPEC)
    write_model(model, tmp_path, THEIRS)
    teacher = read_teacher(tmp_path, CPU, photos, NORM)
    assert torch.allclose(teacher(seen(photos)), model(as_expected(photos)), atol=1e-4)


def test_what_is_not_stated_is_as_the_students_and_said(photos, tmp_path, caplog) -> None:
    torch.manual_seed(0)
    model = create_model(replace(SPEC, resolution=8))
    write_model(model, tmp_path, None)
    teacher = read_teacher(tmp_path, CPU, photos, NORM)
    assert torch.equal(teacher(seen(photos)), model(seen(photos)))
    assert "nothing says how images are normalised for the teacher" in caplog.text


def test_a_teacher_of_colours_sees_grey(digits, tmp_path) -> None:
    torch.manual_seed(0)
    model = create_model(replace(SPEC, resolution=8, classes=10))
    write_model(model, tmp_path, THEIRS)
    some = digits.train.take(range(6))
    grey = torch.from_numpy(some.pixels).float() / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in (THEIRS.mean, THEIRS.std))
    teacher = read_teacher(tmp_path, CPU, digits, digits.normalisation)
    given = model_inputs(some, digits.normalisation)
    assert torch.allclose(teacher(given), model((grey - mean) / std), atol=1e-4)


@pytest.mark.parametrize("batch", [None, 4])
def test_an_onnx_file_answers_as_its_model(batch: int | None, photos, tmp_path) -> None:
    torch.manual_seed(0)
    model = create_model(SPEC)
    write_model(model, tmp_path, THEIRS)  # for its preprocessor_config.json
    (tmp_path / "spec.json").unlink()
    free = {"images": {0: "n"}, "logits": {0: "n"}} if batch is None else None
    torch.onnx.export(
        model,
        (torch.randn(batch or 2, 3, 16, 16),),
        tmp_path / "model.onnx",
        input_names=["images"],
        output_names=["logits"],
        dynamic_axes=free,
        dynamo=False,
    )
    teacher = read_teacher(tmp_path / "model.onnx", CPU, photos, NORM)
    expected = model(as_expected(photos))
    assert expected.shape == (18, 3)
    assert torch.allclose(teacher(seen(photos)), expected, atol=1e-4)


def test_a_cnn_teaches_a_step(resnet: Make, photos) -> None:
    teacher = read_teacher(resnet(), CPU, photos, NORM)
    student = ViTSpec.uniform(
        16, 1, 2, mlp=16, resolution=8, patch=4, classes=3, distilled=True, name="student"
    )
    torch.manual_seed(1)
    model = create_model(student)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    images, targets = seen(photos), F.one_hot(torch.from_numpy(photos.train.labels), 3).float()
    token, distilled = model.forward_heads(images)
    named = teacher(images).argmax(dim=1)
    expected = (soft_cross_entropy(token, targets) + F.cross_entropy(distilled, named)) / 2
    plan = TrainingPlan(epochs=1, batch=18, autocast="fp32", warmup=0, decay=False)
    run = TrainingRun(model, photos, NORM, plan, DistillationLoss(Teaching(teacher)))
    (progress,) = run.steps()
    assert progress.loss == pytest.approx(float(expected.detach()), abs=1e-5)
    assert any(not torch.equal(before[name], after) for name, after in model.state_dict().items())


def test_classes_are_told_apart_by_name(resnet: Make, photos, caplog) -> None:
    expected = read_teacher(resnet(), CPU, photos, NORM)(seen(photos))
    with caplog.at_level(logging.INFO, "vitprof"):
        turned = read_teacher(resnet(names=("cat", "Ant", "bee")), CPU, photos, NORM)
    assert torch.allclose(turned(seen(photos)), expected[:, [1, 2, 0]], atol=1e-6)
    assert "in another order" in caplog.text
    with pytest.raises(UserError, match="it knows 'dog', and not 'cat'"):
        read_teacher(resnet(names=("ant", "bee", "dog")), CPU, photos, NORM)


def test_a_teacher_with_another_number_of_classes_is_refused(photos, tmp_path) -> None:
    write_model(create_model(replace(SPEC, classes=4)), tmp_path, THEIRS)
    with pytest.raises(UserError, match=r"has 4 classes and the images 3 \('ant', 'bee', 'cat'"):
        read_teacher(tmp_path, CPU, photos, NORM)


def test_weights_that_are_missing_are_not_drawn(resnet: Make, photos) -> None:
    from safetensors.torch import load_file, save_file

    file = resnet() / "model.safetensors"
    weights = load_file(file)
    del weights["classifier.1.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"no weights for 'classifier\.1\.weight'"):
        read_teacher(file.parent, CPU, photos, NORM)


def test_a_config_of_a_far_larger_model_is_refused(resnet: Make, photos) -> None:
    folder = resnet()
    config = json.loads((folder / "config.json").read_text())
    config["hidden_sizes"] = [8, 2**20]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="they do not belong together"):
        read_teacher(folder, CPU, photos, NORM)


def test_an_id_of_hugging_face_is_read_from_the_cache(
    resnet: Make, photos, tmp_path, monkeypatch
) -> None:
    folder = resnet()
    expected = read_teacher(folder, CPU, photos, NORM)(seen(photos))
    home, revision = tmp_path / "hub" / "models--someone--net", "0" * 40
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(revision)
    shutil.copytree(folder, home / "snapshots" / revision)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    teacher = read_teacher("someone/net", CPU, photos, NORM)
    assert torch.equal(teacher(seen(photos)), expected)


@pytest.mark.parametrize("kind", ["ResNet", "onnx"])
def test_a_teacher_answers_under_autocast(kind: str, resnet: Make, photos, tmp_path) -> None:
    if kind == "onnx":
        torch.manual_seed(0)
        place = tmp_path / "model.onnx"
        model = create_model(replace(SPEC, resolution=8))
        torch.onnx.export(model, (seen(photos),), place, dynamo=False)
    else:
        place = resnet()
    teacher = read_teacher(place, CPU, photos, NORM)
    expected = teacher(seen(photos))
    with torch.autocast("cpu", torch.bfloat16):
        found = teacher(seen(photos)).float()
    assert torch.allclose(found, expected, atol=0.05 * float(expected.abs().max()))


class Trap:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return (Path.touch, (self.file,))


def test_a_pickle_with_code_is_not_run(resnet: Make, photos, tmp_path) -> None:
    folder, sprung = resnet(), tmp_path / "sprung"
    (folder / "model.safetensors").unlink()
    torch.save({"classifier.1.weight": Trap(sprung)}, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="would run code to be read, which is refused"):
        read_teacher(folder, CPU, photos, NORM)
    assert not sprung.exists()


def test_code_of_a_folder_is_not_run(resnet: Make, photos, tmp_path) -> None:
    folder = resnet()
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "my_own"
    config["auto_map"] = {
        "AutoConfig": "trap.Config",
        "AutoModelForImageClassification": "trap.Model",
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "trap.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    with pytest.raises(UserError, match="not an image classifier that transformers makes"):
        read_teacher(folder, CPU, photos, NORM)
    # Of a model that is known, code and kernels beside it are not even looked for.
    config["model_type"] = "resnet"
    config["_attn_implementation"] = "someone/kernels"
    config["quantization_config"] = {"quant_method": "unknown"}
    (folder / "config.json").write_text(json.dumps(config))
    assert read_teacher(folder, CPU, photos, NORM)(seen(photos)).shape == (18, 3)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("teacher", "words"),
    [
        ("nowhere", "is not a folder of a model, an id of Hugging Face"),
        ("org/absent", "not in the local Hugging Face cache"),
        ("timm:resnet18", "has no weights; give timm:NAME@FILE"),
        ("torchvision:resnet18@", "has no weights; give torchvision:NAME@FILE"),
    ],
)
def test_what_is_no_teacher_is_refused(teacher: str, words: str, photos) -> None:
    with pytest.raises(UserError, match=words):
        read_teacher(teacher, CPU, photos, NORM)


def test_folders_and_files_of_no_model_are_refused(photos, tmp_path) -> None:
    with pytest.raises(UserError, match=r"it has no spec\.json or config\.json"):
        read_teacher(tmp_path, CPU, photos, NORM)
    (tmp_path / "bad.onnx").write_bytes(b"not ONNX")
    with pytest.raises(UserError, match="is not an ONNX file, or it is cut short"):
        read_teacher(tmp_path / "bad.onnx", CPU, photos, NORM)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("loop", r"has a loop \(Loop\)"),
        ("outside", r"weights in '\.\./secret', which is not a file in its folder"),
    ],
)
def test_an_onnx_file_neither_loops_nor_reads_elsewhere(change, words, photos, tmp_path) -> None:
    helper = onnx.helper
    images = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 16, 16])
    node = helper.make_node("Relu", ["x"], ["y"])
    graph = helper.make_graph([node], "g", [images], [])
    if change == "loop":
        inner = helper.make_graph([helper.make_node("Loop", ["n", "c"], ["z"])], "inner", [], [])
        graph.node.append(helper.make_node("If", ["c"], ["z"], then_branch=inner))
    else:
        (tmp_path / "secret").write_bytes(bytes(4))
        tensor = graph.initializer.add(name="w", data_type=1, dims=[1], data_location=1)
        tensor.external_data.add(key="location", value="../secret")
    folder = tmp_path / "model"
    folder.mkdir()
    onnx.save(helper.make_model(graph), folder / "model.onnx")
    with pytest.raises(UserError, match=words):
        read_teacher(folder / "model.onnx", CPU, photos, NORM)
