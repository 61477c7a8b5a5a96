"""The files that printed command lines name, small: tables that no machine measured, and specs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from vitprof.models import Block, create_spec
from vitprof.models.ablations import single_variants
from vitprof.spaces.registry import find_search_space
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.header import TableHeader
from vitprof.tables.references import Drift, Readings, References

from .collect import ROOT

# Tables of ViTs, by file: the device, and how many times lut.csv's latency a block has.
VIT_TABLES = {
    "lut.csv": ("cpu", "onnxruntime", "fp32", 1.0),
    "torch.csv": ("cpu", "torch", "fp32", 1.3),
    "torch-new.csv": ("cpu", "torch", "fp32", 1.3),
    "fp32.csv": ("cpu", "onnxruntime", "fp32", 1.0),
    "fp16.csv": ("cpu", "onnxruntime", "fp16", 1.8),
    "pixel6.csv": ("pixel6", "litert", "fp32", 2.5),
    "phone.csv": ("phone", "litert", "fp32", 2.2),
    "t4.csv": ("t4", "tensorrt", "fp32", 0.1),
    "other.csv": ("pixel7", "litert", "fp32", 2.0),
}
SPEC = {
    "family": "vit",
    "name": "mine",
    "embed": 320,
    "resolution": 224,
    "patch": 16,
    "classes": 1000,
    "layers": [
        {"heads": 5, "qk": 64, "v": 64, "mlp": 1280},
        {"heads": 4, "qk": 32, "v": 64, "mlp": 768},
    ],
}
# A space whose models lut.csv covers.
OF_LUT = """
family = "vit"
resolution = 224
patch = 16
classes = 1000
embed = [192, 384]
depth = [2, 3]
heads = [3, 6]
qk = 64
mlp_ratio = [2, 4]
"""
# What is measured where a page measures a family: eleven blocks and three models.
TINY = """
family = "vit"
resolution = 8
patch = 2
in_channels = 1
classes = 10
embed = [32, 48]
depth = [1, 2]
heads = 2
qk = 16
mlp = [32, 64]
"""


def write_world(folder: Path) -> None:
    """Write the tables and specs into a folder."""
    blocks = ViTSlabs().blocks()
    for name, (device, backend, dtype, factor) in VIT_TABLES.items():
        rows = [_row(block, factor * block.macs / 1e8) for block in blocks]
        _write(folder / name, rows, Setting(device, backend, dtype=dtype))
    variants = single_variants(create_spec("efficientvit-m4"))
    of_variants = {block for variant in variants for block in variant.spec.blocks()}
    _write(folder / "ev.csv", [_row(b, b.macs / 1e8) for b in sorted(of_variants, key=str)])
    space = find_search_space("autovit-xxs")
    of_autovit = sorted(space.blocks(), key=str)
    for name in ("lut", "t4", "phone"):
        rows = [_row(block, block.macs / 1e9) for block in of_autovit]
        _write(folder / f"autovit-{name}.csv", rows, Setting(name, "onnxruntime"))
    for name in ("spec.json", "copied.json"):
        (folder / name).write_text(json.dumps(SPEC))
    for name in ("vit_cifar10", "examples/vit-cifar10"):
        (folder / name).mkdir(parents=True)
        (folder / name / "spec.json").write_text(json.dumps(SPEC))
    larger = replace(create_spec("efficientvit-m4"), resolution=384)  # which ev.csv has not
    (folder / "mine.json").write_text(larger.to_json())
    shutil.copy(ROOT / "examples" / "micro.toml", folder / "space.toml")
    (folder / "mine.toml").write_text(OF_LUT)
    (folder / "tiny.toml").write_text(TINY)
    tiny = find_search_space(str(folder / "tiny.toml"))
    (folder / "tiny.json").write_text(tiny.spec(tiny.smallest()).to_json())
    of_space = find_search_space(str(folder / "space.toml")).blocks()
    _write(folder / "space.csv", [_row(b, b.macs / 1e8) for b in sorted(of_space, key=str)])
    of_micro = dict.fromkeys(create_spec("vit-micro-8").blocks())
    _write(folder / "my-vit.csv", [_row(block, block.macs / 1e8) for block in of_micro])


def write_trained(folder: Path) -> None:
    """Write what else is made of the trained model in `digits`, under the names of the pages."""
    for name in ("my-vit", "half", "half/0.5x"):
        shutil.copytree(folder / "digits", folder / name)
    shutil.copy(folder / "digits" / "model.safetensors", folder / "weights.safetensors")


def _row(subject: Block, ms: float) -> Row:
    return Row(
        subject,
        latency_ms=ms,
        low_ms=0.98 * ms,
        high_ms=1.02 * ms,
        min_ms=0.97 * ms,
        p10_ms=0.98 * ms,
        p90_ms=1.1 * ms,
        p99_ms=1.2 * ms,
        session_ms=(ms, ms, ms),
        reference_ms=(12.0, 12.0, 12.0),
        samples=30,
        reference=REFERENCE,
    )


REFERENCE = next(iter(ViTSlabs().blocks()))


def _write(path: Path, rows: list[Row], setting: Setting | None = None) -> None:
    shown = Readings(Drift(12.0, 11.0, 15.0, undisturbed_ms=11.0), 0.01)
    header = TableHeader(
        setting or Setting("cpu", "onnxruntime", "CPUExecutionProvider"),
        references=References(REFERENCE, REFERENCE),
        readings={REFERENCE: shown},
        stated_at="undisturbed",
    )
    LatencyTable(rows, header).to_csv(path)
