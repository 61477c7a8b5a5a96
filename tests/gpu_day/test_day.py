"""Each part survives the others: what fails, crashes, hangs or finds no time left is told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gpuday import day as day_module
from gpuday.day import main, run_all
from gpuday.findings import Findings
from gpuday.gpu import slug
from gpuday.outcome import Outcome
from gpuday.part import BUDGET_S, PARTS, Part
from gpuday.source_tree import ROOT, environment_of_children

MODULES = {
    "good": "def run(rig, findings):\n    findings.row('T', ('a',), (1,))\n",
    "failing": "def run(rig, findings):\n"
    "    findings.row('T', ('a',), (1,))\n    raise RuntimeError('no  such\\nkernel')\n",
    "hanging": "import subprocess, time\n"
    "def run(rig, findings):\n"
    "    findings.row('T', ('a',), (1,))\n"
    "    child = subprocess.Popen(['sleep', '600'])\n"
    "    def waits_for_the_gpu():\n"
    "        findings.fact('sleeper', child.pid)\n"
    "        time.sleep(600)\n"
    "    waits_for_the_gpu()\n",
    "killed": "import ctypes\n"
    "def run(rig, findings):\n"
    "    findings.row('T', ('a',), (1,))\n    ctypes.string_at(0)\n",
    "exiting": "import sys\ndef run(rig, findings):\n    print('driver: bad'); sys.exit(7)\n",
    "typo": "def run(rig, findings:\n",
}


@pytest.fixture
def parts(tmp_path: Path, monkeypatch) -> dict[str, Part]:
    package = tmp_path / "modules" / "scripted"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    for name, text in MODULES.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))
    return {name: Part(name, name.title(), 60, 1, "scripted") for name in MODULES}


def run(parts: list[Part], day: Path, budget_s: float = 300) -> dict[str, Outcome]:
    return run_all(parts, day, budget_s, "rehearse", lambda _: None)


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_parts_survive_one_that_fails_crashes_or_is_ended(parts, tmp_path) -> None:
    found = run([parts[n] for n in ("failing", "killed", "exiting", "typo", "good")], tmp_path)
    assert (found["failing"].state, found["failing"].why) == (
        "failed",
        "RuntimeError: no such kernel",
    )
    assert (found["killed"].state, found["killed"].why) == ("died", "it was ended by SIGSEGV")
    assert "string_at" in found["killed"].stack
    assert found["exiting"].why == "it ended with code 7: driver: bad"
    assert found["typo"].why.startswith("SyntaxError")
    assert found["good"] == Outcome("ok", "", found["good"].seconds)
    for name in ("failing", "killed", "good"):  # what was found by then is kept
        rows = Findings.read(parts[name].folder(tmp_path) / "findings.json").tables[0]["rows"]
        assert rows == [["1"]]


@pytest.fixture
def time_passes_once_it_hangs(tmp_path, monkeypatch) -> None:
    """Let a part's time be over as soon as the part `hanging` waits."""
    wait = subprocess.Popen.wait
    told = tmp_path / "parts" / "hanging" / "findings.json"

    def scripted(child, timeout=None):
        if child.args[4] != "scripted.hanging" or timeout != 60:
            return wait(child, timeout)
        while "sleeper" not in Findings.read(told).facts:
            time.sleep(0.01)
        raise subprocess.TimeoutExpired(child.args, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", scripted)


@pytest.mark.usefixtures("time_passes_once_it_hangs")
def test_a_part_that_hangs_is_stopped_with_all_it_started_and_says_where(parts, tmp_path) -> None:
    hanging = parts["hanging"]
    found = run([hanging, parts["good"]], tmp_path)
    assert found["hanging"].state == "out of time"
    assert found["hanging"].why == "it was stopped after 60 s"
    assert "waits_for_the_gpu" in found["hanging"].stack
    assert found["good"].state == "ok"
    pid = int(Findings.read(hanging.folder(tmp_path) / "findings.json").facts["sleeper"])
    assert not is_alive(pid)


def test_what_no_time_is_left_for_is_skipped_and_says_so(parts, tmp_path) -> None:
    late = Part("good", "Good", 60, 15, "scripted")
    assert run([late], tmp_path, budget_s=10)["good"] == Outcome(
        "skipped", "10 s of 10 s were left; it needs 15"
    )
    assert not late.folder(tmp_path).exists()


def test_a_second_call_runs_only_what_has_not_ended_well(parts, tmp_path) -> None:
    both = [parts["good"], parts["failing"]]
    first = run(both, tmp_path)
    package = tmp_path / "modules" / "scripted"
    (package / "good.py").write_text("def run(rig, findings):\n    raise RuntimeError\n")
    (package / "failing.py").write_text(MODULES["good"])
    second = run(both, tmp_path)
    assert second["good"] == first["good"]
    assert second["failing"].state == "ok"
    # An outcome that cannot be read counts for nothing.
    (parts["good"].folder(tmp_path) / "outcome.json").write_text('{"state": ')
    assert run(both, tmp_path)["good"].state == "failed"


def test_the_report_is_written_after_every_part(parts, tmp_path) -> None:
    seen: list[list[str]] = []
    both = [parts["good"], parts["failing"]]
    run_all(both, tmp_path, 300, "rehearse", lambda outcomes: seen.append(list(outcomes)))
    assert seen == [["good"], ["good", "failing"]]


def test_without_a_gpu_one_sentence_says_so_and_nothing_is_written(tmp_path) -> None:
    environment = {**os.environ, "PATH": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/gpu_day.py"), "--out", str(tmp_path / "o")],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if Path("/usr/local/nvidia/bin/nvidia-smi").exists():
        pytest.skip("this machine has a GPU's driver")
    assert done.returncode == 2
    assert done.stderr.startswith("gpu_day.py: no NVIDIA driver answers on this machine")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_with_a_gpu_the_report_has_its_name_and_the_exit_code_tells_of_failures(
    parts, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(day_module, "gpu_name", lambda: "NVIDIA H200")
    given = ["--folder", str(tmp_path / "day"), "--out", str(tmp_path / "out")]
    assert main([*given, "--parts", "good"], "", list(parts.values())) == 0
    text = (tmp_path / "out" / "nvidia-h200.md").read_text()
    assert text.startswith("# The first day on NVIDIA H200\n")
    assert "| Good | ok |" in text
    assert main([*given, "--parts", "good", "failing"], "", list(parts.values())) == 1
    assert "no such kernel" in (tmp_path / "out" / "nvidia-h200.md").read_text()


def test_a_gpus_name_as_that_of_a_file() -> None:
    assert slug("NVIDIA GeForce RTX 4090 (D)") == "nvidia-geforce-rtx-4090-d"


def test_the_days_parts_are_there_and_fit_ten_minutes() -> None:
    assert BUDGET_S < 600
    for part in PARTS:
        assert (ROOT / "benchmarks" / Path(*part.module.split("."))).with_suffix(".py").is_file()
        assert 0 < part.least <= part.seconds < BUDGET_S


def test_children_import_vitprof_from_the_source_tree_and_not_an_installed_one(tmp_path) -> None:
    for _ in range(2):  # a second call in the same folder finds its link
        environment = environment_of_children(tmp_path)
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import vitprof; print(vitprof.__file__)"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=True,
    )
    assert Path(done.stdout.strip()).parent == tmp_path / "source" / "vitprof"
    assert (tmp_path / "source" / "vitprof").resolve() == ROOT
    assert environment["PATH"].endswith(":/usr/local/nvidia/bin")


def test_what_runs_the_parts_needs_neither_torch_nor_vitprof() -> None:
    # What hangs or crashes inside them must not do so here.
    code = (
        "import sys; import gpuday.day; "
        "print([m for m in ('torch', 'numpy', 'vitprof') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "benchmarks")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert done.stdout.strip() == "[]"
