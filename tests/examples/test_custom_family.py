"""examples/custom_family as a user would have it: its wheel is built, installed, and then used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A model of the space below.
MODEL = {
    "family": "poolformer",
    "embeds": [8, 16, 24, 32],
    "depths": [1, 2, 1, 1],
    "mlp_ratio": 2,
    "resolution": 32,
    "classes": 3,
}
SPACE = """
family = "poolformer"
resolution = 32
classes = 3
mlp_ratio = 2
""" + "".join(f"[stage-{n}]\nembed = [{8 * n}, {16 * n}]\ndepth = [1, 2]\n" for n in range(1, 5))

pytestmark = [pytest.mark.slow, pytest.mark.docs]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the example's wheel is installed to."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    example = ROOT / "examples" / "custom_family"
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(folder), str(example)], check=True)
    (wheel,) = folder.glob("*.whl")
    target = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True)
    return target


@pytest.fixture(scope="module")
def vitprof(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict]:
    """Run a command where the wheel is installed; return what its --json prints."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "model.json").write_text(json.dumps(MODEL))
    (folder / "space.toml").write_text(SPACE)
    environment = {**os.environ, "PYTHONPATH": str(site)}

    def run(*arguments: object, codes: tuple[int, ...] = (0, 1)) -> dict:
        command = [sys.executable, "-m", "vitprof", *map(str, arguments), "--json"]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode in codes, done.stderr
        return json.loads(done.stdout)

    return run


def test_its_models_are_known(vitprof: Callable[..., dict]) -> None:
    (s12,) = [m for m in vitprof("models")["models"] if m["model"] == "poolformer-s12"]
    assert round(s12["params"] / 1e6, 1) == 11.9  # Table 1


def test_it_keeps_every_promise(vitprof: Callable[..., dict]) -> None:
    report = vitprof("check-plugin", "poolformer", codes=(0,))
    assert [checked["broken"] for checked in report["checked"]] == [0]


def test_it_is_measured_predicted_validated_and_searched(vitprof: Callable[..., dict]) -> None:
    measured = vitprof(
        "measure",
        "--space",
        "space.toml",
        "--sessions",
        1,
        "--whole-models",
        3,
        "--time",
        "2s",
        "--out",
        "lut.csv",
    )
    assert measured["failed"] == []
    assert measured["models"] == 3
    predicted = vitprof("predict", "--table", "lut.csv", "--model", "model.json")
    assert predicted["latency_ms"] > 0
    assert set(predicted["by_op"]) == {"overlapping_embed", "poolformer_block", "poolformer_head"}
    validated = vitprof("validate", "--table", "lut.csv", "--samples", 3, "--sessions", 1)
    assert validated["samples"] == 3
    found = vitprof(
        "search",
        "--space",
        "space.toml",
        "--table",
        "lut.csv",
        "--max-latency",
        "1s",
        "--proxy",
        "macs",
        "--population",
        12,
        "--generations",
        2,
        "--out",
        "found",
    )
    assert found["predicted_ms"] <= 1000


EQUALS_TRANSFORMERS = """
import torch
from transformers import PoolFormerConfig, PoolFormerForImageClassification
from vitprof import create_model
from vitprof_poolformer.spec import PoolFormerSpec

torch.manual_seed(0)
config = PoolFormerConfig(
    hidden_sizes=[8, 16], depths=[1, 2], patch_sizes=[7, 3], strides=[4, 2], padding=[2, 1],
    num_encoder_blocks=2, mlp_ratio=2.0, num_labels=3, layer_scale_init_value=0.5,
)
theirs = PoolFormerForImageClassification(config).eval()
spec = PoolFormerSpec(embeds=(8, 16), depths=(1, 2), mlp_ratio=2, resolution=32, classes=3)
assert sum(p.numel() for p in theirs.parameters()) == spec.params
HALVES = {"norm1": "before_norm", "norm2": "after_norm", "mlp.0": "output.conv1",
          "mlp.2": "output.conv2", "scale1": "layer_scale_1", "scale2": "layer_scale_2"}
names = {"blocks.0": "poolformer.encoder.patch_embeddings.0.projection",
         "blocks.2": "poolformer.encoder.patch_embeddings.1.projection",
         "blocks.5.norm": "norm", "blocks.5.linear": "classifier"}
for ours, block in ((1, "0.0"), (3, "1.0"), (4, "1.1")):
    for mine, other in HALVES.items():
        names[f"blocks.{ours}.{mine}"] = f"poolformer.encoder.block.{block}.{other}"
weights = theirs.state_dict()
model = create_model(spec)
own = model.state_dict()
for name, tensor in own.items():
    prefix = next(known for known in names if name == known or name.startswith(known + "."))
    tensor.copy_(weights[names[prefix] + name[len(prefix):]].reshape(tensor.shape))
images = torch.randn(2, 3, 32, 32)
with torch.no_grad():
    assert torch.allclose(model(images), theirs(images).logits, atol=1e-5)
print("equal")
"""


def test_it_equals_the_model_of_transformers(site: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", EQUALS_TRANSFORMERS],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "equal", done.stderr
