"""Core ML: packages built on any system, run on a Mac or on a device connected to it."""

from __future__ import annotations

import importlib.util
import platform
import re
from typing import TYPE_CHECKING

from ...errors import UserError, did_you_mean
from ..installed import installed
from ..machine.mac_cpu import sysctl
from ..protocol import BackendOptions
from .convert import DEPLOYMENT_TARGET, coreml_from_module
from .device import AppleDevice, DeviceLink, find_connected
from .estimates import EstimatedShare, estimated_shares
from .session import COMPUTE_UNITS, CoreMlExecutable, ModelOnThisMac, OpenSession

if TYPE_CHECKING:
    import torch

_DTYPES = ("fp16", "fp32")


class CoreMlBackend:
    """Builds `.mlpackage` artifacts and runs them by Core ML.

    `machine` is a regular expression for the whole identifier of the machine to measure, such as
    'iPhone14,5'; None is this Mac. What does not fit this Mac is looked for among the devices
    connected to it, which nobody has tried yet: see `coreml_device`.
    """

    name = "coreml"
    default_provider = "all"

    def __init__(self, machine: str | None = None) -> None:
        self.machine = machine
        self._link: DeviceLink | None = None

    def unavailable(self) -> str | None:
        system = platform.system()
        if system != "Darwin":
            return (
                f"Core ML runs on Apple's systems only and this machine runs {system}; build the "
                "artifacts here and measure them on a Mac."
            )
        if reason := self.unbuildable():
            return reason
        try:
            self._connected_device()
        except UserError as error:
            return str(error)
        return None

    def unbuildable(self) -> str | None:
        # Importing it takes seconds.
        if importlib.util.find_spec("coremltools") is None:
            return "coremltools is not installed here; pip install 'vitprof[coreml]'."
        return None

    def trouble(self) -> str | None:
        return None  # Core ML tells of no throttling

    def check(self, options: BackendOptions) -> None:
        options.check_only("Core ML")
        if options.dtype not in _DTYPES:
            raise UserError(f"Core ML is measured in fp16 and fp32, not in {options.dtype}.")
        if options.provider not in COMPUTE_UNITS:
            beside_cpu = f"cpu+{options.provider}"
            near = beside_cpu if beside_cpu in COMPUTE_UNITS else options.provider
            raise UserError(
                f"Core ML has no compute units '{options.provider}'"
                f"{did_you_mean(near, COMPUTE_UNITS)}."
            )
        if options.threads != 1 or options.optimization != "all":
            raise UserError(
                "Core ML chooses its threads and optimizations by itself; leave `threads` at 1."
            )

    def build(
        self, module: torch.nn.Module, input_shape: tuple[int, ...], options: BackendOptions
    ) -> bytes:
        """Return the artifact of `module`, see `coreml_from_module`; the provider is not in it.

        Raises UserError without coremltools and for options that Core ML lacks.
        """
        self.check(options)
        if reason := self.unbuildable():
            raise UserError(reason)
        return coreml_from_module(module, input_shape, options.dtype)

    def load(self, artifact: bytes, options: BackendOptions) -> CoreMlExecutable:
        """Return a fresh session on this Mac or on the connected device.

        Raises UserError where Core ML or the device is not to be had, BackendError if Core ML
        refuses the artifact.
        """
        self.check(options)
        if reason := self.unavailable():
            raise UserError(reason)
        return CoreMlExecutable(artifact, options.provider, self._opener())

    def estimated_shares(self, artifact: bytes, options: BackendOptions) -> list[EstimatedShare]:
        """Return Core ML's own ESTIMATE of each operation's share: not measured. Raises as `load`.

        They say where Core ML would run what, and are not latencies.
        """
        with self.load(artifact, options) as executable:
            return estimated_shares(executable.compute_plan())

    def environment(self, options: BackendOptions) -> dict[str, object]:
        """Return versions and settings, and on macOS whose they are; raises UserError."""
        self.check(options)
        if reason := self.unbuildable():
            raise UserError(reason)
        facts: dict[str, object] = {
            "backend": self.name,
            "coremltools": installed("coremltools"),
            "torch": installed("torch"),
            "deployment_target": DEPLOYMENT_TARGET,
            "provider": options.provider,
            "dtype": options.dtype,
        }
        if platform.system() == "Darwin":
            device = self._connected_device()
            facts["os"] = f"macOS {platform.mac_ver()[0]}" if device is None else device.os
            facts["machine"] = this_mac() if device is None else device.machine
        return facts

    def _connected_device(self) -> AppleDevice | None:
        """Return the device to measure, None for this Mac; raises UserError if there is none."""
        if self._link is not None:
            return self._link.device
        if self.machine is None or re.fullmatch(self.machine, this_mac() or ""):
            return None
        return find_connected(self.machine)

    def _opener(self) -> OpenSession:
        device = self._connected_device()
        if device is None:
            return ModelOnThisMac
        if self._link is None:
            self._link = DeviceLink(device)
        return self._link.open_session


def this_mac() -> str | None:
    """Return the machine identifier of this Mac, such as 'Mac14,2', None elsewhere."""
    return sysctl("hw.model")
