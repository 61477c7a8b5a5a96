"""Where a table was measured: what identifies the machine, and what was seen of it."""

from __future__ import annotations

from typing import Any, Protocol

from ...backends import Backend, BackendOptions, cpu_facts
from ...errors import UserError
from ...tables import LatencyTable
from ...tables.difference import first_difference
from .locking import runs_unlocked

# What makes it another machine to measure on. A new kernel or Python does not.
_IDENTITY = (
    "cpu",
    "architecture",
    "logical_cores",
    "cores_available",
    "cpu_quota",
    "l2_kib",
    "l3_kib",
)


class Measuring(Protocol):
    """What says by what, and how, something is measured: a `Target`."""

    @property
    def backend(self) -> Backend: ...

    @property
    def options(self) -> BackendOptions: ...


def fingerprint(target: Measuring) -> dict[str, Any]:
    """Return what must be equal for two measurements to be of the same device and runtime."""
    facts = cpu_facts()
    return {
        "machine": {name: facts[name] for name in _IDENTITY},
        "runtime": target.backend.environment(target.options),
    }


def observed() -> dict[str, Any]:
    """Return what else was seen of the machine: clocks, governor, memory, kernel, system.

    `lock` is there where others may have used the device meanwhile: it is "none".
    """
    found = {name: value for name, value in cpu_facts().items() if name not in _IDENTITY}
    return found | {"lock": "none"} if runs_unlocked() else found


def check_same_machine(table: LatencyTable, target: Measuring) -> None:
    """Raise UserError unless the table was measured on this machine and runtime."""
    difference = first_difference(table.environment, fingerprint(target))
    if difference:
        raise UserError(
            f"{table.source} was measured on another machine or runtime ({difference}); measuring "
            "here would compare two devices: measure a table of this one (vitprof measure)."
        )
