from pathlib import Path

import pytest
from vitprof.backends.machine.nvidia_gpus import NvidiaGpu, nvidia_driver, nvidia_gpus


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a program called nvidia-smi first on the path; it runs the given shell lines."""

    def install(script: str) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return install


def test_no_program_means_no_driver(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert nvidia_gpus() is None


def test_a_driver_that_does_not_answer_means_no_driver(nvidia_smi) -> None:
    nvidia_smi("echo 'NVIDIA-SMI has failed because it could not reach the driver'; exit 9")
    assert nvidia_gpus() is None


def test_each_gpu_has_its_name_and_capability(nvidia_smi) -> None:
    nvidia_smi("echo 'Tesla T4, 7.5'; echo 'NVIDIA A100-SXM4-40GB, 8.0'")
    assert nvidia_gpus() == [
        NvidiaGpu("Tesla T4", "7.5"),
        NvidiaGpu("NVIDIA A100-SXM4-40GB", "8.0"),
    ]


def test_an_old_driver_tells_names_only(nvidia_smi) -> None:
    nvidia_smi("case $1 in *compute_cap*) exit 2;; *) echo 'Tesla V100-SXM2-16GB';; esac")
    assert nvidia_gpus() == [NvidiaGpu("Tesla V100-SXM2-16GB", None)]


def test_a_capability_that_is_not_available_is_unknown(nvidia_smi) -> None:
    nvidia_smi("echo 'Orin (nvgpu), [N/A]'")
    assert nvidia_gpus() == [NvidiaGpu("Orin (nvgpu)", None)]


def test_a_program_that_cannot_be_run_means_no_driver(nvidia_smi, tmp_path) -> None:
    nvidia_smi("")
    (tmp_path / "nvidia-smi").write_bytes(b"\x7fELF this is not a program")
    assert nvidia_gpus() is None


def test_the_driver_has_its_version(nvidia_smi) -> None:
    nvidia_smi("case $1 in *driver_version*) echo 550.54.15; echo 550.54.15;; *) exit 2;; esac")
    assert nvidia_driver() == "550.54.15"
    nvidia_smi("exit 9")
    assert nvidia_driver() is None
    nvidia_smi("echo '[N/A]'")
    assert nvidia_driver() is None
