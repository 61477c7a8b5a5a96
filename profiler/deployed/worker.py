"""The process that writes, tests or runs files: `python -m vitprof.profiler.deployed.worker`.

A runtime may need a Python of its own, and what is timed shares its process with no other runtime.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...backends import Executable
from ..runtimes.child import serve
from ..sampling.clock import SystemClock
from ..sampling.timed_run import timed_run
from .deployed import Deployed, deploy
from .runtimes import RUNTIMES


class Worker:
    """Files and sessions; a request writes, tests, opens, runs or closes one."""

    def __init__(self) -> None:
        self._sessions: dict[int, Executable] = {}
        self._clock = SystemClock()

    def answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        do = request["do"]
        if do == "run":
            return asdict(timed_run(self._sessions[request["session"]], self._clock))
        answers = {"here": _here, "write": _write, "test": _test, "open": self._open}
        if do in answers:
            return answers[do](request)
        self._sessions.pop(request["session"]).close()
        return {}

    def _open(self, request: Mapping[str, Any]) -> dict[str, Any]:
        session = deployed_of(request["file"]).open()
        number = 1 + max(self._sessions, default=0)
        self._sessions[number] = session
        # Nothing of what is timed makes garbage; a collection would be in some sample.
        gc.collect()
        gc.disable()
        return {"session": number}


def fields_of(file: Deployed) -> dict[str, Any]:
    """Return a deployed file as JSON values, for another process."""
    return {
        "folder": str(file.folder),
        "runtime": file.runtime,
        "precision": file.precision,
        "path": str(file.path),
        "batch": file.batch,
        "threads": file.threads,
    }


def deployed_of(fields: Mapping[str, Any]) -> Deployed:
    """Return the file of these fields."""
    paths = {name: Path(fields[name]) for name in ("folder", "path")}
    return Deployed(**{**fields, **paths})


def _here(_: Mapping[str, Any]) -> dict[str, Any]:
    """Return the version, and of each runtime its number formats and why it is not here, if so."""
    from ... import __version__

    return {
        "version": __version__,
        "dtypes": {name: list(runtime.precisions) for name, runtime in RUNTIMES.items()},
        "missing": {name: runtime.why_not_here() for name, runtime in RUNTIMES.items()},
    }


def _write(request: Mapping[str, Any]) -> dict[str, Any]:
    """Write a model's file. ranges: an .npy of normalised images that int8-static learns from."""
    import numpy as np

    ranges = np.load(request["ranges"], allow_pickle=False) if request["ranges"] else ()
    file = deploy(
        Path(request["folder"]),
        request["runtime"],
        request["precision"],
        Path(request["out"]),
        batch=request["batch"],
        calibration=ranges,
    )
    return {"path": str(file.path), "bytes": file.file_bytes}


def _test(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many images of an .npz the file gets right, by k of top-k.

    The .npz holds pixels, labels, the number of classes, and the normalisation's mean and std.
    """
    import numpy as np

    from ...training.data.images import Images, Normalisation
    from .facts import accuracy_of

    with np.load(request["images"], allow_pickle=False) as kept:
        classes = tuple(map(str, range(int(kept["classes"]))))
        images = Images(kept["pixels"], kept["labels"], classes)
        norm = Normalisation(tuple(kept["mean"].tolist()), tuple(kept["std"].tolist()))
    found = accuracy_of(deployed_of(request["file"]), images, norm).accuracy
    return {"images": found.images, "correct": {str(k): n for k, n in found.correct.items()}}


if __name__ == "__main__":
    serve(Worker().answer)
