"""What the commands of the campaign work on: small models, data, tables, spaces. Made once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .commands import Place, Runner

TINY = {
    "family": "vit",
    "embed": 16,
    "depth": 2,
    "heads": 4,
    "mlp": 32,
    "resolution": 8,
    "patch": 4,
    "in_channels": 1,
    "classes": 10,
}
SPACE = {
    "family": "vit",
    "embed": [16, 24],
    "depth": [1, 2],
    "heads": [1, 2],
    "qk": 8,
    "mlp": [16, 32],
    "resolution": 8,
    "patch": 4,
    "classes": 10,
    "in_channels": 1,
}
NVIT = {"EMB_192": {"QK_3_64": {"V_64": {"MLP_1": 0.5, "MLP_768": 1.5}}}}
DIGITS = ("--data", "digits")
TRAINING = (*DIGITS, "--augment", "none", "--autocast", "fp32", "--batch", "256")
PIPELINE = """data = "digits"
model = "{model}"

[heads]
levels = 1
sessions = 1
test_images = 20

[[student]]
name = "small"
student = "{student}"
epochs = 1
augment = "none"
sessions = 1
test_images = 20

[quantize]
dtype = ["int8"]
sessions = 1
test_images = 20
"""


@dataclass(frozen=True)
class Material:
    """Files in one folder, by their names."""

    folder: Path

    def __getitem__(self, name: str) -> Path:
        return self.folder / name


def make_material(folder: Path, runner: Runner) -> Material:
    """Make what is not there yet."""
    material = Material(folder)
    if material["done"].is_file():
        return material
    folder.mkdir(parents=True, exist_ok=True)
    material["tiny.json"].write_text(json.dumps(TINY))
    material["student.json"].write_text(json.dumps({**TINY, "embed": 8, "heads": 2, "mlp": 16}))
    material["space.json"].write_text(json.dumps(SPACE))
    material["swin.json"].write_text(_swin())
    _made(runner, material, "trained", "train", "--model", material["tiny.json"], "--epochs", 2)
    _made(runner, material, "supernet", "supernet", "--space", material["space.json"])
    _write_table(material["tiny.json"], material["lut.csv"])
    _write_table(material["space.json"], material["space.csv"])
    material["nvit.json"].write_text(json.dumps(NVIT))
    material["once.toml"].write_text(
        PIPELINE.format(model=material["trained"], student=material["student.json"])
    )
    material["done"].write_text("")
    return material


def _made(runner: Runner, material: Material, name: str, *command: object) -> None:
    place = Place(material.folder / "making").make()
    epochs = () if "--epochs" in command else ("--epochs", 1)
    ended = runner.run([*command, *TRAINING, *epochs, "--out", material[name], "--fresh"], place)
    if ended.code != 0:
        raise SystemExit(f"hardening.py: {name} could not be made: {ended.err}")


def _swin() -> str:
    from vitprof.models import SwinSpec

    return SwinSpec.uniform(
        16, (2, 2), (2, 4), window=4, resolution=32, classes=10, name="swin-small"
    ).to_json()


def _write_table(of: Path, path: Path) -> None:
    """Write a table of a model and all that is narrower, or of a space: ms follow the MACs."""
    from vitprof.models import create_spec
    from vitprof.spaces.registry import find_search_space
    from vitprof.spaces.vit import ViTSlabs
    from vitprof.tables import LatencyTable, Row, Setting

    blocks: Sequence = (
        list(find_search_space(str(of)).blocks())
        if "space" in of.name
        else ViTSlabs.covering(create_spec(str(of))).blocks()
    )
    rows = []
    for block in dict.fromkeys(blocks):
        ms = block.macs / 1e6 + 0.01
        quantiles = dict.fromkeys(("min_ms", "p10_ms", "p90_ms", "p99_ms"), ms)
        rows.append(
            Row(
                block,
                latency_ms=ms,
                low_ms=0.99 * ms,
                high_ms=1.01 * ms,
                session_ms=(ms,) * 3,
                samples=9,
                **quantiles,
            )
        )
    LatencyTable(rows, Setting("cpu", "onnxruntime", "CPUExecutionProvider")).to_csv(path)
