from __future__ import annotations

import os
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file
from vitprof.models import ViTLayer, ViTSpec, create_model
from vitprof.models.checkpoints import load_weights, read_checkpoint

pytestmark = pytest.mark.slow

SPEC = ViTSpec(
    embed=12,
    layers=(ViTLayer(3, 4, 4, 20), ViTLayer(2, 3, 5, 0), ViTLayer(0, 0, 0, 7)),
    patch=4,
    resolution=8,
    classes=5,
    distilled=True,
)


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {name: torch.randn_like(w) for name, w in create_model(SPEC).state_dict().items()}


def write_safetensors(weights, path):
    save_file(weights, path)


def write_torch(weights, path):
    torch.save(weights, path)


def write_facebook(weights, path):
    torch.save({"model": weights}, path)


def write_old_torch(weights, path):
    torch.save(weights, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (write_safetensors, "model.safetensors"),
        (write_torch, "model.pt"),
        (write_facebook, "model.pth"),
        (write_old_torch, "pytorch_model.bin"),
    ],
)
def test_timm_names_round_trip(tmp_path, weights, write, name):
    write(weights, tmp_path / name)
    model = create_model(SPEC, tmp_path / name)
    assert all(torch.equal(w, weights[name]) for name, w in model.state_dict().items())
    assert not model.training
    assert model.spec.norm_eps == 1e-6


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_directory(tmp_path, weights, name):
    (write_safetensors if name.endswith("safetensors") else write_torch)(weights, tmp_path / name)
    assert read_checkpoint(tmp_path).weights.keys() == weights.keys()


def test_half_precision_weights_become_the_models(tmp_path, weights):
    save_file({name: w.half() for name, w in weights.items()}, tmp_path / "half.safetensors")
    model = create_model(SPEC, tmp_path / "half.safetensors")
    assert model.norm.weight.dtype is torch.float32
    assert torch.equal(model.norm.weight, weights["norm.weight"].half().float())


def test_missing_unexpected_and_misshapen_weights_are_named(refused, tmp_path, weights):
    model = create_model(SPEC)
    before = {name: w.clone() for name, w in model.state_dict().items()}
    file = tmp_path / "model.safetensors"

    save_file({n: w for n, w in weights.items() if n != "blocks.1.attn.proj.bias"}, file)
    with refused("model.safetensors", "no weight 'blocks.1.attn.proj.bias'"):
        load_weights(model, file)
    save_file({**weights, "fc_norm.weight": torch.zeros(3)}, file)
    with refused("model.safetensors", "'fc_norm.weight'", "the model has not"):
        load_weights(model, file)
    save_file({**weights, "head.weight": torch.zeros(1000, 12)}, file)
    with refused("model.safetensors", "'head.weight'", "(1000, 12)", "(5, 12)"):
        load_weights(model, file)
    assert all(torch.equal(w, before[name]) for name, w in model.state_dict().items())


class Malicious:
    """Makes a directory where it is unpickled."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.mark.parametrize("write", [write_torch, write_old_torch])
def test_a_pickle_that_needs_code_is_refused_and_not_executed(refused, tmp_path, weights, write):
    proof = tmp_path / "executed"
    write({**weights, "head.bias": Malicious(str(proof))}, tmp_path / "evil.pth")
    with refused("evil.pth", "run code", "refused"):
        read_checkpoint(tmp_path / "evil.pth")
    assert not proof.exists()


def test_a_plain_pickle_that_needs_code_is_refused_too(refused, tmp_path):
    proof = tmp_path / "executed"
    (tmp_path / "evil.bin").write_bytes(pickle.dumps(Malicious(str(proof))))
    with refused("evil.bin"):
        read_checkpoint(tmp_path / "evil.bin")
    assert not proof.exists()


def test_a_whole_module_and_a_torchscript_program_are_refused(refused, tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    with refused("module.pt", "state_dict()"):
        read_checkpoint(tmp_path / "module.pt")
    torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)).save(tmp_path / "script.pt")
    with refused("script.pt", "TorchScript", "state_dict()"):
        read_checkpoint(tmp_path / "script.pt")


@pytest.mark.parametrize("write", [write_safetensors, write_torch, write_old_torch])
@pytest.mark.parametrize("kept", [12, 0.5, 0.98])
def test_a_truncated_file(refused, tmp_path, weights, write, kept):
    name = "model.bin"
    write(weights, tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: kept if kept > 1 else int(len(content) * kept)])
    with refused(name, "truncated"):
        read_checkpoint(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"hello, world, here I am", "not a checkpoint"),
        (b"PK\x03\x04", "truncated"),
    ],
)
def test_a_file_that_is_no_checkpoint(refused, tmp_path, content, word):
    (tmp_path / "file.pth").write_bytes(content)
    with refused("file.pth", word):
        read_checkpoint(tmp_path / "file.pth")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([torch.zeros(2)], ["no weights by name"]),
        (torch.zeros(2), ["no weights by name"]),
        ({}, ["no weights by name"]),
        ({"model": {"norm.weight": 3}}, ["'norm.weight'", "int"]),
        ({"norm.weight": torch.zeros(2, dtype=torch.int8)}, ["'norm.weight'", "torch.int8"]),
        ({"norm.weight": torch.zeros(2, 2).to_sparse()}, ["'norm.weight'", "dense"]),
        ({3: torch.zeros(2)}, ["3"]),
    ],
)
def test_a_file_without_weights(refused, tmp_path, content, words):
    torch.save(content, tmp_path / "file.pth")
    with refused("file.pth", *words):
        read_checkpoint(tmp_path / "file.pth")


def test_a_path_without_a_checkpoint(refused, tmp_path):
    with refused("nowhere.pth", "no checkpoint"):
        read_checkpoint(tmp_path / "nowhere.pth")
    with refused(str(tmp_path), "model.safetensors"):
        read_checkpoint(tmp_path)


def test_hugging_face_layers_that_are_not_whole(refused, tmp_path):
    file = tmp_path / "model.safetensors"
    layer = "vit.encoder.layer.0.attention.attention"
    token = {"vit.embeddings.cls_token": torch.zeros(1, 1, 4)}
    save_file({**token, f"{layer}.query.weight": torch.zeros(4, 4)}, file)
    with refused("model.safetensors", "blocks.0.attn.k.weight"):
        read_checkpoint(file, "vit")
    odd = {
        f"{layer}.{n}.weight": torch.zeros(4, 4 + i)
        for i, n in enumerate(("query", "key", "value"))
    }
    save_file({**token, **odd}, file)
    with refused("model.safetensors", "(4, 4), (4, 5), (4, 6)"):
        read_checkpoint(file, "vit")
    both = {"classifier.bias": torch.zeros(3), "cls_classifier.bias": torch.zeros(3)}
    save_file({**token, **both}, file)
    with refused("model.safetensors", "'head.bias'", "both"):
        read_checkpoint(file, "vit")


def test_reading_leaves_the_file_alone(tmp_path, weights):
    file = tmp_path / "model.safetensors"
    save_file(weights, file)
    model = create_model(SPEC, file)
    torch.nn.init.zeros_(model.norm.weight)
    assert torch.equal(load_file(file)["norm.weight"], weights["norm.weight"])
