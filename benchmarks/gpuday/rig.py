"""What a part works with: the device and its backend; in a rehearsal the CPU and tiny models."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from vitprof.backends import Backend, Device, find_device
from vitprof.backends.devices import devices, use_device_files
from vitprof.backends.machine.nvidia_gpus import NvidiaGpu, nvidia_gpus
from vitprof.errors import UserError
from vitprof.models import Block, create_spec

from .findings import Findings
from .gpu import slug

# The first NVIDIA architecture with bf16 and with sparse tensor cores is Ampere.
_AMPERE = 8.0
# The next piece of work may take this much longer than the longest so far.
_LONGER = 1.3

Work = TypeVar("Work")


@dataclass(frozen=True)
class Rig:
    """`folder` is the day's, which parts share; `seconds` is how long this part may take."""

    folder: Path
    seconds: float
    rehearse: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def left_s(self) -> float:
        """Seconds until this part is stopped."""
        return self.started + self.seconds - time.monotonic()

    def in_time(self, work: Sequence[Work], findings: Findings) -> Iterator[Work]:
        """Yield pieces of work while the next can be expected to end in time; tell of the others.

        What matters most should come first.
        """
        longest = 0.0
        for nth, one in enumerate(work):
            before = self.left_s
            if before < _LONGER * longest:
                findings.say(f"The time was enough for {nth} of {len(work)} rows.")
                return
            yield one
            longest = max(longest, before - self.left_s)

    @cached_property
    def device(self) -> Device:
        """The first GPU of this machine; one that vitprof does not know gets a device file."""
        if self.rehearse:
            return find_device("cpu")
        gpus = nvidia_gpus()
        if not gpus:
            raise UserError("no NVIDIA driver answers on this machine.")
        for device in devices().values():
            if device.is_gpu(gpus[0]):
                return device
        file = self.folder / "devices.toml"
        file.write_text(device_file(_of_known_capability(gpus[0])), encoding="utf-8")
        use_device_files([file])
        return find_device(slug(gpus[0].name))

    @property
    def is_known(self) -> bool:
        """Whether vitprof itself knows the device."""
        return self.device.name != slug(self.device.title)

    @property
    def backend(self) -> str:
        """The backend's name: PyTorch, on the GPU or in a rehearsal on the CPU."""
        return "torch" if self.rehearse else "cuda"

    def runtime(self) -> Backend:
        return self.device.runtime(self.backend)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """fp32 first, then what else this backend measures on the device, without int8."""
        known = self.device.dtypes_by(self.backend)
        return tuple(one for one in ("fp32", "fp16", "bf16") if one in known)

    @property
    def best_dtype(self) -> str:
        return "fp32" if self.rehearse else self.dtypes[-1]

    @property
    def graph(self) -> str:
        return "none" if self.rehearse else "cuda_graph"

    @property
    def small_model(self) -> str:
        return "vit-micro-8" if self.rehearse else "deit-small"

    @property
    def large_model(self) -> str:
        return "vit-micro-8" if self.rehearse else "deit-base"

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.small_model, self.large_model)))

    def blocks(self) -> list[Block]:
        """Return the blocks of the models, each once."""
        return list(dict.fromkeys(b for m in self.models for b in create_spec(m).blocks()))


def device_file(gpu: NvidiaGpu) -> str:
    """Return a device file with the one GPU, of what its architecture is known to have."""
    ampere = float(gpu.compute_capability or 0) >= _AMPERE
    dtypes = ["bf16", "fp16", "fp32"] if ampere else ["fp16", "fp32"]
    sparsity = ["dense", "2:4"] if ampere else ["dense"]
    multiples = {dtype: 4 if dtype == "fp32" else 8 for dtype in dtypes}
    in_toml = ", ".join(f"{key} = {value}" for key, value in multiples.items())
    in_toml += ', "2:4" = 16' if ampere else ""
    lines = [
        f"[{slug(gpu.name)}]",
        f"title = {_quoted(gpu.name)}",
        'backend = "cuda"',
        f"gpu_name = {_quoted(re.escape(gpu.name))}",
        f'compute_capability = "{gpu.compute_capability}"',
        f"dtypes = {dtypes}",
        f"sparsity = {sparsity}",
        f"multiples_of = {{ {in_toml} }}",
    ]
    return "\n".join(lines) + "\n"


def _of_known_capability(gpu: NvidiaGpu) -> NvidiaGpu:
    """Return the GPU with what PyTorch says where the driver is too old to say it."""
    import torch

    if gpu.compute_capability is not None:
        return gpu
    return NvidiaGpu(gpu.name, "{}.{}".format(*torch.cuda.get_device_capability(0)))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
