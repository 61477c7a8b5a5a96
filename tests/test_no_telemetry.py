"""Libraries that would send something do not: each is asked in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from vitprof.no_telemetry import OFF

# What names a CI to the libraries, which send nothing there; and what this process has set.
UNSET = ("CI", "TF_BUILD", "JENKINS_URL", "GITHUB_ACTIONS", "DO_NOT_TRACK", *OFF)


def left_by(program: str, folder: Path, **environment: str) -> list[str]:
    """Return what a program leaves in its temporary folder and its home."""
    home, temporary = folder / "home", folder / "tmp"
    home.mkdir()
    temporary.mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    kept |= {"HOME": str(home), "TMPDIR": str(temporary), **environment}
    subprocess.run([sys.executable, "-c", program], env=kept, check=True, timeout=240)
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())


@pytest.mark.slow
def test_onnx_runtime_makes_no_session_of_its_telemetry(tmp_path: Path) -> None:
    """Its uploader leaves a file .ses in the temporary folder as soon as it is imported."""
    assert left_by("import vitprof, onnxruntime", tmp_path) == []


@pytest.mark.slow
def test_a_variable_that_is_set_stays(tmp_path: Path) -> None:
    program = "import os, vitprof; assert os.environ['ORT_DISABLE_TELEMETRY'] == '0'"
    left_by(program, tmp_path, ORT_DISABLE_TELEMETRY="0")


@pytest.mark.slow
def test_openvino_and_nncf_find_nothing_to_send_with(tmp_path: Path) -> None:
    """With it, NNCF leaves an identifier of this user in ~/intel."""
    pytest.importorskip("nncf")
    program = """
import vitprof.backends.openvino.backend
import numpy, openvino, nncf
from openvino import opset13 as ops
given = ops.parameter([1, 8], numpy.float32)
weights = ops.constant(numpy.ones((8, 8), numpy.float32))
model = openvino.Model([ops.matmul(given, weights, False, False)], [given])
nncf.quantize(model, nncf.Dataset([numpy.ones((1, 8), numpy.float32)]))
import sys
assert sys.modules["openvino_telemetry"] is None
"""
    assert not [path for path in left_by(program, tmp_path) if "intel" in path]
