"""One loaded engine on its GPU: bound to its buffers, launched on a stream, timed by events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...closing import Closing
from ..cuda.session import prepare_for_run
from ..protocol import BackendError, BackendOptions
from ..random_input import seeded_input
from .library import TensorRtLibrary
from .sparsity import choices_of_inspector

if TYPE_CHECKING:
    import numpy as np

# TensorRT's names of the types an engine of ours has at its ends.
_DTYPES = {"FLOAT": "fp32", "HALF": "fp16", "INT64": "int64"}


class TensorRtExecutable(Closing):
    """An engine with its input filled; the session lives from construction to `close()`.

    The first run is done while loading: TensorRT-RTX compiles its kernels for the GPU then. A run
    ends when the GPU has ended, and `device_ms()` is what passed between two events around it.
    """

    def __init__(self, engine: bytes, library: TensorRtLibrary, options: BackendOptions) -> None:
        import torch

        self._torch = torch
        self._library = library
        self._runtime: Any = None
        self._engine: Any = None
        self._context: Any = None
        self._graph: Any = None
        self._buffers: dict[str, Any] = {}
        self._outputs: list[str] = []
        self._flushed: Any = None
        try:
            self._stream = torch.cuda.Stream()
            self._started, self._ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            self._deserialize(engine)
            self._bind()
            self.run()
            if options.cache == "cold":
                l2_bytes = torch.cuda.get_device_properties(self._stream.device).L2_cache_size
                self._flushed = torch.empty(2 * l2_bytes, dtype=torch.uint8, device="cuda")
            if options.graph == "cuda_graph":
                self._record_graph()
        except BackendError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise BackendError.because("loading the TensorRT engine", error) from error

    def run(self) -> None:
        """Run once and wait for the end. Raises BackendError."""
        if self._context is None:
            raise _closed()
        try:
            with self._torch.cuda.stream(self._stream):
                prepare_for_run(self._stream, self._flushed, graph=self._graph is not None)
                self._started.record(self._stream)
                if self._graph is not None:
                    self._graph.replay()
                else:
                    self._enqueue()
                self._ended.record(self._stream)
            self._ended.synchronize()
        except BackendError:
            raise
        except Exception as error:
            raise BackendError.because("running the TensorRT engine", error) from error

    def device_ms(self) -> float:
        """Return what the last `run()` took between its two events, in ms."""
        if self._context is None:
            raise _closed()
        return float(self._started.elapsed_time(self._ended))

    def outputs(self) -> list[np.ndarray]:
        """Return copies of the last outputs, in the engine's order."""
        if self._context is None:
            raise _closed()
        return [self._buffers[name].cpu().numpy() for name in self._outputs]

    def sparse_layers(self) -> dict[str, bool]:
        """Return by layer whether a sparse kernel runs it; silent about the others."""
        if self._context is None:
            raise _closed()
        inspector = self._engine.create_engine_inspector()
        inspector.execution_context = self._context
        json_format = self._library.trt.LayerInformationFormat.JSON
        return choices_of_inspector(inspector.get_engine_information(json_format))

    def close(self) -> None:
        # In this order: each uses the next.
        self._graph = None
        self._context = None
        self._engine = None
        self._runtime = None
        self._buffers = {}
        self._flushed = None

    def _deserialize(self, engine: bytes) -> None:
        logger = self._library.logger
        logger.forget()
        self._runtime = self._library.trt.Runtime(logger)
        self._engine = self._runtime.deserialize_cuda_engine(engine)
        if self._engine is not None:
            self._context = self._engine.create_execution_context()
        if self._context is None:
            raise BackendError(f"loading the TensorRT engine failed: {logger.words()}")

    def _bind(self) -> None:
        """Allocate every input and output on the GPU, fill the inputs, and bind them all."""
        torch, trt = self._torch, self._library.trt
        for n in range(self._engine.num_io_tensors):
            name = self._engine.get_tensor_name(n)
            shape = tuple(self._engine.get_tensor_shape(name))
            kind = self._engine.get_tensor_dtype(name).name
            if kind not in _DTYPES or any(size < 0 for size in shape):
                raise BackendError(
                    f"tensor '{name}' of the engine is {kind} of shape {shape}; only "
                    f"{' and '.join(_DTYPES)} of one fixed shape can be measured."
                )
            values = torch.from_numpy(seeded_input(shape, _DTYPES[kind]))
            if self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT:
                self._buffers[name] = values.cuda()
            else:
                self._buffers[name] = torch.empty(shape, dtype=values.dtype, device="cuda")
                self._outputs.append(name)
            self._context.set_tensor_address(name, self._buffers[name].data_ptr())
        # The copies above ran on another stream than the engine will.
        torch.cuda.synchronize()

    def _enqueue(self) -> None:
        if not self._context.execute_async_v3(self._stream.cuda_stream):
            words = self._library.logger.words()
            raise BackendError(f"running the TensorRT engine failed: {words}")

    def _record_graph(self) -> None:
        stream = self._stream.cuda_stream
        if (reason := self._library.why_not_capturable(self._context, stream)) is not None:
            raise BackendError(f"recording the CUDA graph failed: {reason}")
        graph = self._torch.cuda.CUDAGraph()
        with self._torch.cuda.graph(graph, stream=self._stream):
            self._enqueue()
        self._graph = graph
        self.run()


def _closed() -> BackendError:
    return BackendError("this executable is closed; load the artifact again.")
