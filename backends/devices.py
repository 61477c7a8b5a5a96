"""Finding a device by name, and the backend that measures it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

from ..errors import UserError, did_you_mean
from .device import Device
from .device_file import devices_from_toml
from .protocol import Backend

_FILE = "devices.toml"


@functools.cache
def devices() -> Mapping[str, Device]:
    """Return every known device by name, in the order of devices.toml."""
    text = resources.files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    return MappingProxyType(devices_from_toml(text, _FILE))


def device_names() -> list[str]:
    """Return the names of all known devices."""
    return list(devices())


def find_device(name: str) -> Device:
    """Return the device called `name`; an unknown one is a UserError with the nearest name."""
    if name not in devices():
        raise UserError(
            f"device '{name}' is not known{did_you_mean(name, devices())}; "
            "'cpu' is the machine at hand."
        )
    return devices()[name]


def create_backend(device: Device, backend: str | None = None) -> Backend:
    """Return the backend that measures `device` on this machine: one of `device.backends`.

    Raises UserError with `Device.why_not_here()` where that cannot be done.
    """
    reason = device.why_not_here(backend)
    if reason is not None:
        raise UserError(f"device '{device.name}' cannot be measured here: {reason}")
    return device.runtime(backend)


def create_builder(device: Device, backend: str | None = None) -> Backend:
    """Return the backend that builds for `device` on this machine, which need not be the device.

    Raises UserError with `Device.why_no_build_here()` where that cannot be done.
    """
    reason = device.why_no_build_here(backend)
    if reason is not None:
        raise UserError(f"device '{device.name}' cannot be built for here: {reason}")
    return device.runtime(backend)
