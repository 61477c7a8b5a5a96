"""What it costs to have a model ready: the time to load it, and the memory of its process."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...backends.devices import given_device_files
from ...tables import Setting
from ...tables.setting import PartialSetting
from ...temporary_folder import TemporaryFolder, write_named
from .process_memory import ProcessMemory, answer_of_process

PROBE = "vitprof.profiler.deployed.footprint_probe"


@dataclass(frozen=True)
class Footprint:
    """A model's session in a fresh process of its own.

    `load_ms`: from the built artifact to a session that is ready to run, the median of a few.
    `first_run_ms`: the first run of the first session, when runtimes compile and repack.
    """

    load_ms: float
    memory: ProcessMemory
    first_run_ms: float


def footprint_of(artifact: bytes, setting: Setting) -> Footprint:
    """Return what a process takes that loads `artifact` and runs it under `setting`.

    Building it is not in the time, nor is importing the runtime. On a GPU the memory is the host's.
    Raises BackendError with the process's last words where it fails.
    """
    with TemporaryFolder() as folder:
        path = Path(folder) / "artifact"
        write_named(path, artifact)
        return footprint_of_file(path, setting)


def footprint_of_file(
    path: Path, setting: PartialSetting, python: str = sys.executable
) -> Footprint:
    """Do the same with an artifact's file, in a process of another Python if one is given."""
    fields: dict[str, Any] = {
        "path": str(path),
        "setting": setting.as_dict(),
        "device_files": [str(file) for file in given_device_files()],
    }
    answer = answer_of_process(PROBE, fields, python)
    memory = ProcessMemory(int(answer["peak"]), int(answer["before"]))
    return Footprint(answer["load_ms"], memory, answer["first_run_ms"])
