"""Which nodes of a Ray cluster have a device: what a worker asks Ray for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ...backends import Device
from ...errors import UserError

# Devices whose GPUs Ray labels by itself: the name after "accelerator_type:".
_LABELLED_BY_RAY = {"t4": "T4", "v100": "V100", "a100": "A100", "h100": "H100", "h200": "H200"}


@dataclass(frozen=True)
class Wish:
    """What one worker asks Ray for: so one device serves one worker at a time.

    `label` is the resource that marks a node having the device: Ray's own accelerator type, or
    "vitprof:DEVICE", which whoever starts the node declares.
    """

    label: str
    accelerator_type: str | None
    gpus: int
    cpus: int

    @classmethod
    def of(cls, device: Device, threads: int) -> Wish:
        """Return the wish for one device; a GPU is fed by one core, a CPU has `threads`."""
        gpus = 0 if device.gpu_name is None else 1
        accelerator = _LABELLED_BY_RAY.get(device.name)
        label = f"accelerator_type:{accelerator}" if accelerator else f"vitprof:{device.name}"
        return cls(label, accelerator, gpus, cpus=1 if gpus else threads)

    def options(self) -> dict[str, Any]:
        """Return the options of a Ray actor.

        It may be restarted while it starts, on another node where Ray sent it to one that is just
        gone. No call is tried twice: the driver gives what a lost worker leaves to another.
        """
        asked: dict[str, Any] = {
            "num_gpus": self.gpus,
            "num_cpus": self.cpus,
            "max_restarts": 3,
            "max_task_retries": 0,
        }
        # An accelerator type alone reserves nothing: it only chooses the node.
        if self.accelerator_type is not None:
            return asked | {"accelerator_type": self.accelerator_type}
        return asked | {"resources": {self.label: 1}}

    def __str__(self) -> str:
        wanted = {self.label: None, "GPU": self.gpus, "CPU": self.cpus}
        return ", ".join(
            name if n is None else f"{n} {name}" for name, n in wanted.items() if n != 0
        )

    def devices_of(self, node: Mapping[str, Any]) -> int:
        """Return how many workers a node of `ray.nodes()` can take."""
        resources = node.get("Resources") or {}
        if not node.get("Alive") or self.label not in resources:
            return 0
        counts = [int(resources.get("CPU", 0) // self.cpus)]
        if self.gpus:
            counts.append(int(resources.get("GPU", 0) // self.gpus))
        else:
            counts.append(1)  # a machine's processor is one device, however many a label promises
        if self.accelerator_type is None:
            counts.append(int(resources[self.label]))
        return min(counts)


def count_devices(nodes: Iterable[Mapping[str, Any]], wish: Wish, device: Device) -> int:
    """Return how many workers the cluster can take; UserError, saying what it has, for none."""
    nodes = [node for node in nodes if node.get("Alive")]
    found = sum(wish.devices_of(node) for node in nodes)
    if found:
        return found
    marks = sorted(
        {
            name
            for node in nodes
            for name in node.get("Resources") or {}
            if name.startswith(("accelerator_type:", "vitprof:"))
        }
    )
    if wish.label in marks:
        raise UserError(
            f"the Ray cluster's nodes with {wish.label} cannot take a measurement, which needs "
            f"{wish} on one node; start them with as much (ray start --num-cpus, --num-gpus)."
        )
    has = f"its devices are {', '.join(marks)}" if marks else "no node names a device"
    how = (
        f"--num-gpus=1 --resources='{{\"{wish.label}\": 1}}'"
        if wish.gpus
        else (f"--resources='{{\"{wish.label}\": 1}}'")
    )
    raise UserError(
        f"the Ray cluster ({len(nodes)} nodes) has no node with {wish.label}, which marks "
        f"'{device.name}' ({has}); start one that has it: ray start --address=HOST:PORT {how}."
    )
