"""The GitHub Action: its file by GitHub's own schema, and the script that it runs, run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import vitprof
import yaml
from vitprof.models import create_spec
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting

ROOT = Path(vitprof.__file__).parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
SCRIPT = ROOT / ".github" / "gate.sh"
TOOL = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]


def test_the_files_keep_githubs_schemas() -> None:
    pytest.importorskip("check_jsonschema")
    for schema, files in (
        ("vendor.github-actions", ["action.yml"]),
        ("vendor.github-workflows", [".github/workflows/ci.yml"]),
    ):
        asked = [*TOOL, schema, *(str(ROOT / file) for file in files)]
        said = subprocess.run(asked, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stdout + said.stderr


def test_every_input_reaches_the_script_by_its_environment() -> None:
    (step,) = [one for one in ACTION["runs"]["steps"] if one.get("id") == "gate"]
    given = {re.fullmatch(r"\$\{\{ inputs\.(\S+) \}\}", value) for value in step["env"].values()}
    names = {match[1] for match in given if match}
    elsewhere = {"extras", "python-version"}
    assert names | elsewhere == set(ACTION["inputs"])
    # Text of an input in a script would become part of the program.
    assert not any("${{" in one.get("run", "") for one in ACTION["runs"]["steps"])
    # A step of a composite action can use only what its own environment has.
    used = set(re.findall(r"\$\{?([A-Z_]+)", SCRIPT.read_text()))
    assert used - {"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} == set(step["env"])


def test_every_action_that_is_used_names_its_version() -> None:
    used = [one["uses"] for one in ACTION["runs"]["steps"] if "uses" in one]
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", one) for one in used)


@pytest.fixture
def lut(tmp_path: Path) -> Path:
    rows = [
        Row(block, latency_ms=ms, low_ms=0.95 * ms, high_ms=1.05 * ms)
        for block in ViTSlabs().blocks()
        for ms in [block.macs / 1e8]
    ]
    path = tmp_path / "lut.csv"
    LatencyTable(rows, Setting("cpu", "onnxruntime", "CPUExecutionProvider")).to_csv(path)
    return path


def ran(folder: Path, **inputs: str) -> tuple[int, str, str, str]:
    """Run the script with the action's defaults and these inputs: code, outputs, summary, said."""
    (step,) = [one for one in ACTION["runs"]["steps"] if one.get("id") == "gate"]
    environment = dict(os.environ)
    for name, value in step["env"].items():
        match = re.fullmatch(r"\$\{\{ inputs\.(\S+) \}\}", value)
        if match:
            environment[name] = inputs.pop(match[1], ACTION["inputs"][match[1]]["default"])
    assert not inputs, "no such input"
    output, summary = folder / "output", folder / "summary.md"
    output.write_text("")
    program = folder / "vitprof"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vitprof "$@"\n')
    program.chmod(0o755)
    environment |= {
        "VITPROF": str(program),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    said = subprocess.run(
        ["bash", str(SCRIPT)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    written = summary.read_text() if summary.exists() else ""
    return said.returncode, output.read_text(), written, said.stdout + said.stderr


MS = create_spec("deit-tiny").macs / 1e8


@pytest.mark.parametrize(
    ("limit", "too_noisy", "code", "verdict"),
    [
        (2 * MS, "fail", 0, "passed"),
        (0.5 * MS, "fail", 3, "failed"),
        (0.5 * MS, "warn", 3, "failed"),
        (MS, "fail", 4, "undecided"),
        (MS, "warn", 0, "undecided"),
    ],
)
def test_the_verdict_is_the_exit_code_and_an_output(
    lut: Path, limit: float, too_noisy: str, code: int, verdict: str
) -> None:
    asked = {"table": "lut.csv", "model": "deit-tiny\n", "max-latency": f"{limit}ms"}
    found, output, summary, said = ran(lut.parent, **asked, **{"too-noisy": too_noisy})
    assert found == code, said
    assert output == f"verdict={verdict}\n"
    assert summary.startswith("### vitprof gate")
    assert ("::warning::" in said) == (code == 0 and verdict == "undecided")
    assert (lut.parent / "vitprof-gate.xml").exists()


def test_several_models_are_a_line_each(lut: Path) -> None:
    asked = {"table": "lut.csv", "model": "deit-tiny\ndeit-small", "max-latency": "1s"}
    code, _, summary, said = ran(lut.parent, **asked, summary="true")
    assert code == 0, said
    assert "2 of 2 limits kept" in summary


def test_text_of_an_input_is_never_run(lut: Path) -> None:
    for hostile in ('$(touch owned)"; touch owned #', "--help", "`touch owned`"):
        asked = {"table": "lut.csv", "model": hostile, "max-latency": "1s", "summary": "false"}
        code, output, summary, said = ran(lut.parent, **asked)
        assert (code, output, summary) == (2, "verdict=error\n", ""), said
        assert not (lut.parent / "owned").exists()
