"""A phone whose `benchmark_model` is a script that really runs the model, with LiteRT."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from vitprof.backends import BackendOptions, seeded_input
from vitprof.backends.agreement import TOLERANCE
from vitprof.backends.litert.android.backend import AndroidBackend
from vitprof.models import BertSpec, Block, create_block
from vitprof.tables import LatencyTable

# Takes the arguments that vitprof gives, and prints as benchmark_model does.
RUNS = """#!{python}
import sys, time
sys.path[:0] = {libraries!r}
import numpy as np
from ai_edge_litert.interpreter import Interpreter

given = dict(word[2:].split("=", 1) for word in sys.argv[1:])
model = Interpreter(model_path=given["graph"], num_threads=int(given["num_threads"]))
model.allocate_tensors()
(tensor,) = model.get_input_details()
name, _, path = given["input_layer_value_files"].replace("::", "\\0").partition(":")
assert name.replace("\\0", ":") == given["input_layer"] == tensor["name"]
shape = tuple(map(int, given["input_layer_shape"].split(",")))
assert shape == tuple(tensor["shape"])
values = np.frombuffer(open(path, "rb").read(), tensor["dtype"]).reshape(shape)
model.set_tensor(tensor["index"], values)
times = []
for _ in range(int(given["num_runs"])):
    started = time.perf_counter()
    model.invoke()
    times.append(1e6 * (time.perf_counter() - started))
if "output_filepath" in given:
    with open(given["output_filepath"], "wb") as file:
        for one in model.get_output_details():
            file.write(model.get_tensor(one["index"]).tobytes())
print(f"count={{len(times)}} first={{times[0]:.0f}} curr={{times[-1]:.0f}} min={{min(times):.0f}} "
      f"max={{max(times):.0f}} avg={{np.mean(times):g}} std=0 median={{np.median(times):.0f}}")
print(f"Inference timings in us: Init: 1, First inference: {{times[0]:.0f}}, "
      f"Warmup (avg): 1, Inference (avg): {{np.mean(times):g}}")
"""
MLP = Block.of("mlp", embed=64, mlp=256, tokens=17)
WORDS = BertSpec.uniform(32, 2, 1, mlp=48, vocab=80, positions=16, tokens=12, classes=3).blocks()[0]


PLAN = (
    *("--model", "vit-micro-8", "--grid", "embed=16;attention.heads=1;mlp.mlp=32"),
    *("--whole-models", "1"),
)


def install(phone) -> None:
    libraries = [entry for entry in sys.path if entry]
    phone.install(RUNS.replace("{libraries!r}", repr(libraries)))


@pytest.mark.parametrize("dtype", ["fp32", "int8", "int8-static"])
@pytest.mark.parametrize("block", [MLP, WORDS], ids=lambda block: block.op)
def test_the_outputs_of_the_phone_are_the_modules(phone, block: Block, dtype: str) -> None:
    install(phone)
    torch.manual_seed(0)
    module, shape = create_block(block).eval(), (1, *block.input_shape)
    values = torch.from_numpy(seeded_input(shape, "int64" if block is WORDS else "fp32"))
    with torch.inference_mode():
        exact = module(values).numpy()
    backend, options = AndroidBackend("Pixel 8"), BackendOptions(provider="xnnpack", dtype=dtype)
    artifact = backend.build(module, shape, options)
    with backend.load(artifact, options) as executable:
        executable.run()
        assert executable.device_ms() > 0
        (output,) = executable.outputs()
    assert output.shape == exact.shape
    assert np.linalg.norm(output - exact) <= TOLERANCE[dtype] * np.linalg.norm(exact)
    backend._link.close()
    assert [Path(name).name for name in phone.files()] == ["benchmark_model"]


def vitprof(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A command as a user gives it, in a process of its own."""
    code = "from vitprof.cli.main import main; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)


@pytest.mark.long
def test_a_user_builds_here_and_measures_on_the_phone(phone, tmp_path: Path) -> None:
    bundle, table = tmp_path / "pixel8.zip", tmp_path / "pixel8.csv"
    built = vitprof("build", "--device", "pixel8", *PLAN, "--out", bundle)
    assert built.returncode == 0, built.stderr
    missing = vitprof("measure", "--bundle", bundle, "--sessions", 1, "--out", table)
    assert missing.returncode == 2
    assert "benchmark_model is not on the phone" in missing.stderr
    assert not table.exists()

    install(phone)
    measured = vitprof("measure", "--bundle", bundle, "--sessions", 2, "--out", table)
    assert measured.returncode in (0, 1), measured.stderr
    found = LatencyTable.read_csv(table)
    assert not [row.error for row in found.rows if row.verdict == "failed"]
    assert len(found.model_rows) == 1
    assert found.setting.device == "pixel8"
    said = json.dumps(dict(found.environment))
    assert "Pixel 8" in said
    assert "arm64-v8a" in said
    assert [Path(name).name for name in phone.files()] == ["benchmark_model"]


def test_a_phone_that_is_full_leaves_failed_rows_in_adbs_words(phone, tmp_path: Path) -> None:
    install(phone)
    table = tmp_path / "android.csv"
    phone.becomes(full=True)
    measured = vitprof("measure", "--device", "android", *PLAN, "--sessions", 1, "--out", table)
    assert "No space left on device" in measured.stderr + table.read_text()
    assert "Traceback" not in measured.stderr
