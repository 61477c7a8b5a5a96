"""The process that runs what was built: `python -m vitprof.profiler.runtimes.runner`.

It imports a runtime and nothing that builds. Between requests it waits, so that another runtime's
process has the machine.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...backends import BackendError, Executable, LoadsFiles
from ...tables.setting import PartialSetting
from ..gate import examined
from ..sampling.clock import SystemClock
from ..sampling.timed_run import timed_run
from ..target import Target, target_of
from .child import serve


class Runner:
    """Sessions by number; a request opens one, runs it or closes it."""

    def __init__(self) -> None:
        self._sessions: dict[int, tuple[Executable, Target]] = {}
        self._targets: dict[str, Target] = {}
        self._clock = SystemClock()

    def answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        do = request["do"]
        if do == "run":
            return asdict(timed_run(self._sessions[request["session"]][0], self._clock))
        if do == "open":
            return self._open(request)
        if do == "outputs":
            return self._outputs(request)
        if do == "environment":
            return self._environment(request)
        self._sessions.pop(request["session"])[0].close()
        return {}

    def _target(self, setting: Mapping[str, Any]) -> Target:
        key = repr(sorted(setting.items()))
        if key not in self._targets:
            self._targets[key] = target_of(PartialSetting(**setting))
        return self._targets[key]

    def _open(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Open a session of a file; it is not run yet."""
        target, path = self._target(request["setting"]), Path(request["path"])
        backend = target.backend
        if isinstance(backend, LoadsFiles):
            session = backend.load_file(path, target.options)
        else:
            session = backend.load(path.read_bytes(), target.options)
        number = 1 + max(self._sessions, default=0)
        self._sessions[number] = session, target
        # Nothing of what is timed makes garbage; a collection would be in some sample.
        gc.collect()
        gc.disable()
        return {"session": number}

    def _outputs(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run once and write the outputs; return what else the session tells of itself.

        Raises BackendError where it computes less exactly than was asked for.
        """
        import numpy as np

        session, target = self._sessions[request["session"]]
        session.run()
        finding = examined(session, None, target.options)
        if finding.wrong is not None:
            raise BackendError(finding.wrong)
        np.savez(request["out"], *session.outputs())
        return {"delegated": finding.delegated, "computes_in": finding.effective_dtype or None}

    def _environment(self, request: Mapping[str, Any]) -> dict[str, Any]:
        target = self._target(request["setting"])
        return {"environment": target.backend.environment(target.options)}


if __name__ == "__main__":
    serve(Runner().answer)
