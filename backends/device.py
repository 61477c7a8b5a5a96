"""A device: what identifies it, what it can be measured in, and whether that can be done here."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UserError
from .nvidia_gpus import NvidiaGpu, nvidia_gpus
from .onnxruntime_backend import OnnxRuntimeBackend

# Where Linux boards such as the Jetson say what they are.
_BOARD_MODEL = Path("/proc/device-tree/model")

_RUNTIME_TITLES = {"cuda": "CUDA", "tensorrt": "TensorRT", "coreml": "Core ML"}


@dataclass(frozen=True)
class Device:
    """One entry of devices.toml.

    `gpu_name` and `machine` are regular expressions for the whole reported name. `multiples_of`
    says for each of `dtypes`, and for "2:4" where `sparsity` has it, what a block's dims should be
    multiples of. The first of `dtypes` and of `sparsity` is the default.
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

    def check_dtype(self, dtype: str) -> None:
        """Raise UserError, listing the device's dtypes, if it cannot be measured in `dtype`."""
        if dtype not in self.dtypes:
            raise UserError(
                f"device '{self.name}' cannot be measured in dtype '{dtype}'; "
                f"its dtypes are {', '.join(self.dtypes)}."
            )

    def why_not_here(self) -> str | None:
        """Return None if the device can be measured here and now, otherwise why not.

        One sentence with the cause and what to do. It may import ONNX Runtime or ask a GPU's
        driver, so never ask while something is being timed.
        """
        if self.backend == "onnxruntime":
            return OnnxRuntimeBackend().unavailable()
        return (
            f"{self._what_this_machine_is()}; this version of vitprof measures through "
            f"ONNX Runtime only and has no {_RUNTIME_TITLES[self.backend]} adapter, so use a table "
            "that was measured on this device elsewhere, or measure the device 'cpu'."
        )

    def is_gpu(self, gpu: NvidiaGpu) -> bool:
        """Whether the driver's name and compute capability are this device's."""
        if self.gpu_name is None or re.fullmatch(self.gpu_name, gpu.name) is None:
            return False
        return gpu.compute_capability in (None, self.compute_capability)

    def _what_this_machine_is(self) -> str:
        if self.backend == "coreml":
            return self._against_system(platform.system())
        if self.machine is not None:
            return self._against_board(_board_model())
        return self._against_gpus(nvidia_gpus())

    def _against_system(self, system: str) -> str:
        if system == "Darwin":
            return f"the {self.title} has to be connected to this Mac"
        return f"Core ML runs on Apple's systems only and this machine runs {system}"

    def _against_board(self, board: str | None) -> str:
        if board is None:
            return f"this machine is a {platform.machine()} computer and not the {self.title}"
        if self.machine is not None and re.fullmatch(self.machine, board):
            return f"this machine is the {self.title}"
        return f"this machine is '{board}' and not the {self.title}"

    def _against_gpus(self, gpus: list[NvidiaGpu] | None) -> str:
        if gpus is None:
            return f"no NVIDIA driver answers on this machine, and the {self.title} is needed"
        if any(self.is_gpu(gpu) for gpu in gpus):
            return f"this machine has the {self.title}"
        names = ", ".join(f"'{gpu.name}'" for gpu in gpus)
        return f"this machine's GPU is {names or 'none'} and not the {self.title}"


def _board_model() -> str | None:
    try:
        return _BOARD_MODEL.read_text(errors="replace").strip("\0 \n") or None
    except OSError:
        return None
