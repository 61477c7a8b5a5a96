"""A device: what identifies it, what it can be measured in, and whether that can be done here."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UserError, did_you_mean
from .machine.nvidia_gpus import NvidiaGpu, nvidia_gpus
from .onnxruntime.backend import OnnxRuntimeBackend
from .protocol import Backend

# Where Linux boards such as the Jetson say what they are.
_BOARD_MODEL = Path("/proc/device-tree/model")


@dataclass(frozen=True)
class Device:
    """One entry of devices.toml.

    `backend` and `dtypes` are what it is measured by and in unless told otherwise. `gpu_name` and
    `machine` are regular expressions for the whole reported name. `multiples_of` says for each of
    `dtypes`, and for "2:4" where `sparsity` has it, what a block's dims should be multiples of. The
    first of `dtypes` and of `sparsity` is the default.
    """

    name: str
    title: str
    backend: str
    dtypes: tuple[str, ...]
    sparsity: tuple[str, ...]
    multiples_of: Mapping[str, int] = field(hash=False)
    gpu_name: str | None = None
    compute_capability: str | None = None
    machine: str | None = None

    @property
    def default_dtype(self) -> str:
        return self.dtypes[0]

    @property
    def backends(self) -> tuple[str, ...]:
        """The runtimes that can measure it; the first is the default."""
        also_pytorch = self.backend == "tensorrt" and self.gpu_name is not None
        return (self.backend, "cuda") if also_pytorch else (self.backend,)

    def dtypes_by(self, backend: str) -> tuple[str, ...]:
        """What it can be measured in by one of its `backends`; the first is the default."""
        if backend == self.backend or self.compute_capability is None:
            return self.dtypes
        # PyTorch has fp32 on every GPU, and bf16 where the tensor cores have it: from Ampere on.
        ampere = float(self.compute_capability) >= 8.0
        return ("fp16", "fp32", "bf16") if ampere else ("fp16", "fp32")

    def check(self, backend: str, dtype: str) -> None:
        """Raise UserError, listing the device's own, if it cannot be measured so."""
        if backend not in self.backends:
            raise UserError(
                f"device '{self.name}' is not measured by backend '{backend}'"
                f"{did_you_mean(backend, self.backends)}; its backend is "
                f"{' or '.join(self.backends)}."
            )
        if dtype not in self.dtypes_by(backend):
            raise UserError(
                f"device '{self.name}' cannot be measured in dtype '{dtype}'; "
                f"its dtypes are {', '.join(self.dtypes_by(backend))}."
            )

    def runtime(self, backend: str | None = None) -> Backend:
        """Return what measures this device, wherever that may be: one of its `backends`."""
        chosen = backend or self.backend
        if chosen == "cuda":
            from .cuda.backend import CudaBackend

            return CudaBackend()
        if chosen == "tensorrt":
            from .tensorrt.backend import TensorRtBackend

            return TensorRtBackend(self.compute_capability)
        if chosen == "coreml":
            from .coreml.backend import CoreMlBackend

            return CoreMlBackend(self.machine)
        return OnnxRuntimeBackend()

    def why_not_here(self, backend: str | None = None) -> str | None:
        """Return None if the device can be measured here and now, otherwise why not.

        One sentence with the cause and what to do. It may import a runtime or ask a GPU's driver,
        so never ask while something is being timed.
        """
        elsewhere = self._why_elsewhere()
        if elsewhere is not None:
            return f"{elsewhere}; {self._how_to_measure_it(backend or self.backend)}"
        return self.runtime(backend).unavailable()

    def why_no_build_here(self, backend: str | None = None) -> str | None:
        """Return None if artifacts for the device can be built here, otherwise why not."""
        return self.runtime(backend).unbuildable()

    def _how_to_measure_it(self, backend: str) -> str:
        if backend == "cuda":
            return "run vitprof measure on the machine that has it"
        if self.why_no_build_here(backend) is not None:
            return "run vitprof measure on the device itself"
        trust = " --trust" if backend == "tensorrt" else ""  # its engines are programs
        return (
            f"build for it here (vitprof build --device {self.name} --out b.zip) and measure the "
            f"bundle there (vitprof measure --bundle b.zip{trust})"
        )

    def is_gpu(self, gpu: NvidiaGpu) -> bool:
        """Whether the driver's name and compute capability are this device's."""
        if self.gpu_name is None or re.fullmatch(self.gpu_name, gpu.name) is None:
            return False
        return gpu.compute_capability in (None, self.compute_capability)

    def _why_elsewhere(self) -> str | None:
        """Return None if this machine is, or has, the device, otherwise what it is instead."""
        if self.backend == "onnxruntime":
            return None
        if self.backend == "coreml":
            return _why_no_core_ml(platform.system())
        if self.machine is not None:
            return self._against_board(_board_model())
        return self._against_gpus(nvidia_gpus())

    def _against_board(self, board: str | None) -> str | None:
        if board is None:
            return f"this machine is a {platform.machine()} computer and not the {self.title}"
        if self.machine is not None and re.fullmatch(self.machine, board):
            return None
        return f"this machine is '{board}' and not the {self.title}"

    def _against_gpus(self, gpus: list[NvidiaGpu] | None) -> str | None:
        """The first GPU has to be the device: it is the one that runtimes take."""
        if gpus is None:
            return f"no NVIDIA driver answers on this machine, and the {self.title} is needed"
        if gpus and self.is_gpu(gpus[0]):
            return None
        names = ", ".join(f"'{gpu.name}'" for gpu in gpus)
        if any(self.is_gpu(gpu) for gpu in gpus):
            return (
                f"this machine's GPUs are {names}, and the first, which would be measured, is not "
                f"the {self.title} (CUDA_VISIBLE_DEVICES chooses)"
            )
        return f"this machine's GPU is {names or 'none'} and not the {self.title}"


def _why_no_core_ml(system: str) -> str | None:
    if system == "Darwin":
        return None  # whether the very phone is connected, Core ML tells
    return f"Core ML runs on Apple's systems only and this machine runs {system}"


def _board_model() -> str | None:
    try:
        return _BOARD_MODEL.read_text(errors="replace").strip("\0 \n") or None
    except OSError:
        return None
