"""A device: what identifies it, what it can be measured in, and whether that can be done here."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UserError, did_you_mean
from .machine.nvidia_gpus import NvidiaGpu, nvidia_gpus
from .protocol import Backend
from .registry import backend_kind, backend_kinds, find_kind

# Where Linux boards such as the Jetson say what they are.
_BOARD_MODEL = Path("/proc/device-tree/model")


@dataclass(frozen=True)
class Device:
    """One entry of a device file.

    `backend` and `dtypes` are what it is measured by and in by default. `gpu_name` and
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
        others = (
            name
            for name, kind in backend_kinds().items()
            if name != self.backend and kind.dtypes_on(self)
        )
        return (self.backend, *others)

    def dtypes_by(self, backend: str) -> tuple[str, ...]:
        """What it can be measured in by one of its `backends`; the first is the default."""
        if backend == self.backend:
            return self.dtypes
        kind = find_kind(backend)
        return kind.dtypes_on(self) if kind is not None else ()

    def check(self, backend: str, dtype: str) -> None:
        """Raise UserError, listing the device's own, if it cannot be measured so."""
        dtypes = self.dtypes_by(backend)
        if not dtypes:
            raise UserError(
                f"device '{self.name}' is not measured by backend '{backend}'"
                f"{did_you_mean(backend, self.backends)}; its backend is "
                f"{' or '.join(self.backends)}."
            )
        if dtype not in dtypes:
            raise UserError(
                f"device '{self.name}' cannot be measured in dtype '{dtype}'; "
                f"its dtypes are {', '.join(dtypes)}."
            )

    def runtime(self, backend: str | None = None) -> Backend:
        """Return what measures this device, wherever that may be: one of its `backends`."""
        return backend_kind(backend or self.backend).create(self)

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
        if not backend_kind(backend).bundled:
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
        kind = backend_kind(self.backend)
        if kind.only_on is not None:
            # It finds its devices itself: whether the very phone is connected, it tells.
            system, people_say = kind.only_on
            if platform.system() == system:
                return None
            return (
                f"{kind.title} runs on {people_say} only and this machine runs {platform.system()}"
            )
        if self.machine is not None:
            return None if kind.connects else self._against_board(_board_model())
        return self._against_gpus(nvidia_gpus()) if self.gpu_name is not None else None

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


def _board_model() -> str | None:
    try:
        return _BOARD_MODEL.read_text(errors="replace").strip("\0 \n") or None
    except OSError:
        return None
