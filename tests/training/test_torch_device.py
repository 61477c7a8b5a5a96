"""Which device a process trains on."""

from __future__ import annotations

import pytest
import torch
from vitprof.errors import UserError
from vitprof.training.torch_device import find_torch_device


@pytest.fixture
def two_gpus(monkeypatch) -> list[torch.device]:
    """Two GPUs, as far as a process asks; returns what was made the current one."""
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch, "empty", lambda *_, **__: None)
    return chosen


def started(monkeypatch, local: int, count: int = 2) -> None:
    for name, value in (("RANK", local), ("LOCAL_RANK", local), ("WORLD_SIZE", count)):
        monkeypatch.setenv(name, str(value))


@pytest.mark.parametrize("name", ["auto", "cuda"])
@pytest.mark.parametrize("local", [0, 1])
def test_every_process_of_torchrun_has_a_gpu_of_its_own(two_gpus, monkeypatch, name, local) -> None:
    started(monkeypatch, local)
    assert find_torch_device(name) == torch.device("cuda", local)
    assert two_gpus == [torch.device("cuda", local)]


def test_the_rank_on_the_machine_counts_not_the_rank(two_gpus, monkeypatch) -> None:
    started(monkeypatch, 1, count=4)
    monkeypatch.setenv("RANK", "3")
    assert find_torch_device() == torch.device("cuda:1")


def test_more_processes_than_gpus(two_gpus, monkeypatch) -> None:
    started(monkeypatch, 2, count=3)
    with pytest.raises(UserError, match="more processes on this machine than its 2 GPUs"):
        find_torch_device()


def test_one_gpu_for_several_processes(two_gpus, monkeypatch) -> None:
    started(monkeypatch, 1)
    with pytest.raises(UserError, match="`train_device` cuda:0 is one GPU"):
        find_torch_device("cuda:0")


def test_alone_a_gpu_may_be_named(two_gpus) -> None:
    assert find_torch_device("cuda:1") == torch.device("cuda:1")
    assert find_torch_device("cuda") == torch.device("cuda")


def test_processes_on_a_cpu(monkeypatch) -> None:
    started(monkeypatch, 1)
    assert find_torch_device("cpu") == torch.device("cpu")
