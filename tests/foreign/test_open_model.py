"""Foreign models by what a user names them by."""

from __future__ import annotations

import pickle
import re
import zipfile
from pathlib import Path

import onnx
import pytest
import torch
from small_onnx.foreign_spec import residual_net
from small_onnx.small_graphs import Small
from torch import Tensor, nn
from transformers import ViTConfig
from vitprof.backends.pytorch.portable import portable_program
from vitprof.errors import UserError
from vitprof.foreign.open_model import is_foreign, open_model
from vitprof.foreign.priced import priced
from vitprof.foreign.sources.module_source import ModuleSource
from vitprof.models import Spec, create_model


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, 2, 1)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.conv(x).relu().mean((2, 3)))
        return found


class Pair(nn.Module):
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ b


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        *(("a/b.onnx", True), ("x.pt2", True), ("timm:levit_128s", True), ("hf:a/b", True)),
        *(("torchvision:resnet18", True), ("nets.py:make", True), ("deit-tiny", False)),
        *(("spec.json", False), ("google/vit-base-patch16-224", False), ("C:x", False)),
    ],
)
def test_which_texts_name_foreign_models(text: str, foreign: bool) -> None:
    assert is_foreign(text) is foreign


def test_an_onnx_file_is_a_spec_with_its_graph(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(residual_net(16, 2))
    spec = open_model(str(path))
    assert spec.name == "net" and spec.inputs == (("x", (1, 3, 28, 28)),)
    assert spec.macs > 0 and len(spec.digest) == 64
    assert spec.source is not None and spec.source.module() is None
    assert onnx.load_model_from_string(spec.source.onnx()).graph.input[0].name == "x"
    again = Spec.from_json(spec.to_json())
    assert again == spec


def test_models_of_one_structure_are_equal_whatever_their_weights(tmp_path: Path) -> None:
    for name, width in (("a", 16), ("b", 16), ("c", 24)):
        (tmp_path / f"{name}.onnx").write_bytes(residual_net(width, 2))
    a, b, c = (open_model(str(tmp_path / f"{name}.onnx")) for name in "abc")
    assert a.digest == b.digest != c.digest


def test_open_sizes_are_fixed_in_what_is_compiled(tmp_path: Path) -> None:
    model = onnx.load_model_from_string(residual_net(16, 1))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    path = tmp_path / "open.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match="batch"):
        open_model(str(path))
    spec = open_model(str(path), {"x": (1, 3, 28, 28)})
    assert spec.source is not None
    fixed = onnx.load_model_from_string(spec.source.onnx()).graph.input[0].type.tensor_type.shape
    assert [size.dim_value for size in fixed.dim] == [1, 3, 28, 28]


def saved(module: nn.Module, path: Path, *inputs: Tensor) -> Path:
    torch.export.save(torch.export.export(module.eval(), inputs), path)
    return path


def test_an_exported_program(tmp_path: Path) -> None:
    spec = open_model(str(saved(Net(), tmp_path / "net.pt2", torch.randn(1, 3, 32, 32))))
    assert spec.name == "net" and spec.inputs[0][1] == (1, 3, 32, 32)
    assert spec.macs == 16 * 16 * 16 * 27 + 160
    module = spec.source.module() if spec.source else None
    assert module(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


def test_several_inputs(tmp_path: Path) -> None:
    path = saved(Pair(), tmp_path / "pair.pt2", torch.randn(2, 4, 8), torch.randn(2, 8, 6))
    spec = open_model(str(path))
    assert [shape for _, shape in spec.inputs] == [(2, 4, 8), (2, 8, 6)]
    assert spec.macs == 2 * 4 * 8 * 6


@pytest.mark.long
def test_the_program_that_is_handed_back_takes_the_batch_of_the_run(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = create_model("vit-micro-8").eval()
    path = tmp_path / "model.pt2"
    path.write_bytes(portable_program(module, (1, 8, 8)))
    one, three = open_model(str(path)), open_model(str(path), batch=3)
    assert one.inputs == (("input", (1, 1, 8, 8)),) and three.inputs == (("input", (3, 1, 8, 8)),)
    assert three.macs == 3 * one.macs > 0
    assert isinstance(three.source, ModuleSource)
    images = torch.randn(3, 1, 8, 8)
    torch.testing.assert_close(three.source.module()(images), module(images))
    given = onnx.load_model_from_string(three.source.onnx()).graph.input[0]
    assert [size.dim_value for size in given.type.tensor_type.shape.dim] == [3, 1, 8, 8]


class Lengths(nn.Module):
    """An open length beside an open batch, in a sum and a product."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        both = torch.cat([a, b], 1)
        return both.reshape(both.shape[0] * both.shape[1], -1) * 2


def lengths(path: Path) -> Path:
    batch, a, b = (torch.export.Dim(name) for name in ("batch", "a", "b"))
    sizes = ({0: batch, 1: a}, {0: batch, 1: b})
    inputs = torch.randn(2, 5, 4), torch.randn(2, 6, 4)
    program = torch.export.export(Lengths(), inputs, dynamic_shapes=sizes)
    torch.export.save(program, path)
    return path


def test_other_open_sizes_are_given(tmp_path: Path) -> None:
    path = lengths(tmp_path / "lengths.pt2")
    spec = open_model(str(path), {"input": (3, 7, 4), "b": (3, 2, 4)})
    assert [shape for _, shape in spec.inputs] == [(3, 7, 4), (3, 2, 4)]
    module = spec.source.module() if spec.source else None
    a, b = torch.randn(3, 7, 4), torch.randn(3, 2, 4)
    torch.testing.assert_close(module(a, b), Lengths()(a, b))


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (None, "axis 1 of its input 'a' open; give all sizes of it by `shapes`"),
        ({"a": (3, 7, 4)}, "axis 1 of its input 'b' open"),
        ({"a": (3, 7, 4), "b": (2, 7, 4)}, "3 and 2 are given for it"),
        ({"a": (3, 7, 5), "b": (3, 7, 4)}, "the fixed size 4 at axis 2"),
        ({"a": (3, 7), "b": (3, 7, 4)}, "of 3 sizes, and `shapes` gives 2"),
    ],
)
def test_open_sizes_that_nothing_says(tmp_path: Path, shapes: dict, words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        open_model(str(lengths(tmp_path / "lengths.pt2")), shapes)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('pathlib').Path('canary').touch()",
        "Pow(Integer(9), Integer(999999999))",
        "Symbol('x', positive=True) + print(1)",
        "Integer(-5)",
        "Integer(99999999999)",
        "Integer(2",
        "Symbol('nobody')",
    ],
)
def test_sizes_are_not_evaluated(
    tmp_path: Path, expression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sound = lengths(tmp_path / "sound.pt2")
    with zipfile.ZipFile(sound) as given:
        (name,) = (one for one in given.namelist() if one.endswith("models/model.json"))
        text = given.read(name).decode()
    sums = set(re.findall(r'"expr_str": "(Mul\([^"]*)"', text))
    hostile = tmp_path / "hostile.pt2"
    changed(sound, hostile, "models/model.json", sums.pop(), expression)
    with pytest.raises(UserError, match="size"):
        open_model(str(hostile), {"a": (3, 7, 4), "b": (3, 2, 4)})
    assert not (tmp_path / "canary").exists()


class Runs:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.path, "w")


def test_pickles_in_a_program_are_not_run(tmp_path: Path) -> None:
    sound = saved(Net(), tmp_path / "sound.pt2", torch.randn(1, 3, 32, 32))
    canary, hostile = tmp_path / "canary", tmp_path / "hostile.pt2"
    torch.save(Runs(str(canary)), tmp_path / "evil.pt")
    replaced = 0
    with zipfile.ZipFile(sound) as given, zipfile.ZipFile(hostile, "w") as made:
        for entry in given.infolist():
            data = given.read(entry.filename)
            if entry.filename.endswith(".pt"):
                data, replaced = (tmp_path / "evil.pt").read_bytes(), replaced + 1
            made.writestr(entry.filename, data)
    assert replaced
    with pytest.raises(UserError, match="more than plain tensors"):
        open_model(str(hostile))
    assert not canary.exists()


def changed(sound: Path, path: Path, part: str, old: str, new: str) -> Path:
    """Write a program again with a text in one entry changed."""
    done = 0
    with zipfile.ZipFile(sound) as given, zipfile.ZipFile(path, "w") as made:
        for entry in given.infolist():
            data = given.read(entry.filename)
            if entry.filename.endswith(part):
                done += data.count(old.encode())
                data = data.replace(old.encode(), new.encode())
            made.writestr(entry.filename, data)
    assert done
    return path


@pytest.mark.parametrize(
    ("part", "old", "new", "words"),
    [
        ("model.json", "torch.ops.aten.relu.default", "torch.ops.load_library", "operator"),
        ("model.json", "torch.ops.aten.relu.default", "torch.hub.load", "operator"),
        ("model.json", '"guards_code": []', '"guards_code": ["print(1)"]', "fixed shapes"),
        ("model.json", '"name": "relu"', '"name": "relu\\nprint(1)"', "not a name"),
        ("constants_config.json", "{}", '{"x": {"path_name": "opaque_obj_0"}}', "not a tensor"),
    ],
)
def test_programs_that_could_run_code_are_refused(
    tmp_path: Path, part: str, old: str, new: str, words: str
) -> None:
    sound = saved(Net(), tmp_path / "sound.pt2", torch.randn(1, 3, 32, 32))
    with pytest.raises(UserError, match=words):
        open_model(str(changed(sound, tmp_path / "hostile.pt2", part, old, new)))


def test_objects_and_pickles_of_the_older_format_are_not_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    sound = saved(Net(), tmp_path / "sound.pt2", torch.randn(1, 3, 32, 32))
    data = pickle.dumps(Runs(str(canary)))
    for entry in ("sound/data/constants/opaque_obj_0", "serialized_state_dict.json"):
        hostile = tmp_path / "hostile.pt2"
        hostile.write_bytes(sound.read_bytes())
        with zipfile.ZipFile(hostile, "a") as made:
            made.writestr(entry, data)
        with pytest.raises(UserError, match="does not; this is refused"):
            open_model(str(hostile))
    assert not canary.exists()


@pytest.mark.parametrize("data", [b"", b"nothing", b"PK\x03\x04rest"])
def test_what_is_no_program(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.pt2").write_bytes(data)
    with pytest.raises(UserError, match=r"x\.pt2"):
        open_model(str(tmp_path / "x.pt2"))


PYTHON = """
import torch
from torch import nn

def make():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())

def with_inputs():
    return nn.Linear(8, 4), torch.zeros(2, 8)

def none(): return 3

def fails(): raise ValueError("no weights here")

def bad_inputs(): return nn.Linear(8, 4), "x"
"""


def test_a_function_of_a_python_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "nets.py"
    path.write_text(PYTHON)
    spec = open_model(f"{path}:make", {"x": (1, 3, 16, 16)})
    assert spec.name == "make" and spec.macs == 14 * 14 * 8 * 27
    assert "running" in caplog.text
    assert open_model(f"{path}:with_inputs").inputs == (("input", (2, 8)),)
    assert open_model(f"{path}:make", batch=2).inputs[0][1] == (2, 3, 224, 224)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("none", "not a torch module"),
        ("fails", "no weights here"),
        ("missing", "no function 'missing'"),
        ("bad_inputs", "not tensors"),
    ],
)
def test_functions_that_make_no_model(tmp_path: Path, function: str, words: str) -> None:
    path = tmp_path / "nets.py"
    path.write_text(PYTHON)
    with pytest.raises(UserError, match=words):
        open_model(f"{path}:{function}")
    with pytest.raises(UserError, match="no file"):
        open_model(f"{tmp_path / 'other.py'}:{function}")


class Unexportable(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.qr(x)[0]


def test_an_export_that_fails_names_the_operator(tmp_path: Path) -> None:
    path = saved(Unexportable(), tmp_path / "qr.pt2", torch.randn(4, 4))
    with pytest.raises(UserError, match="qr"):
        open_model(str(path))


def test_a_hugging_face_folder_with_random_weights(tmp_path: Path) -> None:
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = ViTConfig(**small, intermediate_size=64, image_size=32, patch_size=8)
    config.save_pretrained(tmp_path)
    spec = open_model(f"hf:{tmp_path}")
    assert spec.inputs == (("pixel_values", (1, 3, 32, 32)),)
    assert spec.macs > 17 * (4 * 32 * 32 + 2 * 32 * 64)


@pytest.mark.parametrize(
    "text", ["hf:nobody/nothing", "timm:levit_128s_of_mars", "torchvision:resnet_of_mars", "hf:"]
)
def test_names_that_no_library_makes(text: str) -> None:
    with pytest.raises(UserError) as refused:
        open_model(text)
    assert "\n" not in str(refused.value)


def test_an_unknown_operator_can_be_run_but_not_priced(tmp_path: Path) -> None:
    g = Small(1, 8, 8)
    path = tmp_path / "det.onnx"
    path.write_bytes(g.model(g.op("Relu", g.op("Det", g.op("Relu", "x")))))
    spec = open_model(str(path))
    with pytest.raises(UserError, match="'Det'"):
        priced(spec, (), {})
    rest, unknown = priced(spec, (), {}, partial=True)
    assert unknown == ("Det",) and len(rest.blocks()) == 2


def test_a_program_without_its_weights_is_refused_in_one_sentence(tmp_path, refused, capfd) -> None:
    sound = saved(Net(), tmp_path / "sound.pt2", torch.randn(1, 3, 32, 32))
    for name in ("short.pt2", "twice.pt2"):
        with zipfile.ZipFile(sound) as old, zipfile.ZipFile(tmp_path / name, "w") as new:
            for entry in old.namelist():
                if "weight_0" not in entry:
                    new.writestr(entry, old.read(entry))
                elif name == "twice.pt2":
                    new.writestr(entry, old.read(entry))
                    with pytest.warns(UserWarning, match="Duplicate"):
                        new.writestr(entry, b"")
    with refused("short.pt2", "not an exported program"):
        open_model(str(tmp_path / "short.pt2"))
    with refused("twice.pt2", "twice"):
        open_model(str(tmp_path / "twice.pt2"))
    assert "Traceback" not in capfd.readouterr().err
