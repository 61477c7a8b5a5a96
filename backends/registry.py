"""The backends by name, and what is to be known of each before its runtime is imported.

A further one costs a file with its class and one `BackendKind`: here, or in a wheel of its own that
names it as an entry point of the group "vitprof.backends".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UserError, did_you_mean
from ..plugins import API_VERSION, PluginGroup
from .protocol import Backend

if TYPE_CHECKING:
    from .device import Device

_ANYWHERE: tuple[str, ...] = ()
_GPU = ("compute_capability", "gpu_name")
_BOARD = ("machine",)


def _none(device: Device) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class BackendKind:
    """One backend, as devices, tables and bundles know it.

    create: makes it for a device. dtypes_on: the dtypes in which it measures a device, the default
    first, besides the devices that name it as theirs; empty where it does not. identified_by: the
    sets of keys of a device file, sorted, one of which tells its devices from others. only_on: the
    system, as `platform.system()` has it, that alone runs it, and what people call that.
    connects: whether it finds the devices that name a machine by itself, connected to this one.
    bundled: whether its artifacts are built on one machine for another. suffix: what a file of an
    artifact ends in. programs: whether to load an artifact is to run what its builder wrote;
    rerun_with: what of a setting no artifact contains, so that a bundle may be measured with other.
    versions: what its `environment` calls the packages whose versions are compared where a bundle
    is measured, beside those named like the backend and the provider. same_version: whether it
    loads only what the same version built. code_bytes: what an artifact holds of each block beside
    its weights, for the estimate of a bundle's size.
    """

    name: str
    title: str
    create: Callable[[Device], Backend]
    dtypes_on: Callable[[Device], tuple[str, ...]] = _none
    identified_by: tuple[tuple[str, ...], ...] = (_ANYWHERE, _BOARD, _GPU)
    only_on: tuple[str, str] | None = None
    connects: bool = False
    bundled: bool = True
    suffix: str = "bin"
    programs: bool = True
    rerun_with: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    same_version: bool = False
    code_bytes: int = 0
    api: int = API_VERSION


def _onnxruntime(device: Device) -> Backend:
    from .onnxruntime.backend import OnnxRuntimeBackend

    return OnnxRuntimeBackend()


def _torch(device: Device) -> Backend:
    from .pytorch.backend import TorchBackend

    return TorchBackend()


def _torch_dtypes(device: Device) -> tuple[str, ...]:
    return ("fp32", "bf16", "fp16", "int8") if device.backend == "onnxruntime" else ()


def _openvino(device: Device) -> Backend:
    from .openvino.backend import OpenVinoBackend

    return OpenVinoBackend()


def _openvino_dtypes(device: Device) -> tuple[str, ...]:
    """Which of them this machine's CPU has, only OpenVINO can tell: its `check` does."""
    on_this_machine = device.backend == "onnxruntime"
    return ("fp32", "bf16", "fp16", "int8-static") if on_this_machine else ()


def _cuda(device: Device) -> Backend:
    from .cuda.backend import CudaBackend

    return CudaBackend()


def _cuda_dtypes(device: Device) -> tuple[str, ...]:
    """PyTorch has fp32 on every GPU, and bf16 where the tensor cores have it: from Ampere on."""
    if device.gpu_name is None or device.compute_capability is None:
        return ()
    ampere = float(device.compute_capability) >= 8.0
    return ("fp16", "fp32", "bf16") if ampere else ("fp16", "fp32")


def _tensorrt(device: Device) -> Backend:
    from .tensorrt.backend import TensorRtBackend

    return TensorRtBackend(device.compute_capability)


def _executorch(device: Device) -> Backend:
    from .executorch.backend import ExecuTorchBackend

    return ExecuTorchBackend()


def _executorch_dtypes(device: Device) -> tuple[str, ...]:
    return ("fp32", "int8", "int8-static") if device.name == "cpu" else ()


def _coreml(device: Device) -> Backend:
    from .coreml.backend import CoreMlBackend

    return CoreMlBackend(device.machine)


def _litert(device: Device) -> Backend:
    if device.backend == "litert" and device.machine is not None:
        from .litert.android.backend import AndroidBackend

        return AndroidBackend(device.machine)
    from .litert.backend import LiteRtBackend

    return LiteRtBackend()


def _litert_dtypes(device: Device) -> tuple[str, ...]:
    return ("fp32", "int8", "int8-static") if device.backend == "onnxruntime" else ()


BUILT_IN: Mapping[str, BackendKind] = {
    kind.name: kind
    for kind in (
        BackendKind(
            "onnxruntime",
            "ONNX Runtime",
            _onnxruntime,
            identified_by=(_ANYWHERE, _BOARD),
            suffix="onnx",
            programs=False,
            rerun_with=("threads", "provider"),
        ),
        BackendKind(
            "torch",
            "PyTorch on a CPU",
            _torch,
            _torch_dtypes,
            identified_by=(_ANYWHERE, _BOARD),
            bundled=False,
        ),
        # Its runtime follows a file's offsets unchecked: a program is to be trusted.
        BackendKind(
            "executorch",
            "ExecuTorch",
            _executorch,
            _executorch_dtypes,
            identified_by=(_ANYWHERE, _BOARD),
            suffix="pte",
            rerun_with=("threads",),
        ),
        BackendKind(
            "openvino",
            "OpenVINO",
            _openvino,
            _openvino_dtypes,
            identified_by=(_ANYWHERE, _BOARD),
            suffix="ir",
            programs=False,
            rerun_with=("threads", "provider"),
        ),
        BackendKind(
            "cuda",
            "PyTorch on a GPU",
            _cuda,
            _cuda_dtypes,
            identified_by=(_GPU, _BOARD),
            bundled=False,
        ),
        # Of TensorRT NVIDIA says: to deserialize an engine from an untrusted source is to run
        # untrusted native code.
        BackendKind(
            "tensorrt",
            "TensorRT",
            _tensorrt,
            identified_by=(_GPU, _BOARD),
            suffix="engine",
            rerun_with=("cache",),
            same_version=True,
            code_bytes=640_000,
        ),
        BackendKind(
            "coreml",
            "Core ML",
            _coreml,
            identified_by=(_BOARD,),
            only_on=("Darwin", "Apple's systems"),
            suffix="mlpackage",
            programs=False,
            rerun_with=("provider",),
            versions=("coremltools",),
        ),
        BackendKind(
            "litert",
            "LiteRT",
            _litert,
            _litert_dtypes,
            identified_by=(_ANYWHERE, _BOARD),
            connects=True,
            suffix="tflite",
            programs=False,
            rerun_with=("threads", "provider"),
            versions=("ai_edge_litert",),
        ),
    )
}


def _check(kind: BackendKind) -> None:
    """Raise UserError for a wheel's backend whose artifacts could not be named in a bundle."""
    if re.fullmatch("[a-z0-9]{1,16}", kind.suffix) is None:
        raise UserError(f"its suffix '{kind.suffix}' is not 1 to 16 small letters and digits")


PLUGINS: PluginGroup[BackendKind] = PluginGroup(
    "vitprof.backends", BackendKind, "backend", tuple(BUILT_IN), _check
)


def backend_names() -> list[str]:
    """Return the names of all backends; imports none."""
    return [*BUILT_IN, *PLUGINS.names()]


def backend_kinds() -> dict[str, BackendKind]:
    """Return all backends that can be used, by name."""
    return {**BUILT_IN, **PLUGINS.all()}


def find_kind(name: str) -> BackendKind | None:
    """Return the backend of this name; None where there is none that can be used."""
    return BUILT_IN.get(name) or PLUGINS.find(name)


def backend_kind(name: str) -> BackendKind:
    """Return the backend of this name; an unknown one is a UserError with the nearest name."""
    kind = find_kind(name)
    if kind is None:
        raise UserError(f"backend '{name}' is not known{did_you_mean(name, backend_names())}.")
    return kind
