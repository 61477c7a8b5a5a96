"""What `vitprof quantize` has to do by a runtime, for checks that run where the runtime is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import vitprof
from vitprof.models import ViTSpec, create_model
from vitprof.profiler.deployed.deployed import deploy
from vitprof.training.model_folder import write_model

SPEC = ViTSpec.uniform(
    32, 2, 4, mlp=64, resolution=8, patch=2, in_channels=1, classes=10, name="small"
)
ERRORS = {"fp32": 1e-4, "int8": 0.1, "int8-static": 0.25}


def written_model(folder: Path) -> Path:
    """Write a model of random weights to the folder and return it."""
    torch.manual_seed(0)
    model = create_model(SPEC)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    write_model(model, folder, None)
    return folder


def written_images(file: Path) -> Path:
    """Write noise of ten classes to an .npz file and return it."""
    draw = np.random.default_rng(0)
    arrays = {}
    for part, count in (("", 40), ("test_", 20)):
        arrays[f"{part}images"] = draw.integers(0, 256, (count, 1, 8, 8), np.uint8)
        arrays[f"{part}labels"] = np.arange(count) % 10
    np.savez(file, **arrays)
    return file


def check_file(model: Path, out: Path, runtime: str, precision: str, batch: int) -> None:
    """Assert that the file computes what the model does, for more images than its batch."""
    images = np.random.default_rng(1).standard_normal((9, 1, 8, 8)).astype(np.float32)
    made = deploy(model, runtime, precision, out, batch=batch, calibration=images)
    module = made.module()
    with torch.inference_mode():
        exact = create_model(model, checkpoint=model)(torch.from_numpy(images))
        found = module(torch.from_numpy(images))
        again = module(torch.from_numpy(images[:1]))
    assert found.shape == exact.shape
    assert (found - exact).abs().max() < ERRORS[precision] * exact.abs().max()
    # The answer is of this image, and not of what was computed before.
    assert (again - found[:1]).abs().max() < ERRORS[precision] * exact.abs().max()
    with made.open() as executable:
        executable.run()
        (output,) = executable.outputs()
    assert output.shape == (batch, 10)


def check_quantize(folder: Path, runtime: str, suffix: str) -> None:
    """Assert that the verb writes, tests, times and weighs all three files."""
    out = folder / "out"
    files = vitprof.quantize(
        written_model(folder / "model"),
        written_images(folder / "noise.npz"),
        out=out,
        dtype=("int8", "int8-static"),
        runtime=runtime,
        sessions=1,
    )
    assert [one.name for one in files.facts] == ["fp32", "int8", "int8-static"]
    for one in files.facts:
        path = out / f"model.{one.precision}.{suffix}"
        assert one.file_bytes == path.stat().st_size
        assert one.images == 20
        assert one.top1 is not None
        assert 0 < one.low_ms <= one.latency_ms <= one.high_ms
        assert one.peak_bytes > one.model_bytes > 0
    assert (out / "facts.csv").exists()
