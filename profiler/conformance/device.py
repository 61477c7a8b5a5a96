"""What a device promises, wherever it is defined: in a file, or by another wheel."""

from __future__ import annotations

from collections.abc import Iterator

from ...backends import BackendOptions, Device
from ...backends.devices import devices
from ...backends.registry import find_kind
from ...errors import NotOnThisMachineError, UserError
from ...promises import (
    BrokenPromiseError,
    Checked,
    Promises,
    UncheckedError,
    demand,
    demand_sentence,
)

PROMISES: Promises[Device] = Promises()


def check_device(device: Device) -> Iterator[Checked]:
    """Check every promise of a device; that its entry is well-formed was checked by reading it."""
    return PROMISES.checked(device)


@PROMISES("its backend is known")
def _(device: Device) -> None:
    demand(find_kind(device.backend), f"there is no backend '{device.backend}'")


@PROMISES("no other device is told apart by the same")
def _(device: Device) -> None:
    identity = (device.gpu_name, device.compute_capability, device.machine)
    twins = [
        one.name
        for one in devices().values()
        if one.name != device.name
        and (one.gpu_name, one.compute_capability, one.machine) == identity
    ]
    demand(not twins, f"{', '.join(twins)} is identified by the very same")


@PROMISES("why_not_here() and why_no_build_here() answer None or one sentence")
def _(device: Device) -> None:
    for backend in device.backends:
        demand_sentence(device.why_not_here(backend), f"why_not_here('{backend}')")
        demand_sentence(device.why_no_build_here(backend), f"why_no_build_here('{backend}')")


@PROMISES("its backends take each of its dtypes")
def _(device: Device) -> None:
    checked = False
    for name in device.backends:
        backend = device.runtime(name)
        if backend.unavailable() or backend.unbuildable():
            continue
        checked = True
        for dtype in device.dtypes_by(name):
            options = BackendOptions(dtype=dtype, provider=backend.default_provider)
            try:
                backend.check(options)
            except NotOnThisMachineError:
                continue  # the device is what it says, and this one of its kind lacks the precision
            except UserError as error:
                raise BrokenPromiseError(f"{name} does not take {dtype}: {error}") from error
    if not checked:
        raise UncheckedError("none of its backends is here")
