"""What of a machine is busy while a device is measured: what two measurements must not share."""

from __future__ import annotations

import os

from ...backends import Device
from ...backends.machine.nvidia_gpus import nvidia_gpu_uuids
from ...backends.registry import backend_kind

# CPU, Core ML and boards: all that computes there shares the machine's memory and clock.
HOST = "host"
# Execution providers of ONNX Runtime that run on an NVIDIA GPU.
_ON_NVIDIA_GPU = ("CUDA", "Tensorrt", "NvTensorRTRTX")


def is_on_nvidia_gpu(device: Device, provider: str | None = None) -> bool:
    """Tell whether an NVIDIA GPU computes, by any name of the device."""
    return device.gpu_name is not None or (provider or "").startswith(_ON_NVIDIA_GPU)


def device_identity(device: Device, provider: str | None = None) -> str:
    """Return the name under which one device of this machine is locked.

    The GPU's UUID where the driver tells, otherwise its number; a phone's own name; HOST for all
    that is the machine itself. It may ask a GPU's driver, so never call it while something is
    being timed.
    """
    if is_on_nvidia_gpu(device, provider):
        return f"gpu-{_first_visible_gpu()}"
    if device.machine is not None and (
        device.machine.startswith("iPhone") or backend_kind(device.backend).connects
    ):
        return device.name
    return HOST


def _first_visible_gpu() -> str:
    """Return the UUID, or the number, of the GPU that a runtime takes."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip() or "0"
    uuids = nvidia_gpu_uuids() or []
    if first.isdecimal():
        return uuids[int(first)] if int(first) < len(uuids) else first
    # CUDA takes the beginning of a UUID for the whole.
    return next((uuid for uuid in uuids if uuid.startswith(first)), first)
