"""The honest files that the campaign mutates: small, and made the same way each time."""

from __future__ import annotations

import contextlib
import io
import json
import math
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from vitprof.cli.main import main

SPEC = {
    "family": "vit",
    "embed": 32,
    "depth": 2,
    "heads": 2,
    "mlp": 64,
    "resolution": 16,
    "patch": 8,
    "in_channels": 3,
    "classes": 2,
}
SPACE = """family = "vit"
resolution = 16
patch = 8
classes = 2
embed = [16, 32]
depth = [1, 2]
heads = [1, 2]
qk = 16
mlp = [32, 64]
"""
PIPELINE = """data = "digits"
model = "model"

[heads]
levels = 1
sessions = 1
test_images = 20

[[student]]
name = "small"
student = "tiny.json"
epochs = 1
augment = "none"

[quantize]
dtype = ["int8"]
sessions = 1

[[choose]]
name = "all"
dtypes = ["fp32", "int8"]
max_latency = "5ms"
"""
GATE = """table = "lut.csv"

[[budget]]
model = "tiny.json"
max_latency = "12ms"
max_params = "6M"

[[budget]]
model = "tiny.json"
max_macs = "1G"
extrapolate = true
"""
DEVICES = """[board]
title = "A board"
backend = "onnxruntime"
machine = "Some Board.*"
dtypes = ["fp32", "int8"]
sparsity = ["dense"]
multiples_of = { fp32 = 16, int8 = 16 }
"""
NNMETER = {
    "firstconv_128_3_16_2_3": 0.5,
    "conv_64_16_24_4_2_hard_swish_5_se": 0.25,
    "transattn_16_48_hard_swish_2_ln": 1.5,
    "mbpool_2_160_1984_6_hard_swish": 0.8125,
}
NVIT = {f"EMB_{e}": {"QK_2_16": {"V_16": {"MLP_1": e / 9, "MLP_256": e / 4}}} for e in (64, 128)}
OFA = """AvgPool2D-input:7x7x1152-output:1x1x1152:
  count: 4
  mean: 0.5
  std: 0.1
Conv-input:224x224x3-output:112x112x24: {count: 4, mean: 1.0, std: 0.1}
Logits-input:1x1x1536-output:1000: {count: 4, mean: 0.625, std: 0.1}
expanded_conv-input:112x112x24-output:56x56x32-expand:72-kernel:5-stride:2-idskip:0-se:1-hs:0:
  count: 4
  mean: 2.0
  std: 0.1
"""
NEUSIGHT = """OPName,Latency,Device,B,M,N,K
linear,0.25,Some GPU,1,8,16,32
linear,0.75,Some GPU,1,8,16,64
"""
TIMINGS = "model,unit,big,little\n" + "".join(
    f"m{n},ms,{1 + 0.1 * n},{3 + 0.25 * n}\n" for n in range(12)
)
TEXTS = "sentence\tlabel\n" + "".join(f"a good film w{n}\t{n % 2}\n" for n in range(8))
VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "film"]
VOCAB += [f"w{n}" for n in range(56)]


def make(folder: Path, names: Iterable[str]) -> None:
    """Write those that are named into a folder, and the small ones; those that are there stay."""
    wanted = {*names, *SMALL}
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(folder):
        for name, write in MAKERS.items():
            if name in wanted and not Path(name).exists():
                write(Path(name))


def _text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text)


def _vitprof(*arguments: str) -> None:
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            main(list(arguments))
        except SystemExit as stop:
            if stop.code not in (0, 1):
                raise RuntimeError(f"{arguments}: {output.getvalue()}") from None


def _printed(*arguments: str) -> Callable[[Path], object]:
    """Write what a command prints as JSON to the file."""

    def write(path: Path) -> None:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
            main([*arguments, "--json"])
        json.loads(out.getvalue())
        path.write_text(out.getvalue())

    return write


def _model():
    import torch
    from vitprof.models import create_model

    torch.manual_seed(0)
    return create_model("tiny.json")


def _table(path: Path) -> None:
    """Write a calibrated table of the tiny ViT and all narrower ones; its latencies are made up."""
    from vitprof.models import Spec
    from vitprof.spaces.vit import ViTSlabs
    from vitprof.tables import LatencyTable, Row, Setting
    from vitprof.tables.calibration.calibrate import calibrated

    space = ViTSlabs.covering(Spec.from_json("tiny.json"))

    def row(subject, ms, **others):
        times = {"latency_ms": ms, "low_ms": 0.98 * ms, "high_ms": 1.02 * ms, "min_ms": 0.97 * ms}
        return Row(subject, **times, session_ms=(ms, ms, ms), samples=30, **others)

    rows = [row(block, 0.02 + block.macs / 3e7) for block in space.blocks()]
    setting = Setting("cpu", "onnxruntime", "CPUExecutionProvider")
    lone = LatencyTable(rows, setting)
    for n, spec in enumerate(space.calibration_models(4)):
        ms = (1.08 + 0.01 * math.sin(n)) * lone.predict(spec, extrapolate=True).ms + 0.3
        rows.append(replace(row(spec, ms), context="in_model"))
    calibrated(LatencyTable(rows, setting)).to_csv(path)


def _probes(path: Path) -> None:
    from vitprof.tables import LatencyTable

    source = LatencyTable.read_csv("lut.csv")
    rows = [row.scaled(3.0) for row in source.rows if row.context == "alone"][::3]
    LatencyTable(rows, replace(source.setting, device="phone")).to_csv(path)


def _checkpoint(path: Path) -> None:
    import torch

    torch.save(_model().state_dict(), path)


def _safetensors(path: Path) -> None:
    from safetensors.torch import save_file

    save_file(_model().state_dict(), path)


def _model_folder(path: Path) -> None:
    from vitprof.training.data.images import Normalisation
    from vitprof.training.model_folder import write_model

    norm = Normalisation(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    write_model(_model(), path, norm)


def _hugging_face(path: Path) -> None:
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=16,
        patch_size=8,
        num_labels=2,
    )
    ViTForImageClassification(config).save_pretrained(path)
    norm = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (path / "preprocessor_config.json").write_text(json.dumps(norm))


def _bert(path: Path) -> None:
    from vitprof.models import BertSpec, create_model
    from vitprof.training.model_folder import write_model

    spec = BertSpec.uniform(16, 1, 2, mlp=16, vocab=64, positions=16, tokens=8, classes=2)
    write_model(create_model(spec), path, None)
    (path / "vocab.txt").write_text("\n".join(VOCAB) + "\n")
    (path / "tokenizer_config.json").write_text('{"do_lower_case": true}')


def _png(value: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (16, 16), (value, 60, 200)).save(out, "PNG")
    return out.getvalue()


def _pictures(path: Path) -> None:
    for n in range(4):
        place = path / ("cat", "dog")[n % 2] / f"{n}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(_png(40 * n))


def _zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(4):
            archive.writestr(f"{('cat', 'dog')[n % 2]}/{n}.png", _png(40 * n))


def _shard(path: Path) -> None:
    path.mkdir()
    with tarfile.open(path / "train.tar", "w") as archive:
        for n in range(4):
            for name, data in ((f"{n}.png", _png(40 * n)), (f"{n}.cls", b"01"[n % 2 : n % 2 + 1])):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))


def _arrays(path: Path) -> None:
    import numpy as np

    random = np.random.default_rng(0)
    images = random.integers(0, 255, (8, 16, 16, 3), dtype=np.uint8)
    np.savez(path, images=images, labels=np.arange(8) % 2)


def _arrow(path: Path) -> None:
    import datasets
    from PIL import Image

    features = datasets.Features(
        {"img": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    pictures = [Image.open(io.BytesIO(_png(40 * n))) for n in range(4)]
    rows = {"img": pictures, "label": [0, 1, 0, 1]}
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(path))


def _onnx(path: Path) -> None:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    shapes = {"w": (4, 3, 3, 3), "b": (4,), "m": (256, 8)}
    weights = [
        numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("Flatten", ["r"], ["f"], name="flatten", axis=1),
        helper.make_node("MatMul", ["f", "m"], ["y"], name="matmul"),
        helper.make_node("Softmax", ["y"], ["out"], name="softmax", axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 8])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _exported(path: Path) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)).eval()
    torch.export.save(torch.export.export(model, (torch.zeros(1, 3, 8, 8),)), path)


def _bundle(path: Path) -> None:
    few = "embed=32;attention.heads=2;attention.qk=16;attention.v=16;mlp.mlp=64"
    some = ("--model", "tiny.json", "--whole-models", "0", "--grid", few)
    _vitprof("build", *some, "--out", str(path))


def _run_folder(path: Path) -> None:
    less = ("--population", "4", "--generations", "2", "--candidates", "50", "--parents", "2")
    table = ("--table", "lut.csv", "--max-latency", "50ms")
    made = ("--space", "space.toml", *table, "--proxy", "macs", *less, "--out", str(path))
    _vitprof("search", *made)


def _trained(path: Path) -> None:
    once = ("--epochs", "1", "--batch", "4", "--augment", "none", "--autocast", "fp32")
    _vitprof("train", "--model", "tiny.json", "--data", "images.npz", *once, "--out", str(path))


def _shared(path: Path) -> None:
    _vitprof("table", "push", "lut.csv", str(path), "--name", "mine", "--licence", "MIT")


# Others are made with their help.
SMALL = ("tiny.json", "space.toml", "lut.csv")
FAST = ("--sessions", "1", "--runs", "1", "--warmup", "0")
MAKERS: dict[str, Callable[[Path], object]] = {
    "tiny.json": _text(json.dumps(SPEC)),
    "space.toml": _text(SPACE),
    "once.toml": _text(PIPELINE),
    "gate.toml": _text(GATE),
    "devices.toml": _text(DEVICES),
    "nnmeter.json": _text(json.dumps(NNMETER)),
    "nvit.json": _text(json.dumps(NVIT)),
    "ofa.yaml": _text(OFA),
    "neusight.csv": _text(NEUSIGHT),
    "timings.csv": _text(TIMINGS),
    "texts.tsv": _text(TEXTS),
    "lut.csv": _table,
    "again.csv": _table,
    "phone.csv": _probes,
    "tiny.pth": _checkpoint,
    "tiny.safetensors": _safetensors,
    "model": _model_folder,
    "hf": _hugging_face,
    "bert": _bert,
    "photos": _pictures,
    "photos.zip": _zipped,
    "data": _shard,
    "images.npz": _arrays,
    "arrow": _arrow,
    "net.onnx": _onnx,
    "net.pt2": _exported,
    "bundle.zip": _bundle,
    "found": _run_folder,
    "trained": _trained,
    "shared": _shared,
    "breakdown.json": _printed("breakdown", "--model", "tiny.json", "--nodes", *FAST),
    "bench.json": _printed("bench", "--model", "tiny.json", "--reference", *FAST),
}
