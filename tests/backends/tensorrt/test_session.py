"""What a session asks of TensorRT and of CUDA, and in which order: a script of calls, no GPU.

Whether a GPU does what it is asked only a GPU can tell; see docs/tensorrt.md.
"""

from __future__ import annotations

import contextlib
import enum
import types

import numpy as np
import pytest
import torch
from vitprof.backends import BackendError, BackendOptions, DeviceTimed, Executable, seeded_input
from vitprof.backends.tensorrt.library import TensorRtLibrary, tensorrt_library
from vitprof.backends.tensorrt.session import TensorRtExecutable

SHAPE = (1, 3, 4)


class Dtype(enum.Enum):
    HALF = 1
    FLOAT = 2
    INT64 = 3
    INT8 = 4


class Script:
    """Stands in for the driver: notes every call, and fails where it is told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.dtype = Dtype.HALF
        self.shape = SHAPE
        self.deserializes = True
        self.enqueues = True
        self.capturable = True
        self.errors = ["the plan is not for this device"]
        self.buffers: dict[str, int] = {}

    def note(self, call: str) -> None:
        self.calls.append(call)

    # what tensorrt_rtx offers
    def Runtime(self, _logger) -> Script:  # noqa: N802
        return self

    def deserialize_cuda_engine(self, _engine):
        return self if self.deserializes else None

    def create_execution_context(self):
        return self

    num_io_tensors = 2

    def get_tensor_name(self, n: int) -> str:
        return ("input", "output")[n]

    def get_tensor_shape(self, _name):
        return self.shape

    def get_tensor_dtype(self, _name):
        return self.dtype

    def get_tensor_mode(self, name: str) -> str:
        return {"input": "IN", "output": "OUT"}[name]

    def set_tensor_address(self, name: str, address: int) -> None:
        self.buffers[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        self.note(f"enqueue on {stream}")
        return self.enqueues

    def is_stream_capturable(self, _stream: int) -> bool:
        return self.capturable

    def create_engine_inspector(self):
        return self

    def get_engine_information(self, _format) -> str:
        return '{"Layers": [{"Name": "/fc/MatMul", "TacticName": "sm80_xmma_sparse_gemm_f16"}]}'

    # what the logger offers
    def forget(self) -> None:
        pass

    def words(self) -> str:
        return "; ".join(self.errors)


@pytest.fixture
def script(monkeypatch) -> Script:
    script = Script()

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing
            self.name = "start" if not hasattr(script, "events") else "end"
            script.events = True

        def record(self, stream) -> None:
            script.note(f"{self.name} on {stream.cuda_stream}")

        def synchronize(self) -> None:
            script.note("wait")

        def elapsed_time(self, end) -> float:
            assert (self.name, end.name) == ("start", "end")
            return 1.25

    class Graph:
        def replay(self) -> None:
            script.note("replay")

    @contextlib.contextmanager
    def capture(_graph, stream):
        script.note(f"capture on {stream.cuda_stream}")
        yield

    zero = torch.Tensor.zero_
    empty = torch.empty

    def noted_zero(tensor):
        script.note(f"flush {tensor.numel()}")
        return zero(tensor)

    def empty_here(*size, device=None, **options):
        assert device == "cuda"
        return empty(*size, **options)

    cuda = torch.cuda
    stream = types.SimpleNamespace(
        cuda_stream=7, device=0, synchronize=lambda: script.note("stream empty")
    )
    monkeypatch.setattr(cuda, "Stream", lambda: stream)
    monkeypatch.setattr(cuda, "Event", Event)
    monkeypatch.setattr(cuda, "stream", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(cuda, "synchronize", lambda: None)
    monkeypatch.setattr(cuda, "_sleep", lambda cycles: script.note(f"busy for {cycles}"))
    monkeypatch.setattr(cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(cuda, "graph", capture)
    properties = types.SimpleNamespace(L2_cache_size=1024)
    monkeypatch.setattr(cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(torch.Tensor, "cuda", lambda tensor: tensor)
    monkeypatch.setattr(torch.Tensor, "zero_", noted_zero)
    monkeypatch.setattr(torch, "empty", empty_here)
    return script


def session(script: Script, **given) -> TensorRtExecutable:
    trt = types.SimpleNamespace(
        Runtime=script.Runtime,
        TensorIOMode=types.SimpleNamespace(INPUT="IN"),
        LayerInformationFormat=types.SimpleNamespace(JSON="json"),
        __version__="0",
    )
    library = TensorRtLibrary("tensorrt_rtx", trt, script)
    return TensorRtExecutable(b"engine", library, BackendOptions(dtype="fp16", **given))


def test_a_run_is_enqueued_between_two_events_and_waited_for(script) -> None:
    with session(script) as executable:
        assert isinstance(executable, Executable)
        assert isinstance(executable, DeviceTimed)
        script.calls.clear()
        executable.run()
        assert script.calls == ["start on 7", "enqueue on 7", "end on 7", "wait"]
        assert executable.device_ms() == 1.25


def test_loading_runs_once_for_kernels_are_compiled_then(script) -> None:
    session(script)
    assert script.calls.count("enqueue on 7") == 1


def test_the_input_is_the_seeded_one_and_both_ends_are_bound(script) -> None:
    executable = session(script)
    held = executable._buffers
    assert {name: tensor.data_ptr() for name, tensor in held.items()} == script.buffers
    np.testing.assert_array_equal(held["input"].numpy(), seeded_input(SHAPE, "fp16"))
    (output,) = executable.outputs()
    assert (output.shape, output.dtype) == (SHAPE, np.float16)


def test_a_cold_cache_is_flushed_and_the_flush_over_before_the_first_event(script) -> None:
    executable = session(script, cache="cold")
    script.calls.clear()
    executable.run()
    assert script.calls == [
        "flush 2048",
        "stream empty",
        "start on 7",
        "enqueue on 7",
        "end on 7",
        "wait",
    ]


def test_a_graph_is_recorded_after_a_plain_run_and_then_replayed(script) -> None:
    executable = session(script, graph="cuda_graph")
    captured = script.calls.index("capture on 7")
    assert "enqueue on 7" in script.calls[:captured]
    script.calls.clear()
    executable.run()
    # On an idle GPU the first event would pass before the graph is launched.
    assert script.calls == ["busy for 200000", "start on 7", "replay", "end on 7", "wait"]


def test_before_a_graph_the_flush_needs_no_waiting_for(script) -> None:
    executable = session(script, graph="cuda_graph", cache="cold")
    script.calls.clear()
    executable.run()
    assert script.calls[:3] == ["flush 2048", "busy for 200000", "start on 7"]


def test_an_engine_that_cannot_be_recorded_says_so(script) -> None:
    script.capturable = False
    with pytest.raises(BackendError, match=r"^recording the CUDA graph failed: .*cannot be"):
        session(script, graph="cuda_graph")
    session(script)  # without a graph it does not matter


def test_a_refused_engine_is_a_backend_error_with_the_runtimes_words(script) -> None:
    script.deserializes = False
    with pytest.raises(BackendError, match="engine failed: the plan is not for this device"):
        session(script)


def test_a_launch_that_fails_is_a_backend_error_with_the_runtimes_words(script) -> None:
    executable = session(script)
    script.enqueues = False
    with pytest.raises(BackendError, match=r"^running the TensorRT engine failed: the plan is not"):
        executable.run()


@pytest.mark.parametrize(
    ("dtype", "shape", "words"),
    [(Dtype.INT8, SHAPE, "'input' of the engine is INT8"), (Dtype.HALF, (-1, 4), r"\(-1, 4\)")],
)
def test_ends_that_cannot_be_filled_are_a_backend_error(script, dtype, shape, words) -> None:
    script.dtype, script.shape = dtype, shape
    with pytest.raises(BackendError, match=words):
        session(script)


def test_the_inspector_says_which_layers_run_sparse(script) -> None:
    assert session(script).sparse_layers() == {"/fc/MatMul": True}


def test_a_closed_executable_says_so_and_holds_nothing(script) -> None:
    executable = session(script, cache="cold", graph="cuda_graph")
    executable.close()
    executable.close()
    for use in (executable.run, executable.outputs, executable.device_ms, executable.sparse_layers):
        with pytest.raises(BackendError, match="closed"):
            use()
    assert not executable._buffers
    assert executable._flushed is None


def test_the_real_library_has_what_the_script_plays() -> None:
    trt = tensorrt_library("tensorrt_rtx").trt
    for owner, names in {
        trt.Runtime: ("deserialize_cuda_engine",),
        trt.ICudaEngine: (
            "create_execution_context",
            "create_engine_inspector",
            "num_io_tensors",
            "get_tensor_name",
            "get_tensor_shape",
            "get_tensor_dtype",
            "get_tensor_mode",
        ),
        trt.IExecutionContext: ("set_tensor_address", "execute_async_v3", "is_stream_capturable"),
        trt.EngineInspector: ("execution_context", "get_engine_information"),
        trt.LayerInformationFormat: ("JSON",),
        trt.TensorIOMode: ("INPUT",),
    }.items():
        for name in names:
            assert hasattr(owner, name), f"{owner.__name__}.{name}"
    # An engine may hold code for the CPU; a bundle's must not run.
    library = tensorrt_library("tensorrt_rtx")
    assert trt.Runtime(library.logger).engine_host_code_allowed is False
    assert (trt.DataType.HALF.name, trt.DataType.FLOAT.name) == ("HALF", "FLOAT")
