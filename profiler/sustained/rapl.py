"""Energy of the CPU and its memory, from the counters that Linux calls RAPL.

/sys/class/powercap/intel-rapl:N is a CPU package (AMD's have it too), intel-rapl:N:M a part of it.
Each counts microjoules in `energy_uj` and begins at 0 again after `max_energy_range_uj`: Linux,
Documentation/power/powercap/powercap.rst.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...backends.machine.linux_cpu import read_number, read_text
from .sensors import Gauge, Untold

_POWERCAP = "sys/class/powercap"


@dataclass
class Zone:
    """One counter, unwrapped: `joules` since it was opened."""

    name: str
    energy: Path
    range_uj: int | None
    joules: float = 0.0
    _last_uj: int | None = field(default=None, init=False)

    def read(self) -> float | None:
        """Return the joules since the first reading; None where they are no longer known."""
        now = read_number(self.energy)
        before, self._last_uj = self._last_uj, now
        if now is None:
            return None
        if before is not None:
            spent = now - before
            if spent < 0 and self.range_uj is None:
                return None
            # At most one turn: see LONGEST_S.
            self.joules += (spent + (self.range_uj or 0) if spent < 0 else spent) / 1e6
        return self.joules


@dataclass
class RaplEnergy:
    """Joules of several zones together, counted since the first reading.

    Once a zone could not be read, the sum stays unknown: a part of it is not an energy.
    """

    zones: Sequence[Zone]
    _lost: bool = field(default=False, init=False)

    @property
    def source(self) -> str:
        return f"RAPL: {' + '.join(zone.name for zone in self.zones)}"

    def read(self) -> float | None:
        found = [zone.read() for zone in self.zones]
        known = [joules for joules in found if joules is not None]
        self._lost |= len(known) < len(found)
        return None if self._lost else sum(known)


def rapl_energy(root: Path) -> Gauge:
    """Return the counter of all packages and their memory, or in words why there is none.

    Parts of a package that are within its own count (cores, graphics) are not added again. The
    whole board ("psys") contains the packages.
    """
    zones = [zone for place in _places(root / _POWERCAP) if (zone := _zone(place)) is not None]
    if not zones:
        return Untold("this system has no RAPL counter in /sys/class/powercap")
    for zone in zones:
        if read_number(zone.energy) is None:
            seen = f"/{zone.energy.relative_to(root)}"
            if zone.energy.exists() and not os.access(zone.energy, os.R_OK):
                return Untold(f"{seen} may be read by the administrator only")
            return Untold(f"{seen} cannot be read")
    return RaplEnergy(zones)


def _places(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("intel-rapl:*"))
    except OSError:
        return []


def _zone(place: Path) -> Zone | None:
    """Return a package's counter or its memory's; None for what is within another one."""
    name = read_text(place / "name") or ""
    package, *part = re.findall(r":(\d+)", place.name)
    if part and name != "dram":
        return None
    if not part and not name.startswith("package"):
        return None
    shown = f"{name} of package {package}" if part else name
    return Zone(shown, place / "energy_uj", read_number(place / "max_energy_range_uj"))
