"""An iPhone or iPad that is connected to this Mac, driven through coremltools (8.3 and newer).

UNTESTED: this follows coremltools' source and Apple's tools, but was never run with a device.
coremltools builds a small app of its own with Xcode, installs and starts it on the device, and
sends it files: the model, and for every prediction the input. The device's clock times it.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import re
import subprocess
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import UserError
from ...temporary_folder import TemporaryFolder
from .package import WEIGHTS
from .quiet import quiet_coremltools

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")

# Apple's development team that signs coremltools' app, ten letters and digits: an iPhone starts
# no app without one.
TEAM_VARIABLE = "VITPROF_APPLE_TEAM"

_LIST_DEVICES = ("xcrun", "devicectl", "list", "devices", "--json-output")
_SECONDS_TO_ANSWER = 30
_CONNECTED = "connected"


@dataclass(frozen=True)
class AppleDevice:
    """A device that this Mac knows. `state` is "connected" while it can be talked to.

    `os` is its system and version, such as "iOS 18.5".
    """

    identifier: str
    machine: str
    os: str
    state: str


def devices_in(listing: object) -> list[AppleDevice]:
    """Return the devices in what `devicectl list devices --json-output` writes.

    An entry without identifier or machine (`productType`) is left out: it cannot be distinguished.
    """
    found = []
    for entry in _within(listing, "result", "devices", kind=list):
        machine = _within(entry, "hardwareProperties", "productType", kind=str)
        identifier = _within(entry, "identifier", kind=str)
        system = _within(entry, "hardwareProperties", "platform", kind=str)
        version = _within(entry, "deviceProperties", "osVersionNumber", kind=str)
        state = _within(entry, "connectionProperties", "tunnelState", kind=str).lower()
        if machine and identifier:
            found.append(AppleDevice(identifier, machine, f"{system} {version}".strip(), state))
    return found


def _within(tree: object, *path: str, kind: type[T]) -> T:
    """Return what lies at the path in nested dicts, or an empty `kind` if no such thing does."""
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree if isinstance(tree, kind) else kind()


def find_connected(machine: str) -> AppleDevice:
    """Return the connected device whose identifier matches the regular expression `machine`.

    Raises UserError without Xcode's devicectl, and if there is no such device or more than one.
    """
    devices = _listed()
    fitting = [device for device in devices if re.fullmatch(machine, device.machine)]
    connected = [device for device in fitting if device.state == _CONNECTED]
    if len(connected) == 1:
        return connected[0]
    if connected:
        raise UserError(
            f"{len(connected)} devices of the kind {machine} are connected; leave one connected, "
            "for a table is about one device."
        )
    if fitting:
        raise UserError(
            f"this Mac knows a {fitting[0].machine}, but it is {fitting[0].state or 'away'}; "
            "unlock it, connect it by cable and wait until Xcode's window 'Devices and Simulators' "
            "shows it."
        )
    others = ", ".join(sorted({device.machine for device in devices})) or "none"
    raise UserError(
        f"no device of the kind {machine} is connected to this Mac (known to it: {others}); "
        "connect it by cable, trust this Mac on it and switch its developer mode on."
    )


def _listed() -> list[AppleDevice]:
    with TemporaryFolder() as folder:
        listing = Path(folder) / "devices.json"
        try:
            subprocess.run(  # noqa: S603 - a constant command
                (*_LIST_DEVICES, str(listing)),
                capture_output=True,
                timeout=_SECONDS_TO_ANSWER,
                check=True,
            )
            return devices_in(json.loads(listing.read_text(encoding="utf-8")))
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            words = " ".join(str(error).split())
            raise UserError(
                f"the devices connected to this Mac cannot be listed by xcrun devicectl ({words}); "
                "install Xcode 15 or newer and start it once."
            ) from error


def signing_team() -> str | None:
    """Return the development team of $VITPROF_APPLE_TEAM, None if it is not set.

    Raises UserError for what is not a team: coremltools puts it into a shell command.
    """
    team = os.environ.get(TEAM_VARIABLE)
    if team is not None and re.fullmatch(r"[A-Z0-9]{10}", team) is None:
        raise UserError(
            f"{TEAM_VARIABLE}='{team[:40]}' is not a development team; it is the ten letters and "
            "digits that Xcode shows under Settings, Accounts."
        )
    return team


class DeviceLink:
    """coremltools' app, built, installed and started on one connected device.

    Raises UserError if that fails: no point could be measured, and each try takes minutes.
    """

    def __init__(self, device: AppleDevice) -> None:
        team = signing_team()
        self.device = device
        self.prepared: Any = None
        self._loop = asyncio.new_event_loop()
        self._folder = TemporaryFolder()
        try:
            self.prepared = self._prepare(team)
        except Exception as error:
            self.close()
            words = " ".join(str(error).split())[:500] or type(error).__name__
            raise UserError(
                f"coremltools' app could not be started on the {device.machine} ({words}); unlock "
                f"the device, switch its developer mode on and set {TEAM_VARIABLE} to a "
                "development team that Xcode is signed in to."
            ) from error
        atexit.register(self.close)

    def _prepare(self, team: str | None) -> Any:
        with quiet_coremltools():
            from coremltools.models.ml_program.experimental.remote_device import (
                AppSigningCredentials,
                Device,
            )

            (found,) = (d for d in Device.get_devices() if d.identifier == self.device.identifier)
        return self.wait_for(
            found.prepare_for_model_debugging(
                credentials=AppSigningCredentials(development_team=team or ""),
                working_directory=self._folder.path,
            )
        )

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one of coremltools' coroutines to its end, its progress bars dropped."""
        with quiet_coremltools():
            if not _in_event_loop():
                return self._loop.run_until_complete(work)
            with ThreadPoolExecutor(1) as thread:
                return thread.submit(self._loop.run_until_complete, work).result()

    def open_session(self, package: Path, compute_units: str) -> ModelOnDevice:
        """Load a package on the device; see `coreml_session.OpenSession`."""
        return ModelOnDevice(self, package, compute_units)

    def close(self) -> None:
        """Stop the app; a second close does nothing."""
        if self._loop.is_closed():
            return
        atexit.unregister(self.close)
        if self.prepared is not None and self.prepared.session is not None:
            self.prepared.session.stop()
        self._loop.close()
        self._folder.close()


class ModelOnDevice:
    """The model of a package, loaded by the app on the device."""

    def __init__(self, link: DeviceLink, package: Path, compute_units: str) -> None:
        self._link = link
        with quiet_coremltools():
            import coremltools
            from coremltools.models.ml_program.experimental.async_wrapper import (
                MLModelAsyncWrapper,
            )

            self._model: Any = MLModelAsyncWrapper.from_spec_or_path(
                spec_or_path=str(package),
                weights_dir=str((package / WEIGHTS).parent),
                compute_units=coremltools.ComputeUnit[compute_units],
                device=link.prepared,
            )
        link.wait_for(self._model.load())

    def predict(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return self._link.wait_for(self._model.predict(inputs))

    def predict_ms(self) -> float | None:
        nanoseconds = self._model.last_predict_duration_in_nano_seconds
        return None if nanoseconds is None else nanoseconds / 1e6

    def compute_plan(self) -> Any:
        return self._link.wait_for(self._model.retrieve_compute_plan())

    def close(self) -> None:
        self._link.wait_for(self._model.unload())
        self._model.cleanup()


def _in_event_loop() -> bool:
    """Whether this thread runs an event loop, as a notebook's does: then it can run no other."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
