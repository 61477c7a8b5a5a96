"""Threads sleep while they wait, unless the user chose otherwise or the command measures."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from vitprof.cli.options.train import training_options
from vitprof.cli.options.waiting_threads import VARIABLES, let_waiting_threads_sleep

ASK = """
import os
from vitprof.cli.options.waiting_threads import let_waiting_threads_sleep
let_waiting_threads_sleep()
print(os.environ.get("OMP_WAIT_POLICY"))
import torch
"""


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def policy_of(**variables: str) -> tuple[str, str]:
    """Return the policy that a fresh process sets, and what OpenMP itself reports of it."""
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, "OMP_DISPLAY_ENV": "true", **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip(), done.stderr


def test_openmp_is_told_before_pytorch_is_loaded() -> None:
    policy, report = policy_of()
    assert policy == "PASSIVE"
    if "OMP_WAIT_POLICY" not in report:
        pytest.skip("this PyTorch has no OpenMP that reports its settings")
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in report


@pytest.mark.parametrize("name", VARIABLES)
def test_what_the_user_has_set_stays(name: str) -> None:
    value = "ACTIVE" if name == "OMP_WAIT_POLICY" else "7"
    assert policy_of(**{name: value})[0] == (value if name == "OMP_WAIT_POLICY" else "None")


def test_once_pytorch_is_loaded_nothing_is_set() -> None:
    import torch  # noqa: F401

    let_waiting_threads_sleep()
    assert "OMP_WAIT_POLICY" not in os.environ


@pytest.mark.parametrize("verify", [False, True])
def test_a_command_that_trains_sets_it_and_one_that_measures_does_not(
    monkeypatch: pytest.MonkeyPatch, verify: bool
) -> None:
    called: list[str] = []
    monkeypatch.setattr(
        "vitprof.cli.options.train.let_waiting_threads_sleep", lambda: called.append("set")
    )

    @click.command()
    @click.option("--verify", is_flag=True)
    @training_options()
    def command(**given: object) -> None:
        called.append("run")

    result = CliRunner().invoke(command, ["--verify"] if verify else [])
    assert result.exit_code == 0, result.output
    assert called == (["run"] if verify else ["set", "run"])
