"""OpenVINO: ONNX models as its intermediate representation, compiled and run by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import NotOnThisMachineError, UserError, did_you_mean
from ..installed import installed
from ..onnx.check import check_no_other_files
from ..onnx.export import OPSET, onnx_from_module
from ..protocol import BackendError, BackendOptions
from ..random_input import seeded_input
from .compiling import (
    AUTO,
    CAPABILITY,
    CPU,
    KINDS,
    STATIC,
    compiled,
    effective_dtype,
    new_core,
    read_back,
)
from .int8 import static_int8, why_no_nncf
from .ir import IR, ir_of_model, model_of_ir
from .session import OpenVinoExecutable
from .signal_stack import kept_signal_stack

if TYPE_CHECKING:
    import numpy as np
    import torch

OPENVINO_DTYPES = tuple(CAPABILITY)


class OpenVinoBackend:
    """Builds models of OpenVINO from ONNX and runs them, on the CPU by default.

    A provider is a device as OpenVINO calls it: CPU, GPU, NPU, or AUTO, which chooses one.
    """

    name = "openvino"
    default_provider = CPU

    def unavailable(self) -> str | None:
        try:
            import openvino  # noqa: F401
        except ImportError as error:
            return (
                f"OpenVINO cannot be imported here ({error}); "
                "install it: pip install 'vitprof[openvino]'."
            )
        return None

    def unbuildable(self) -> str | None:
        return self.unavailable()

    def trouble(self) -> str | None:
        return None

    @kept_signal_stack()
    def check(self, options: BackendOptions) -> None:
        if reason := self.unavailable():
            raise UserError(reason)
        options.check_only("OpenVINO")
        if options.dtype not in OPENVINO_DTYPES:
            raise UserError(
                f"OpenVINO is measured in {', '.join(OPENVINO_DTYPES)}, not in {options.dtype}."
            )
        core = new_core()
        present = core.available_devices
        if options.provider not in (*present, AUTO):
            devices = (*present, AUTO)
            known = options.provider.partition(".")[0] in KINDS
            meant = "" if known else did_you_mean(options.provider, devices)
            raise UserError(
                f"OpenVINO finds no device '{options.provider}' here{meant}; `provider` is "
                f"{' or '.join(devices)}, and another device needs its driver."
            )
        able = core.get_property(options.provider, "OPTIMIZATION_CAPABILITIES")
        if CAPABILITY[options.dtype] not in able:
            have = [dtype for dtype, name in CAPABILITY.items() if name in able]
            raise NotOnThisMachineError(
                f"OpenVINO does not compute in {options.dtype} on the {options.provider} of this "
                f"machine; there it has {', '.join(have)}."
            )

    def build(
        self, module: torch.nn.Module, input_shape: tuple[int, ...], options: BackendOptions
    ) -> bytes:
        """Return the IR of `module`, by way of ONNX.

        In fp16 its weights are stored so. In int8-static the ranges are those of the input that
        every point is measured on. Raises UserError and BackendError like `check` and the exporter.
        """
        self._check_dtype(options.dtype)
        return _artifact(onnx_from_module(module, input_shape), options.dtype)

    def build_from_onnx(self, model: bytes, options: BackendOptions) -> bytes:
        """Return the artifact of a self-contained fp32 ONNX model, in the options' dtype."""
        self._check_dtype(options.dtype)
        return _artifact(model, options.dtype)

    def load(self, artifact: bytes, options: BackendOptions) -> OpenVinoExecutable:
        """Return a fresh session of an artifact.

        Raises UserError for a device or a dtype that OpenVINO has not here, BackendError for what
        is not an artifact, refers to what it has not, or is refused by OpenVINO.
        """
        return self.open(artifact, options)

    @kept_signal_stack()
    def open(
        self, artifact: bytes, options: BackendOptions, profiling: bool = False
    ) -> OpenVinoExecutable:
        """Return such a session; with `profiling`, one that records each node's time."""
        self.check(options)
        core = new_core()
        model = model_of_ir(core, IR.from_bytes(artifact))
        return OpenVinoExecutable(core, model, options, profiling)

    def check_artifact(self, artifact: bytes) -> None:
        """Raise BackendError for one that is not complete in itself: see `IR.from_bytes`."""
        IR.from_bytes(artifact)

    @kept_signal_stack()
    def environment(self, options: BackendOptions) -> dict[str, object]:
        """Return versions, and what a compiled model says of itself; raises UserError like `check`.

        `effective_dtype` is the precision of what is not quantized.
        """
        import openvino

        self.check(options)
        core = new_core()
        tried = compiled(core, _smallest_model(), options)
        return {
            "backend": self.name,
            "openvino": openvino.__version__,
            "nncf": installed("nncf") if options.dtype == STATIC else None,
            "torch": installed("torch"),
            "opset": OPSET,
            "provider": options.provider,
            "device_name": str(core.get_property(options.provider, "FULL_DEVICE_NAME")),
            "dtype": options.dtype,
            "effective_dtype": effective_dtype(tried),
            **read_back(tried),
        }

    def _check_dtype(self, dtype: str) -> None:
        """Raise UserError for what cannot be built here, whether or not it could be run here."""
        if reason := self.unbuildable():
            raise UserError(reason)
        if dtype not in OPENVINO_DTYPES:
            raise UserError(
                f"OpenVINO is measured in {', '.join(OPENVINO_DTYPES)}, not in {dtype}."
            )
        if dtype == STATIC and (reason := why_no_nncf()):
            raise UserError(reason)


def model_of_onnx(data: bytes) -> Any:
    """Return the `openvino.Model` of a self-contained ONNX model.

    Raises BackendError with OpenVINO's words, which name what it cannot convert.
    """
    check_no_other_files(data)
    try:
        return new_core().read_model(data)
    except Exception as error:
        raise BackendError.because("converting the ONNX model to OpenVINO", error) from error


def _artifact(data: bytes, dtype: str) -> bytes:
    model = model_of_onnx(data)
    if dtype == STATIC:
        model = static_int8(model, [_calibration_input(model)])
    try:
        return ir_of_model(model, half=dtype == "fp16").to_bytes()
    except Exception as error:
        raise BackendError.because("writing OpenVINO's IR", error) from error


def _calibration_input(model: Any) -> np.ndarray:
    """Return the seeded input of a model of one input."""
    if len(model.inputs) != 1:
        raise BackendError(
            f"int8-static needs a model of one input, and this has {len(model.inputs)}"
        )
    (port,) = model.inputs
    kind = {"i64": "int64", "i32": "int32"}.get(port.get_element_type().get_type_name(), "fp32")
    return seeded_input(tuple(port.get_shape()), kind)


def _smallest_model() -> Any:
    """Return a model of one product, to be compiled for what it then says of itself."""
    import numpy as np
    import openvino
    from openvino import opset13

    given = opset13.parameter([1, 8], openvino.Type.f32)
    product = opset13.matmul(given, np.ones((8, 8), np.float32), False, False)
    return openvino.Model([product], [given], "smallest")
