"""One compiled model of OpenVINO, with its inputs filled and set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...closing import Closing
from ..protocol import BackendError, BackendOptions
from ..random_input import seeded_input
from .compiling import STATIC, compiled, effective_dtype, new_core, read_back
from .signal_stack import kept_signal_stack

if TYPE_CHECKING:
    import numpy as np

# OpenVINO's types of inputs that can be filled, as `seeded_input` calls them.
_FILLED = {"f32": "fp32", "f16": "fp16", "i64": "int64", "i32": "int32"}
_INT8 = ("i8", "u8", "I8", "U8")


class OpenVinoExecutable(Closing):
    """One infer request of one compiled model; it computes in the thread that calls `run`.

    Everything of it lives from construction to `close()`.
    """

    def __init__(self, core: Any, model: Any, options: BackendOptions, profiling: bool = False):
        """Compile an `openvino.Model`. With `profiling`, each node's time is recorded."""
        self._options = options
        self._compiled: Any = compiled(core, model, options, profiling)
        self._request: Any = None
        self._inputs: list[Any] = []
        try:
            self._request = self._compiled.create_infer_request()
            for place, port in enumerate(self._compiled.inputs):
                self._inputs.append(_filled(port))
                self._request.set_input_tensor(place, self._inputs[-1])
        except BackendError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise BackendError.because("setting the inputs", error) from error

    def run(self) -> None:
        """Run the model once on its inputs. Raises BackendError."""
        try:
            # The outputs stay in the request's own tensors: nothing is copied.
            self._request.infer(share_outputs=True, decode_strings=False)
        except Exception as error:
            if self._request is None:
                raise _closed() from None
            raise BackendError.because("running the model", error) from error

    def computed(self, values: np.ndarray) -> list[np.ndarray]:
        """Return what the model computes of `values`, of the shape of its one input."""
        self._open()
        self._inputs[0].data[...] = values
        self.run()
        return self.outputs()

    def outputs(self) -> list[np.ndarray]:
        """Return copies of what the last run computed, in the model's order."""
        request, model = self._open(), self._compiled
        return [request.get_output_tensor(n).data.copy() for n in range(len(model.outputs))]

    def effective_dtype(self) -> str:
        """Return the precision it computes in, read back from the compiled model.

        "int8-static" where that was asked for and some product or convolution is one of integers.
        """
        self._open()
        if self._options.dtype == STATIC and _has_int8_products(self.graph()):
            return STATIC
        return effective_dtype(self._compiled)

    def read_back(self) -> dict[str, object]:
        """Return what the compiled model says of itself, as JSON values."""
        self._open()
        return read_back(self._compiled)

    def graph(self) -> Any:
        """Return the graph that is executed, an `openvino.Model`; see `profiler/breakdown`."""
        self._open()
        return self._compiled.get_runtime_model()

    def node_times(self) -> list[Any]:
        """Return openvino.ProfilingInfo of each node, a mean of all runs; for `profiling` only."""
        return list(self._open().get_profiling_info())

    def close(self) -> None:
        with kept_signal_stack():
            self._request = None
            self._compiled = None
            self._inputs = []

    def _open(self) -> Any:
        if self._request is None:
            raise _closed()
        return self._request


def executable_of(model: Any, options: BackendOptions) -> OpenVinoExecutable:
    """Return a fresh session of an `openvino.Model`."""
    return OpenVinoExecutable(new_core(), model, options)


def runtime_info(node: Any, key: str) -> str:
    """Return what a node of an executed graph says of itself ("layerType"); "" for nothing."""
    entries = node.get_rt_info()
    if key not in entries:
        return ""
    value = entries[key]
    return str(getattr(value, "value", value))


def _has_int8_products(graph: Any) -> bool:
    return any(
        runtime_info(node, "layerType")
        in ("FullyConnected", "MatMul", "Convolution", "GroupConvolution")
        and runtime_info(node, "runtimePrecision") in _INT8
        for node in graph.get_ops()
    )


def _filled(port: Any) -> Any:
    """Return a tensor of an input's type and shape with the seeded input in it."""
    import openvino

    kind = port.get_element_type().get_type_name()
    if kind not in _FILLED:
        raise BackendError(
            f"input '{port.get_any_name()}' of the model is {kind}; "
            f"only {', '.join(_FILLED)} can be filled."
        )
    if port.get_partial_shape().is_dynamic:
        raise BackendError(
            f"input '{port.get_any_name()}' of the model has the open shape "
            f"{port.get_partial_shape()}; a point is measured at one fixed shape."
        )
    shape = tuple(port.get_shape())
    # Allocated and aligned by OpenVINO.
    tensor = openvino.Tensor(port.get_element_type(), port.get_shape())
    tensor.data[...] = seeded_input(shape, _FILLED[kind])
    return tensor


def _closed() -> BackendError:
    return BackendError("this executable is closed; load the artifact again.")
