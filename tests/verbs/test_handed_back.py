"""What is made from a Hugging Face model can be used without vitprof."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import vitprof
from safetensors.torch import load_file
from vitprof.models import ViTSpec, create_model
from vitprof.models.weight_origins import weight_origins
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.verbs.handed_back import hand_back, is_foreign

# Runs the loader where importing vitprof raises ImportError.
ALONE = """
import runpy, sys
import numpy
import torch
sys.modules["vitprof"] = None
load = runpy.run_path("load.py")["load"]
numpy.save("out.npy", load()(torch.from_numpy(numpy.load("in.npy"))).detach().numpy())
assert not [name for name in sys.modules if name.startswith("vitprof.")]
"""


@pytest.fixture
def from_transformers(tmp_path: Path) -> Path:
    """A tiny ViT for the digits, as transformers saves it."""
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        image_size=8,
        patch_size=2,
        num_channels=1,
        num_labels=10,
    )
    torch.manual_seed(0)
    folder = tmp_path / "hf-vit"
    ViTForImageClassification(config).eval().save_pretrained(folder)
    return folder


def outputs_alone(folder: Path, images: np.ndarray) -> np.ndarray:
    np.save(folder / "in.npy", images)
    done = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return np.load(folder / "out.npy")


def test_the_loader_needs_torch_alone_and_takes_any_batch(from_transformers, tmp_path) -> None:
    model = create_model(from_transformers, checkpoint=from_transformers)
    out = tmp_path / "out"
    out.mkdir()
    loader = hand_back(model, out, from_transformers)
    assert loader == (out / "load.py").read_text()
    assert len(loader.splitlines()) <= 14
    images = np.random.default_rng(0).normal(size=(3, 1, 8, 8)).astype(np.float32)
    expected = model(torch.from_numpy(images)).detach().numpy()
    np.testing.assert_allclose(outputs_alone(out, images), expected, atol=1e-5)


def test_the_onnx_file_gives_the_same_and_is_not_written_over(from_transformers, tmp_path) -> None:
    import onnxruntime

    model = create_model(from_transformers, checkpoint=from_transformers)
    hand_back(model, tmp_path)
    image = np.random.default_rng(0).normal(size=(1, 1, 8, 8)).astype(np.float32)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(None, {"input": image})
    expected = model(torch.from_numpy(image)).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert not (tmp_path / "weights_origin.json").exists()
    (tmp_path / "model.onnx").write_text("mine")
    hand_back(model, tmp_path)
    assert (tmp_path / "model.onnx").read_text() == "mine"


def test_every_weight_says_where_it_came_from(from_transformers) -> None:
    origins = weight_origins(from_transformers, "vit")
    model = create_model(from_transformers, checkpoint=from_transformers)
    source = load_file(from_transformers / "model.safetensors")
    weights = model.state_dict()
    assert origins.keys() == weights.keys()
    for name, sources in origins.items():
        joined = torch.cat([source[each] for each in sources])
        assert torch.equal(joined, weights[name]), name
    assert len(origins["blocks.1.attn.qkv.weight"]) == 3


@pytest.mark.long
def test_pruned_heads_are_handed_back(from_transformers, tmp_path) -> None:
    assert is_foreign(from_transformers)
    run = vitprof.prune_heads(
        from_transformers,
        "digits",
        out=tmp_path / "levels",
        levels=1,
        reconstruct=0,
        sessions=1,
        test_images=50,
    )
    folder = run.levels[-1].path
    assert run.report()["loader"] == (folder / "load.py").read_text()
    made_of = json.loads((folder / "weights_origin.json").read_text())["made_of"]
    assert made_of.keys() == load_file(folder / "model.safetensors").keys()
    smaller = create_model(folder, checkpoint=folder)
    images = np.random.default_rng(0).normal(size=(2, 1, 8, 8)).astype(np.float32)
    expected = smaller(torch.from_numpy(images)).detach().numpy()
    np.testing.assert_allclose(outputs_alone(folder, images), expected, atol=1e-5)
    # What we wrote ourselves is not foreign, so it is as before.
    again = vitprof.prune_heads(
        folder,
        "digits",
        out=tmp_path / "again",
        levels=1,
        reconstruct=0,
        sessions=1,
        test_images=50,
    )
    assert not is_foreign(folder)
    assert "loader" not in again.report()
    assert not (again.levels[-1].path / "load.py").exists()


@pytest.mark.slow
@pytest.mark.long
def test_an_id_in_the_cache_is_pruned_and_handed_back(
    from_transformers, tmp_path, monkeypatch
) -> None:
    revision = "0" * 40
    home = tmp_path / "hub" / "models--someone--digits-vit"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(revision)
    shutil.copytree(from_transformers, home / "snapshots" / revision)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    spec = vitprof.create_spec("someone/digits-vit")
    assert spec.name == "digits-vit"
    run = vitprof.prune(
        "someone/digits-vit",
        table_of(spec),
        target="0.8x",
        data="digits",
        out=tmp_path / "out",
        method="optin",
        score_images=8,
        reconstruct=20,
        groups="heads=1,mlp=8",
    )
    folder = run.best.path
    assert run.best.spec.params < spec.params
    assert json.loads((folder / "report.json").read_text())["loader"] == run.best.loader
    images = np.random.default_rng(0).normal(size=(2, 1, 8, 8)).astype(np.float32)
    expected = create_model(folder, checkpoint=folder)(torch.from_numpy(images)).detach().numpy()
    np.testing.assert_allclose(outputs_alone(folder, images), expected, atol=1e-5)


def table_of(spec: ViTSpec) -> LatencyTable:
    """Return a table of the spec and everything narrower, as fast as its MACs."""
    rows = []
    for block in dict.fromkeys(ViTSlabs.covering(spec).with_merging().blocks()):
        ms = block.macs / 1e6 + 0.01
        figures = ("latency_ms", "low_ms", "high_ms", "min_ms", "p10_ms", "p90_ms", "p99_ms")
        rows.append(Row(block, **dict.fromkeys(figures, ms), session_ms=(ms,) * 3, samples=9))
    return LatencyTable(rows, Setting("cpu", "onnxruntime", "CPUExecutionProvider"))


def test_what_torch_cannot_export_is_a_warning(
    from_transformers, tmp_path, monkeypatch, caplog
) -> None:
    from vitprof.backends.protocol import BackendError
    from vitprof.backends.pytorch import portable

    def refuse(*_: object) -> bytes:
        raise BackendError("torch.export: no")

    monkeypatch.setattr(portable, "portable_program", refuse)
    model = create_model(from_transformers, checkpoint=from_transformers)
    assert hand_back(model, tmp_path) is None
    assert "written without model.pt2" in caplog.text
    assert not (tmp_path / "load.py").exists()
