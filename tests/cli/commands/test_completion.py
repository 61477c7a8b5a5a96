"""`vitprof completion`: what it prints makes a real shell complete."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def completed(run, monkeypatch, *words: str) -> list[str]:
    """Return what is offered for the last of the words."""
    monkeypatch.setenv("_VITPROF_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(["vitprof", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    return run(*words).out.splitlines()


def test_commands_options_and_models_are_completed(run, monkeypatch) -> None:
    assert completed(run, monkeypatch, "pre") == ["plain,predict"]
    assert "plain,--max-latency" in completed(run, monkeypatch, "predict", "--max")
    small = ["plain,deit-small", "plain,deit-small-distilled"]
    assert completed(run, monkeypatch, "predict", "lut.csv", "deit-s") == small
    assert completed(run, monkeypatch, "bench", "--model", "deit-s") == small
    timm = completed(run, monkeypatch, "predict", "deit_small_p")
    assert "plain,deit_small_patch16_224" in timm
    assert completed(run, monkeypatch, "predict", "./mod") == ["file,./mod"]


def test_commands_are_completed_without_importing_them() -> None:
    code = (
        "import sys\nfrom vitprof.cli.main import main\n"
        "try: main(['pr'])\nexcept SystemExit: pass\n"
        "assert 'vitprof.cli.commands.prune' not in sys.modules"
    )
    words = {"_VITPROF_COMPLETE": "bash_complete", "COMP_WORDS": "vitprof pr", "COMP_CWORD": "1"}
    found = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **words},
    )
    assert found.stdout.split() == ["plain,predict", "plain,prune", "plain,prune-heads"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_understands_what_is_printed(run, tmp_path, shell) -> None:
    answer = run("completion", shell)
    assert answer.code == 0
    assert "_VITPROF_COMPLETE" in answer.out
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = tmp_path / "script"
    script.write_text(answer.out)
    subprocess.run([shell, "-n", script], check=True)


def test_bash_completes_by_it(run, tmp_path) -> None:
    script = tmp_path / "script"
    script.write_text(run("completion", "bash").out)
    command = Path(sys.executable).with_name("vitprof")
    asks = (
        f"source {script}; COMP_WORDS=({command} dev); COMP_CWORD=1; "
        f'_vitprof_completion {command}; echo "${{COMPREPLY[@]}}"'
    )
    found = subprocess.run(["bash", "-c", asks], check=True, capture_output=True, text=True)
    assert found.stdout.split() == ["devices"]


def test_an_unknown_shell_is_one_sentence(run) -> None:
    answer = run("completion", "tcsh")
    assert (answer.code, answer.is_one_sentence) == (2, True)
