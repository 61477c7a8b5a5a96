"""One session on an NVIDIA GPU through PyTorch: launched on a stream, timed by events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ...closing import Closing
from ..protocol import BackendError, BackendOptions
from ..pytorch.program import TorchProgram
from ..pytorch.session import tensors_of

if TYPE_CHECKING:
    import numpy as np
    import torch

# Before a graph is recorded PyTorch wants some runs on another stream; compiling happens in the
# first of them.
_RUNS_BEFORE_USE = 3
# About 0.1 ms of a GPU's clock: longer than the CPU takes to launch a graph.
CYCLES_AHEAD = 200_000


class CudaExecutable(Closing):
    """A program on the first GPU, its input filled; it lives from construction to `close()`.

    A run ends when the GPU has ended, and `device_ms()` is what passed between two events around
    it. With the launch mode "cuda_graph" the kernels are replayed as recorded once, so the time
    holds no launch overhead; with the cache "cold" the L2 cache is written over before each run.
    """

    def __init__(self, program: TorchProgram, options: BackendOptions) -> None:
        import torch

        self._torch = torch
        self._module: Any = None
        self._graph: Any = None
        self._output: Any = None
        self._flushed: Any = None
        try:
            self._stream = torch.cuda.Stream()
            self._started, self._ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            module = program.module("cuda")
            make_sparse(module, program)
            self._input: Any = program.input("cuda")
            compiled = options.provider == "compile"
            self._module = torch.compile(module, dynamic=False) if compiled else module
            torch.cuda.synchronize()  # the copies above ran on another stream
            for _ in range(_RUNS_BEFORE_USE):
                self.run()
            if options.cache == "cold":
                l2_bytes = torch.cuda.get_device_properties(0).L2_cache_size
                self._flushed = torch.empty(2 * l2_bytes, dtype=torch.uint8, device="cuda")
            if options.graph == "cuda_graph":
                self._record_graph()
                self.run()
        except BackendError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise BackendError.because("loading the model onto the GPU", error) from error

    def run(self) -> None:
        """Run once and wait for the end. Raises BackendError."""
        if self._module is None:
            raise _closed()
        torch = self._torch
        try:
            with (
                torch.inference_mode(),
                convolutions_as_products(),
                torch.cuda.stream(self._stream),
            ):
                prepare_for_run(self._stream, self._flushed, graph=self._graph is not None)
                self._started.record(self._stream)
                if self._graph is not None:
                    self._graph.replay()
                else:
                    self._output = self._module(self._input)
                self._ended.record(self._stream)
            self._ended.synchronize()
        except Exception as error:
            raise BackendError.because("running the model on the GPU", error) from error

    def device_ms(self) -> float:
        """Return what the last `run()` took between its two events, in ms."""
        if self._module is None:
            raise _closed()
        return float(self._started.elapsed_time(self._ended))

    def outputs(self) -> list[np.ndarray]:
        """Return copies of the last outputs, as float32."""
        if self._module is None:
            raise _closed()
        return [tensor.float().cpu().numpy() for tensor in tensors_of(self._output)]

    def close(self) -> None:
        self._graph = None
        self._module = None
        self._input = None
        self._output = None
        self._flushed = None

    def _record_graph(self) -> None:
        torch = self._torch
        graph = torch.cuda.CUDAGraph()
        with (
            torch.inference_mode(),
            convolutions_as_products(),
            torch.cuda.graph(graph, stream=self._stream),
        ):
            self._output = self._module(self._input)
        self._graph = graph


def prepare_for_run(
    stream: torch.cuda.Stream, flushed: torch.Tensor | None, *, graph: bool
) -> None:
    """Queue what comes before the first event, so that both modes time what they say.

    `flushed` is written over from end to end, after which the L2 cache holds nothing of the model;
    None for a warm cache. With a graph the GPU is kept busy until the graph is launched: on an idle
    one the first event would pass before that, and the launch be timed. Without a graph launches
    belong to the time, so the flush must have ended: it would hide them.
    """
    import torch

    if flushed is not None:
        flushed.zero_()
    if graph:
        torch.cuda._sleep(CYCLES_AHEAD)
    elif flushed is not None:
        stream.synchronize()


@contextmanager
def convolutions_as_products() -> Iterator[None]:
    """Let cuDNN compute fp32 in TF32 only if matrix products do so; PyTorch's default differs."""
    from torch.backends import cuda, cudnn

    before, wanted = cudnn.allow_tf32, cuda.matmul.allow_tf32
    if before == wanted:
        yield
        return
    cudnn.allow_tf32 = wanted
    try:
        yield
    finally:
        cudnn.allow_tf32 = before


def make_sparse(module: torch.nn.Module, program: TorchProgram) -> None:
    """Replace the weights that are 2:4 by torch's semi-structured ones; on the GPU only."""
    if not program.sparse:
        return
    import torch
    from torch.sparse import SparseSemiStructuredTensor, to_sparse_semi_structured

    SparseSemiStructuredTensor._FORCE_CUTLASS = program.library == "cutlass"
    for name in program.sparse:
        owner, _, attribute = name.rpartition(".")
        weight = module.get_parameter(name)
        sparse = to_sparse_semi_structured(weight.detach())
        setattr(
            module.get_submodule(owner), attribute, torch.nn.Parameter(sparse, requires_grad=False)
        )


def _closed() -> BackendError:
    return BackendError("this executable is closed; load the artifact again.")
