"""Asking a table needs no torch and no runtime; a command that needs more names its extra."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from vitprof.extras import EXTRAS
from vitprof.models import create_spec
from vitprof.tables import LatencyTable, Row, Setting

ROOT = Path(__file__).parents[1]
# What `pip install vitprof` does not bring; Pillow comes with matplotlib.
ABSENT = sorted({*EXTRAS} - {"PIL"})
# Runs a command where these libraries cannot be found.
WITHOUT = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from vitprof.cli.main import main
main(sys.argv[1:])
"""


def vitprof_alone(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def lut(tmp_path: Path, row_of: Callable[..., Row], setting: Setting) -> Path:
    """The blocks of three models at 1 ms per 100 MMACs."""
    specs = [create_spec(name) for name in ("deit-tiny", "deit-small", "deit-base")]
    blocks = dict.fromkeys(block for spec in specs for block in spec.blocks())
    table = LatencyTable([row_of(block, block.macs / 1e8) for block in blocks], setting)
    table.to_csv(tmp_path / "lut.csv")
    return tmp_path / "lut.csv"


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "--model", "deit-small"),
        ("compare", "--model", "deit-tiny", "--model", "deit-base"),
    ],
)
def test_asking_needs_no_extra(lut: Path, arguments: tuple[str, ...]) -> None:
    done = vitprof_alone(*arguments, "--table", lut, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


def test_pictures_frames_and_table_info_need_no_extra(lut: Path, tmp_path: Path) -> None:
    picture = tmp_path / "compare.png"
    done = vitprof_alone(
        "compare", "--table", lut, "--model", "deit-tiny", "--model", "deit-base", "--plot", picture
    )
    assert done.returncode == 0, done.stderr
    assert picture.stat().st_size > 1000
    assert vitprof_alone("table", "info", lut).returncode == 0


def test_a_command_that_lacks_its_extra_says_which(tmp_path: Path) -> None:
    done = vitprof_alone("measure", "--model", "vit-micro-8", "--out", tmp_path / "lut.csv")
    assert done.returncode == 2
    (sentence,) = done.stderr.splitlines()
    assert "pip install 'vitprof[measure]'" in sentence
    assert not (tmp_path / "lut.csv").exists()


def test_a_verb_that_lacks_its_extra_says_which() -> None:
    code = WITHOUT.partition("from vitprof")[0] + (
        "import vitprof\n"
        "try:\n    vitprof.create_model('vit-micro-8')\n"
        "except vitprof.UserError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'vitprof[measure]'" in done.stdout, done.stderr


def test_every_extra_has_a_library_that_tells_of_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {*EXTRAS.values()} == {*project["optional-dependencies"]} - {"test", "docs"}


def test_the_doctor_says_what_is_missing() -> None:
    """It is asked first where nothing is installed yet."""
    lacking = f"import sys; sys.modules.update(dict.fromkeys({ABSENT!r}))\n"
    lacking += "from vitprof.cli.main import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", lacking, "doctor", "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)
    runtimes = {one["backend"]: one for one in found["runtimes"]}
    for name in ("onnxruntime", "torch", "cuda", "openvino", "litert", "executorch"):
        assert runtimes[name]["why_not"], name
        assert runtimes[name]["why_no_build"], name
    assert {one["library"] for one in found["missing"]} >= {"torch", "onnxruntime"}
