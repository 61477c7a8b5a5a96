"""What a session asks of CUDA, and in which order: a script of calls, no GPU."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Iterator

import pytest
import torch
from torch import nn
from vitprof.backends import BackendError, BackendOptions
from vitprof.backends.cuda.session import CudaExecutable, convolutions_as_products


class Noted(nn.Module):
    def __init__(self, calls: list[str]) -> None:
        super().__init__()
        self.calls = calls

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tf32 = torch.backends.cudnn.allow_tf32
        self.calls.append(f"launch, convolutions {'in tf32' if tf32 else 'exact'}")
        return x + 1


class Program:
    """Stands in for a TorchProgram, whose tensors would move to the GPU."""

    sparse = ()

    def __init__(self, calls: list[str]) -> None:
        self.calls = calls

    def module(self, device: str) -> nn.Module:
        assert device == "cuda"
        return Noted(self.calls)

    def input(self, device: str) -> torch.Tensor:
        assert device == "cuda"
        return torch.zeros(2)


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    noted: list[str] = []
    names = iter(("start", "end"))

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            self.name = next(names)

        def record(self, _stream) -> None:
            noted.append(self.name)

        def synchronize(self) -> None:
            noted.append("wait")

        def elapsed_time(self, _end) -> float:
            return 0.5

    class Graph:
        def replay(self) -> None:
            noted.append("replay")

    @contextlib.contextmanager
    def capture(_graph, stream):
        noted.append("capture")
        yield

    empty, zero, cuda = torch.empty, torch.Tensor.zero_, torch.cuda
    stream = types.SimpleNamespace(synchronize=lambda: noted.append("stream empty"))

    def noted_zero(tensor):
        noted.append(f"flush {tensor.numel()}")
        return zero(tensor)

    def empty_here(*size, device, **options):
        assert device == "cuda"
        return empty(*size, **options)

    monkeypatch.setattr(cuda, "Stream", lambda: stream)
    monkeypatch.setattr(cuda, "Event", Event)
    monkeypatch.setattr(cuda, "stream", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(cuda, "synchronize", lambda: None)
    monkeypatch.setattr(cuda, "_sleep", lambda _: noted.append("busy"))
    monkeypatch.setattr(cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(cuda, "graph", capture)
    monkeypatch.setattr(
        cuda, "get_device_properties", lambda _: types.SimpleNamespace(L2_cache_size=1024)
    )
    monkeypatch.setattr(torch, "empty", empty_here)
    monkeypatch.setattr(torch.Tensor, "zero_", noted_zero)
    return noted


EXACT = "launch, convolutions exact"


@pytest.mark.parametrize(
    ("cache", "graph", "wanted"),
    [
        ("warm", "none", ["start", EXACT, "end", "wait"]),
        # The flush would hide how long launching takes.
        ("cold", "none", ["flush 2048", "stream empty", "start", EXACT, "end", "wait"]),
        # On an idle GPU the first event would pass before the graph is launched.
        ("warm", "cuda_graph", ["busy", "start", "replay", "end", "wait"]),
        ("cold", "cuda_graph", ["flush 2048", "busy", "start", "replay", "end", "wait"]),
    ],
)
def test_what_a_run_is(calls: list[str], cache: str, graph: str, wanted: list[str]) -> None:
    options = BackendOptions(provider="eager", cache=cache, graph=graph)
    with CudaExecutable(Program(calls), options) as executable:
        calls.clear()
        executable.run()
        assert calls == wanted
        assert executable.device_ms() == 0.5


def test_a_closed_session_says_so(calls: list[str]) -> None:
    executable = CudaExecutable(Program(calls), BackendOptions(provider="eager"))
    executable.close()
    for use in (executable.run, executable.outputs, executable.device_ms):
        with pytest.raises(BackendError, match="closed"):
            use()


@pytest.fixture(params=[False, True])
def products_in_tf32(request) -> Iterator[bool]:
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = request.param
    yield request.param
    torch.backends.cuda.matmul.allow_tf32 = before


def test_convolutions_are_as_exact_as_products_and_the_flag_comes_back(products_in_tf32) -> None:
    before = torch.backends.cudnn.allow_tf32
    with pytest.raises(ValueError, match="inside"), convolutions_as_products():
        assert torch.backends.cudnn.allow_tf32 == products_in_tf32
        raise ValueError("inside")
    assert torch.backends.cudnn.allow_tf32 == before
