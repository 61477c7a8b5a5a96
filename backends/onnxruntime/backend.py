"""ONNX Runtime: sessions that are fresh, quiet and bound to their inputs beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...closing import Closing
from ...errors import UserError, did_you_mean
from ..installed import installed, why_no_torch
from ..onnx.check import check_no_other_files, check_self_contained
from ..onnx.export import EXPORTED_DTYPES, OPSET, onnx_from_module
from ..protocol import BackendError, BackendOptions
from ..random_input import input_dtype, seeded_input, seeded_input_of
from ..trial import try_artifact
from .in_dtype import in_dtype
from .int8 import DYNAMIC, INT8_DTYPES, dynamic_int8, static_int8
from .prepared import as_it_is, is_prepared, prepared_model, unoptimised
from .session_options import CPU_PROVIDER, cores_of_workers, session_options

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch

# Where a provider wants its tensors, so that no copy between host and device is timed.
# Providers that are not listed work on host memory.
_MEMORY_OF_PROVIDER = {
    "CUDAExecutionProvider": "cuda",
    "TensorrtExecutionProvider": "cuda",
    "NvTensorRTRTXExecutionProvider": "cuda",
}

_DTYPE_OF_TENSOR = {
    "tensor(float)": "fp32",
    "tensor(float16)": "fp16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
}


class OnnxRuntimeBackend:
    """Builds ONNX models and runs them with ONNX Runtime, on the CPU by default."""

    name = "onnxruntime"
    default_provider = CPU_PROVIDER

    def unavailable(self) -> str | None:
        try:
            import onnxruntime  # noqa: F401
        except ImportError as error:
            return (
                f"ONNX Runtime cannot be imported here ({error}); "
                "install it: pip install 'vitprof[measure]'."
            )
        return None

    def unbuildable(self) -> str | None:
        return why_no_torch("building")

    def trouble(self) -> str | None:
        return None

    def check(self, options: BackendOptions) -> None:
        if reason := self.unavailable():
            raise UserError(reason)
        options.check_only("ONNX Runtime")
        if options.dtype not in (*EXPORTED_DTYPES, *INT8_DTYPES):
            raise UserError(
                f"ONNX Runtime is measured in {', '.join((*EXPORTED_DTYPES, *INT8_DTYPES))}, not "
                f"in {options.dtype}."
            )
        import onnxruntime

        present = onnxruntime.get_available_providers()
        if options.provider not in present:
            known = options.provider in onnxruntime.get_all_providers()
            meant = "" if known else did_you_mean(options.provider, present)
            raise UserError(
                f"this build of ONNX Runtime has no provider '{options.provider}'{meant}; it has "
                f"{', '.join(present)}, and for others another build has to be installed."
            )

    def build(
        self, module: torch.nn.Module, input_shape: tuple[int, ...], options: BackendOptions
    ) -> bytes:
        """Return the ONNX model of `module`; see `onnx_from_module`.

        In int8-static the ranges are those of the input that every point is measured on.
        """
        if options.dtype not in INT8_DTYPES:
            return onnx_from_module(module, input_shape, options.dtype)
        model = onnx_from_module(module, input_shape, fold=True)
        if options.dtype == DYNAMIC:
            return dynamic_int8(model)
        return static_int8(model, [seeded_input(input_shape, input_dtype(module, "fp32"))])

    def load(self, artifact: bytes, options: BackendOptions) -> OnnxRuntimeExecutable:
        """Return a fresh session of the ONNX model `artifact`, prepared or not, ready to run.

        Raises UserError for a provider this build of ONNX Runtime lacks, BackendError if it
        refuses the model, and for one whose weights are in another file.
        """
        self.check(options)
        if not is_prepared(artifact):  # made here, of an artifact that was checked
            check_no_other_files(artifact)
        return OnnxRuntimeExecutable(artifact, options)

    def load_file(self, path: Path, options: BackendOptions) -> OnnxRuntimeExecutable:
        """Return a fresh session of an ONNX file that was built here; the runtime reads it."""
        self.check(options)
        return OnnxRuntimeExecutable(str(path), options)

    def check_artifact(self, artifact: bytes) -> None:
        """Raise BackendError for an ONNX model that a stranger may have made to do harm.

        That is to open files, to run operators that are not ONNX's, and, tried in another process,
        to crash ONNX Runtime, take all memory or run without end.
        """
        check_self_contained(artifact)
        try_artifact("onnxruntime", artifact)

    def prepare(self, artifact: bytes, options: BackendOptions) -> bytes:
        """Return the graph as ONNX Runtime optimises it here; see `prepared_model`.

        Raises UserError and BackendError like `load`.
        """
        self.check(options)
        check_no_other_files(artifact)
        return prepared_model(artifact, options)

    def build_from_onnx(self, model: bytes, options: BackendOptions) -> bytes:
        """Return an ONNX model in the options' dtype; see `in_dtype`."""
        return in_dtype(model, options.dtype)

    def run_as_it_is(self, model: bytes) -> bytes:
        """Return the artifact of an ONNX model whose nodes are the runtime's own already."""
        return as_it_is(model)

    def environment(self, options: BackendOptions) -> dict[str, object]:
        """Return runtime versions and session settings; raises UserError like `load`.

        The version of torch is None where it is not installed: measuring a bundle needs none.
        """
        import onnxruntime

        self.check(options)
        return {
            "backend": self.name,
            "onnxruntime": onnxruntime.__version__,
            "torch": installed("torch"),
            "opset": OPSET,
            "provider": options.provider,
            "threads": options.threads,
            "inter_op_threads": 1,
            "execution": "sequential",
            "spinning": options.threads > 1,
            "optimization": options.optimization,
            "dtype": options.dtype,
            **({"pinned": True} if cores_of_workers(options.threads) else {}),
        }


class OnnxRuntimeExecutable(Closing):
    """One session of one ONNX model, with its input filled and its outputs allocated.

    The session lives from construction to `close()`. Through IO binding a call costs about 2 µs
    less than `InferenceSession.run` even for one small tensor, and copies no output.
    """

    def __init__(
        self, artifact: bytes | str, options: BackendOptions, profile_to: str | None = None
    ) -> None:
        """Open the session of a model, or of the file at a path.

        With `profile_to`, a path's beginning, the runtime's profiler is on.
        """
        self._prepared = isinstance(artifact, bytes) and is_prepared(artifact)
        self._session: Any = _create_session(artifact, options, profile_to)
        self._binding: Any = None
        self._bound: list[Any] = []
        try:
            self._bind(_MEMORY_OF_PROVIDER.get(options.provider, "cpu"))
        except BackendError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise BackendError.because("binding the inputs and outputs", error) from error

    def run(self) -> None:
        """Run the model once on its bound input. Raises BackendError."""
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:
            if self._session is None:
                raise _closed() from None
            raise BackendError.because("running the model", error) from error

    def outputs(self) -> list[np.ndarray]:
        """Return copies of what the last run computed, in the model's order."""
        if self._session is None:
            raise _closed()
        return self._binding.copy_outputs_to_cpu()

    @property
    def session_options(self) -> Any:
        """The options the runtime reports for this session (onnxruntime.SessionOptions)."""
        if self._session is None:
            raise _closed()
        return self._session.get_session_options()

    def end_profiling(self) -> str:
        """Write the profile of all runs so far and return its path; for `profile_to` only."""
        if self._session is None:
            raise _closed()
        return str(self._session.end_profiling())

    def close(self) -> None:
        self._session = None
        self._binding = None
        self._bound = []

    def _bind(self, memory: str) -> None:
        """Fill the inputs, allocate the outputs and bind both, all in `memory`."""
        from onnxruntime import OrtValue

        self._binding = self._session.io_binding()
        for node in self._session.get_inputs():
            # Allocated and aligned by the runtime: a numpy array of its own would
            # lie a little differently in every session.
            values = _input_of(node)
            value = OrtValue.ortvalue_from_shape_and_type(values.shape, values.dtype, memory)
            value.update_inplace(values)
            self._binding.bind_ortvalue_input(node.name, value)
            self._bound.append(value)
        nodes = self._session.get_outputs()
        shapes = [_known_shape(node) for node in nodes] if self._prepared else [None]
        if None in shapes:
            # What is known of a model from elsewhere need not be so; after a run it is.
            for node in nodes:
                self._binding.bind_output(node.name, memory)
            self.run()
            allocated = self._binding.get_outputs()
        else:
            allocated = [
                OrtValue.ortvalue_from_shape_and_type(*shape, memory) for shape in shapes if shape
            ]
        for node, value in zip(nodes, allocated, strict=True):
            self._binding.bind_ortvalue_output(node.name, value)
            self._bound.append(value)


def _closed() -> BackendError:
    return BackendError("this executable is closed; load the artifact again.")


def _input_of(node: Any) -> np.ndarray:
    """Return the seeded input for one input of a model, or raise BackendError if it has none."""
    if node.type not in _DTYPE_OF_TENSOR:
        raise BackendError(
            f"input '{node.name}' of the model is {node.type}; "
            f"only {', '.join(_DTYPE_OF_TENSOR)} can be filled."
        )
    if not all(isinstance(size, int) for size in node.shape):
        raise BackendError(
            f"input '{node.name}' of the model has the open shape {node.shape}; "
            "a point is measured at one fixed shape."
        )
    return seeded_input_of(node.name, tuple(node.shape), _DTYPE_OF_TENSOR[node.type])


def _known_shape(node: Any) -> tuple[list[int], np.dtype] | None:
    """Return shape and type of one output of a model, or None if they are known after a run."""
    import numpy as np

    kinds: dict[str, np.dtype] = {
        "tensor(float)": np.dtype(np.float32),
        "tensor(float16)": np.dtype(np.float16),
    }
    kind = kinds.get(node.type)
    if kind is None or not all(isinstance(size, int) for size in node.shape):
        return None
    return node.shape, kind


def _create_session(artifact: bytes | str, options: BackendOptions, profile_to: str | None) -> Any:
    import onnxruntime

    try:
        session = session_options(options)
        if isinstance(artifact, bytes) and is_prepared(artifact):
            session = unoptimised(session)
        if profile_to is not None:
            session.enable_profiling = True
            session.profile_file_prefix = profile_to
        return onnxruntime.InferenceSession(
            artifact,
            session,
            providers=[options.provider],
            # Without this the session prints to stdout and goes on with another provider.
            enable_fallback=False,
        )
    except Exception as error:
        raise BackendError.because("loading the model into ONNX Runtime", error) from error
