"""How a model is compiled by OpenVINO: one stream, for latency, in the precision that was asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..protocol import BackendError, BackendOptions
from .signal_stack import kept_signal_stack

CPU, AUTO = "CPU", "AUTO"
KINDS = (CPU, "GPU", "NPU")
STATIC = "int8-static"
# What OpenVINO calls the precision that it may compute in. int8 is in the model: what of it is not
# quantized is computed in fp32, where OpenVINO's own default is bf16 on CPUs that have it.
_HINTS = {"fp32": "f32", "fp16": "f16", "bf16": "bf16", STATIC: "f32"}
_DTYPES = {"f32": "fp32", "f16": "fp16", "bf16": "bf16"}
# What a device has to be capable of, as it lists its capabilities.
CAPABILITY = {"fp32": "FP32", "fp16": "FP16", "bf16": "BF16", STATIC: "INT8"}
# Read back from a compiled model, for `environment`.
_READ_BACK = {
    "threads": "INFERENCE_NUM_THREADS",
    "streams": "NUM_STREAMS",
    "hint": "PERFORMANCE_HINT",
    "pinning": "ENABLE_CPU_PINNING",
    "executes_on": "EXECUTION_DEVICES",
}


def new_core() -> Any:
    """Return an openvino.Core of its own, which knows nothing of others' compiled models."""
    import openvino

    return openvino.Core()


def properties(core: Any, options: BackendOptions, profiling: bool = False) -> dict[str, Any]:
    """Return what a model is compiled with for `options.provider`, of what that device has.

    profiling: have each node's time recorded.
    """
    wanted: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": _HINTS[options.dtype],
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": options.threads,
        # A single thread is the calling one, whose core is not OpenVINO's to choose.
        "ENABLE_CPU_PINNING": options.threads > 1,
        # Otherwise two threads of one physical core are not both used, though they were asked for.
        "ENABLE_HYPER_THREADING": options.threads > 1,
    }
    if profiling:
        wanted["PERF_COUNT"] = True
    if options.provider != AUTO:
        return _known(core, options.provider, wanted)
    # AUTO hands on what is of single devices, and would run on the CPU until another is ready.
    devices = {device: _known(core, device, wanted) for device in core.available_devices}
    own = {"PERFORMANCE_HINT": "LATENCY", "ENABLE_STARTUP_FALLBACK": False}
    return own | {"DEVICE_PROPERTIES": devices}


def _known(core: Any, device: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    supported = core.get_property(device, "SUPPORTED_PROPERTIES")
    return {name: value for name, value in wanted.items() if name in supported}


@kept_signal_stack()
def compiled(core: Any, model: Any, options: BackendOptions, profiling: bool = False) -> Any:
    """Return the openvino.CompiledModel; raises BackendError with OpenVINO's words."""
    try:
        given = properties(core, options, profiling)
        return core.compile_model(model, options.provider, given)
    except Exception as error:
        raise BackendError.because("compiling the model with OpenVINO", error) from error


def effective_dtype(compiled_model: Any) -> str:
    """Return the precision of a compiled model's floating-point operations, read back from it.

    "unknown" where its device does not tell.
    """
    precision = _property(compiled_model, "INFERENCE_PRECISION_HINT")
    if precision is None:
        return "unknown"
    name = precision.get_type_name() if hasattr(precision, "get_type_name") else str(precision)
    return _DTYPES.get(name, name)


def read_back(compiled_model: Any) -> dict[str, object]:
    """Return what a compiled model says of itself, as JSON values; None for what it does not."""
    found = {key: _property(compiled_model, name) for key, name in _READ_BACK.items()}
    return {key: _json_value(value) for key, value in found.items()}


def _property(compiled_model: Any, name: str) -> Any:
    """Return a property of a compiled model, or of the device that AUTO chose for it, or None."""
    supported = compiled_model.get_property("SUPPORTED_PROPERTIES")
    if name in supported:
        return compiled_model.get_property(name)
    if "DEVICE_PROPERTIES" in supported:
        of_devices = compiled_model.get_property("DEVICE_PROPERTIES")
        for device in compiled_model.get_property("EXECUTION_DEVICES"):
            if name in of_devices.get(device, {}):
                return of_devices[device][name]
    return None


def _json_value(value: Any) -> object:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple, set)):
        return ", ".join(str(_json_value(one)) for one in value)
    return str(getattr(value, "name", value))
