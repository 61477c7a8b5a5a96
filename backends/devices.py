"""Finding a device by name, and the backend that measures it.

Devices are defined in devices.toml; in files of the user's own, of the same form: the one in the
folder of the user's settings, and those given to `use_device_files`; and by other wheels, as entry
points of the group "vitprof.devices".
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from ..errors import UserError, did_you_mean
from ..plugins import API_VERSION, PluginGroup
from ..untrusted.files import read_text
from .device import Device
from .device_file import device_from_entry, devices_from_toml
from .protocol import Backend

_FILE = "devices.toml"
_LARGEST_FILE_BYTES = 1_000_000
# Files beside the user's own that devices are read from: see `use_device_files`.
_given_files: list[Path] = []


@dataclass(frozen=True)
class DeviceEntry:
    """A device that a wheel adds: `values` are what its table in a device file would hold."""

    name: str
    values: Mapping[str, object]
    api: int = API_VERSION

    def device(self) -> Device:
        """Return the device; raises UserError naming the key that is wrong."""
        return device_from_entry(self.name, dict(self.values), "the entry")


@functools.cache
def built_in_devices() -> Mapping[str, Device]:
    """Return the devices that vitprof itself knows, in the order of devices.toml."""
    text = resources.files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    return MappingProxyType(devices_from_toml(text, _FILE))


def _readable(entry: DeviceEntry) -> None:
    entry.device()


def device_plugins() -> PluginGroup[DeviceEntry]:
    """Return the devices of other wheels."""
    own = tuple(built_in_devices())
    return PluginGroup("vitprof.devices", DeviceEntry, "device", own, _readable)


def use_device_files(files: Sequence[str | Path] = ()) -> None:
    """Take the devices of these files too, from now on; none: only the user's own file.

    Raises UserError for a file that cannot be read, is wrong, or has a device's name a second time.
    """
    before = list(_given_files)
    _given_files[:] = map(Path, files)
    try:
        _devices_of_files()
    except UserError:
        _given_files[:] = before
        raise


def given_device_files() -> list[Path]:
    """Return the files that `use_device_files` was given."""
    return list(_given_files)


def user_device_file() -> Path:
    """Return where the user's own devices are looked for: vitprof/devices.toml in their settings.

    That folder is XDG_CONFIG_HOME, or ~/.config.
    """
    given = os.environ.get("XDG_CONFIG_HOME", "")
    # A relative path is to be ignored, as the specification of these folders has it.
    settings = Path(given) if given.startswith("/") else Path("~/.config")
    return Path(os.path.expanduser(settings)) / "vitprof" / _FILE  # noqa: PTH111 - may have no home


def _devices_of_files() -> dict[str, Device]:
    found: dict[str, Device] = {}
    own = user_device_file()
    for file in (*((own,) if own.is_file() else ()), *_given_files):
        for name, device in devices_from_toml(_text_of(file), str(file)).items():
            if name in built_in_devices() or name in found:
                raise UserError(f"{file}: there is a device '{name}' already; give another name.")
            found[name] = device
    return found


def _text_of(file: Path) -> str:
    return read_text(file, "a device file", _LARGEST_FILE_BYTES)


def devices() -> Mapping[str, Device]:
    """Return every known device by name: vitprof's own first, then files', then other wheels'."""
    known = {**built_in_devices(), **_devices_of_files()}
    for name, entry in device_plugins().all().items():
        known.setdefault(name, entry.device())
    return MappingProxyType(known)


def device_names() -> list[str]:
    """Return the names of all known devices."""
    return list(devices())


def find_device(name: str) -> Device:
    """Return the device called `name`; an unknown one is a UserError with the nearest name."""
    device = built_in_devices().get(name) or _devices_of_files().get(name)
    if device is not None:
        return device
    entry = device_plugins().find(name)
    if entry is None:
        raise UserError(
            f"device '{name}' is not known{did_you_mean(name, devices())}; 'cpu' is this machine."
        )
    return entry.device()


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
