"""What may be asked of this machine's memory, looked at before it is taken."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..errors import UserError
from ..quantities import bytes_of
from .limits import in_bytes

VARIABLE = "VITPROF_MEMORY_LIMIT"
# Of what is free: the system and this program's own code need the rest.
SHARE = 0.8


def memory_limit() -> int | None:
    """Return how many bytes may be taken at once, None where that is not known.

    VITPROF_MEMORY_LIMIT says it (`vitprof --memory-limit` sets it); otherwise it is a share of what
    is free now, in this container where it has a limit of its own. Raises UserError where the
    variable holds no size.
    """
    given = os.environ.get(VARIABLE)
    if given:
        try:
            return int(bytes_of(given))
        except UserError as error:
            raise UserError(f"{VARIABLE}: {error}") from None
    free = free_memory()
    return None if free is None else int(SHARE * free)


def check_memory(wanted: int, what: str) -> None:
    """Raise UserError where that many bytes are more than the limit; `what` wants them.

    what: begins the sentence: "the model 'vit-huge'".
    """
    most = memory_limit()
    if most is not None and wanted > most:
        how = "VITPROF_MEMORY_LIMIT" if os.environ.get(VARIABLE) else "80 % of what is free"
        raise UserError(
            f"{what} needs {in_bytes(wanted)} of memory, more than {in_bytes(most)} ({how}); "
            "VITPROF_MEMORY_LIMIT (vitprof --memory-limit) lifts the limit."
        )


def free_memory(root: Path = Path("/")) -> int | None:
    """Return the bytes that can still be taken without swapping; None where it is not known."""
    found = []
    with suppress(OSError, ValueError, IndexError):
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
    # What the files that are cached take in a container can be given back.
    with suppress(OSError, ValueError):
        group = root / "sys/fs/cgroup"
        most = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        for line in (group / "memory.stat").read_text().splitlines():
            if line.startswith("inactive_file "):
                used -= int(line.split()[1])
        found.append(max(most - used, 0))
    return min(found, default=None)
