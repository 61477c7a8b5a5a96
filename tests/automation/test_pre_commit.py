"""The pre-commit hook, by pre-commit itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import vitprof
from vitprof.models import create_spec
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting

HOOKS = Path(vitprof.__file__).parent / ".pre-commit-hooks.yaml"
MS = create_spec("deit-tiny").macs / 1e8


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    done = subprocess.run(
        ["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def committed(folder: Path) -> str:
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "all")
    return git(folder, "rev-parse", "HEAD")


def test_the_file_is_what_pre_commit_takes() -> None:
    clientlib = pytest.importorskip("pre_commit.clientlib")
    (hook,) = clientlib.load_manifest(HOOKS)
    assert (hook["id"], hook["entry"], hook["pass_filenames"]) == (
        "vitprof-gate",
        "vitprof gate",
        False,
    )


@pytest.mark.slow
def test_a_commit_that_breaks_a_budget_is_refused(tmp_path: Path) -> None:
    """`language: system` runs this vitprof, and not one that pre-commit installs."""
    pytest.importorskip("pre_commit")
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    hooks, project = tmp_path / "hooks", tmp_path / "project"
    hooks.mkdir()
    project.mkdir()
    shutil.copy(HOOKS, hooks)
    revision = committed(hooks)
    rows = [
        Row(block, latency_ms=ms, low_ms=0.95 * ms, high_ms=1.05 * ms)
        for block in ViTSlabs().blocks()
        for ms in [block.macs / 1e8]
    ]
    setting = Setting("cpu", "onnxruntime", "CPUExecutionProvider")
    LatencyTable(rows, setting).to_csv(project / "lut.csv")
    (project / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: {hooks}\n  rev: {revision}\n  hooks:\n"
        "  - id: vitprof-gate\n    language: system\n"
    )
    programs = tmp_path / "programs"
    programs.mkdir()
    program = programs / "vitprof"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vitprof "$@"\n')
    program.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(tmp_path / "home"),
    }
    for share, code in ((1.2, 0), (0.8, 1)):
        (project / "gate.toml").write_text(
            'table = "lut.csv"\n[[budget]]\nmodel = "deit-tiny"\n'
            f'max_latency = "{share * MS:.6f}ms"\n'
        )
        if share == 1.2:
            committed(project)
        git(project, "add", ".")
        said = subprocess.run(
            [sys.executable, "-m", "pre_commit", "run", "--all-files"],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.returncode == code, said.stdout + said.stderr
        assert ("over the limit" in said.stdout) == (code == 1)
