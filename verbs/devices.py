"""`vitprof.devices`: which devices can be measured here, and how to measure the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..results import Result

if TYPE_CHECKING:
    import pandas as pd

    from ..backends import Device


@dataclass(frozen=True)
class KnownDevice:
    """A device, and why it cannot be measured, or built for, on this machine (None: it can)."""

    device: Device
    why_not: str | None
    why_no_build: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return what is known of it as JSON values."""
        return {
            "name": self.device.name,
            "title": self.device.title,
            "backend": self.device.backend,
            "dtypes": list(self.device.dtypes),
            "sparsity": list(self.device.sparsity),
            "here": self.why_not is None,
            "why_not": self.why_not,
            "builds_here": self.why_no_build is None,
            "why_no_build": self.why_no_build,
        }


@dataclass(frozen=True)
class Devices(Result):
    """The known devices."""

    known: Sequence[KnownDevice]

    @property
    def title(self) -> str:
        """How many there are, and which can be measured."""
        here = [one.device.name for one in self.known if one.why_not is None]
        return f"{len(self.known)} devices; measurable here: {', '.join(here) or 'none'}"

    def report(self) -> dict[str, Any]:
        """Return what is known of each."""
        return {"devices": [one.as_dict() for one in self.known]}

    def to_frame(self) -> pd.DataFrame:
        """Return a line a device."""
        import pandas as pd

        return pd.DataFrame([one.as_dict() for one in self.known])


def devices() -> Devices:
    """List the known devices: measurable here, or why not and how to.

    Returns:
        A line a device: its name, backend, dtypes, whether it can be measured here and whether
        artifacts for it can be built here, with the reasons where not.

    Raises:
        UserError: A device file of the user is damaged.

    Example:
        >>> import vitprof
        >>> frame = vitprof.devices().to_frame()
        >>> bool(frame.set_index("name").loc["cpu", "here"])
        True
    """
    from ..backends.devices import devices as known_devices

    return Devices(
        [
            KnownDevice(device, device.why_not_here(), device.why_no_build_here())
            for device in known_devices().values()
        ]
    )
