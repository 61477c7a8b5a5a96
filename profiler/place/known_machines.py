"""How fast machines were before: a file of what each reference took, a line a measured table.

Of one run nobody can tell whether the machine was ever undisturbed; of several runs, the fastest
ones show it. The file is machines.jsonl in the state folder (`state_folder`), and not trusted:
reading it executes nothing, and one that is damaged is left as it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ... import __version__
from ...append_log import JsonLog
from ...errors import UserError
from ...models import Spec
from ...tables import Setting
from ...tables.references import Reference
from ...tables.speed_histogram import FAST_WIDTH

STATE_VARIABLE = "VITPROF_STATE"
FILE = "machines.jsonl"
# Some 20,000 measured tables; more is another file, or an attack on the memory.
LARGEST_FILE_BYTES = 20_000_000
# A machine is known by so many of its latest runs.
LATEST = 20
# Twenty processes that end at once on a busy machine all get their turn.
_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True)
class KnownSpeed:
    """What a reference takes on the undisturbed machine, by `runs` of it; the last one's date."""

    undisturbed_ms: float
    runs: int
    last: str

    @classmethod
    def of(cls, seen: list[tuple[float, str]]) -> KnownSpeed:
        """Return the fast mode of runs (ms and date, at least one, the latest last).

        It is the median of those within 4 % of the fastest.
        """
        latest = seen[-LATEST:]
        fastest = min(ms for ms, _ in latest)
        near = [ms for ms, _ in latest if ms <= (1 + FAST_WIDTH) * fastest]
        return cls(median(near), len(near), latest[-1][1])


class KnownMachines:
    """The runs on file of one machine, runtime and setting.

    Raises UserError where the file is damaged, another program's, or cannot be read or written.
    """

    def __init__(self, environment: Mapping[str, Any], setting: Setting) -> None:
        self._machine = _plain(environment.get("machine"))
        self._runtime = _plain(environment.get("runtime"))
        self._setting = _plain(setting.as_dict())
        self.path = state_folder() / FILE

    def known(self, reference: Reference) -> KnownSpeed | None:
        """Return what is known of the reference; None where no run is on file."""
        seen = [_seen(one) for one in self._of(reference) if one.get("runtime") == self._runtime]
        return KnownSpeed.of(seen) if seen else None

    def had_other_runtime(self, reference: Reference) -> bool:
        """Whether runs on file are of this machine, but of another version of the runtime."""
        return any(one.get("runtime") != self._runtime for one in self._of(reference))

    def add(self, reference: Reference, undisturbed_ms: float, share: float) -> None:
        """Put a run on file: what the reference took undisturbed, and how often it took so."""
        entry = {
            "machine": self._machine,
            "runtime": self._runtime,
            "setting": self._setting,
            "reference": name_of(reference),
            "undisturbed_ms": round(undisturbed_ms, 6),
            "share": round(share, 4),
            "vitprof": __version__,
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
        }
        with _locked(self.path):
            self._log().append(entry)

    def _of(self, reference: Reference) -> list[dict[str, Any]]:
        with _locked(self.path):
            log = self._log()
        found = []
        for where, record in log.records:
            ms = record.get("undisturbed_ms")
            date = record.get("date")
            if (
                not isinstance(ms, int | float)
                or isinstance(ms, bool)
                or not 0 < ms < 1e9
                or not isinstance(date, str)
            ):
                raise log.damaged(where, "not a run of a machine")
            same = (record.get("machine"), record.get("setting"), record.get("reference"))
            if same == (self._machine, self._setting, name_of(reference)):
                found.append(record)
        return found

    def _log(self) -> JsonLog:
        if self.path.exists() and self.path.stat().st_size > LARGEST_FILE_BYTES:
            raise UserError(f"{self.path} is larger than 20 MB; {_REMEDY}.")
        return JsonLog(self.path, "vitprof-machines", {}, what="machines' speeds", remedy=_REMEDY)


_REMEDY = "remove it to start again"


def state_folder() -> Path:
    """Return $VITPROF_STATE, or vitprof in $XDG_STATE_HOME or in ~/.local/state."""
    if given := os.environ.get(STATE_VARIABLE):
        return Path(given)
    home = os.environ.get("XDG_STATE_HOME", "")
    return (Path(home) if home else Path("~/.local/state").expanduser()) / "vitprof"


def name_of(reference: Reference) -> str:
    """Return what a reference is called in the file; models of one name may differ."""
    if not isinstance(reference, Spec):
        return str(reference)
    digest = hashlib.sha256(reference.to_json().encode()).hexdigest()
    return f"{reference.name} {digest[:16]}"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes from the file for a moment; raises UserError where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("ab") as file:
            _wait_for(file.fileno())
            yield
    except OSError as error:
        raise UserError(f"{path} cannot be used: {error.strerror or error}.") from None


def _wait_for(file: int) -> None:
    end = time.monotonic() + _LONGEST_WAIT_S
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)


def _seen(record: Mapping[str, Any]) -> tuple[float, str]:
    # Dates are printed: one from another hand is cut.
    date = "".join(letter for letter in record["date"][:10] if letter.isprintable())
    return float(record["undisturbed_ms"]), date


def _plain(value: object) -> Any:
    """Return a value as it is once written and read, to be compared."""
    return json.loads(json.dumps(value, default=str))
