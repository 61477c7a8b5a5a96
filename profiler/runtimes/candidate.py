"""A candidate: one way to run a model, and the Python that has its runtime."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...backends.registry import backend_names
from ...errors import UserError, did_you_mean
from ...tables.setting import PartialSetting

# What `runtimes` takes for all that is here.
ALL = "all"


@dataclass(frozen=True)
class Way:
    """A backend and how it executes; an empty provider is the backend's own."""

    backend: str
    provider: str = ""

    @property
    def name(self) -> str:
        """Return "torch" or "torch:compile"."""
        return f"{self.backend}:{self.provider}" if self.provider else self.backend


@dataclass(frozen=True)
class Candidate:
    """A way to run models, in a dtype, on this machine's CPU.

    `python` is the interpreter that runs it: runtimes whose wheels exclude each other live in
    environments of their own.
    """

    way: Way
    dtype: str
    python: str = field(default=sys.executable, compare=False)

    @property
    def name(self) -> str:
        """Return "openvino, int8"."""
        return f"{self.way.name}, {self.dtype}"

    def setting(self, batch: int, threads: int) -> PartialSetting:
        """Return the setting that it is measured under."""
        return PartialSetting(
            backend=self.way.backend,
            provider=self.way.provider or None,
            dtype=self.dtype,
            batch=batch,
            threads=threads,
        )


def ways_of(runtimes: str | Sequence[str]) -> list[Way] | None:
    """Return the ways that are named, None for all: "openvino", "torch:compile".

    Several stand in a list, or between commas. Raises UserError for an unknown backend.
    """
    words = runtimes.split(",") if isinstance(runtimes, str) else list(runtimes)
    words = [word.strip() for word in words if word.strip()]
    if words == [ALL]:
        return None
    found = []
    for word in words:
        backend, _, provider = word.partition(":")
        if backend not in backend_names():
            raise UserError(
                f"`runtimes` has '{word}', and backend '{backend}' is not known"
                f"{did_you_mean(backend, [*backend_names(), ALL])}."
            )
        found.append(Way(backend, provider))
    if not found:
        raise UserError(f"`runtimes` is empty; give '{ALL}' or names such as onnxruntime,torch.")
    if len(set(found)) < len(found):
        raise UserError("`runtimes` has one twice; give each once.")
    return found


def checked_environments(environments: Mapping[str, str]) -> dict[str, str]:
    """Return the interpreters by backend; raises UserError for a backend that is not known."""
    for backend in environments:
        if backend not in backend_names():
            raise UserError(
                f"`environments` has '{backend}', which is not a backend"
                f"{did_you_mean(backend, backend_names())}."
            )
    return dict(environments)
