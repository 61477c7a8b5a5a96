"""The part of a fleet that runs on a node: one worker a device, measuring what it is handed.

A driver in another process (`fleet.py`) creates it as a Ray actor and calls one method at a time.
Nothing else runs in its process, so what is timed here is timed as it is at home.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from ... import __version__
from ...backends import Backend, create_backend, find_device, measuring_hazards
from ...errors import UserError
from ...tables import Row, Setting
from ...tables.references import NO_REFERENCES, References
from ..journal import MemoryJournal
from ..place.device_identity import device_identity
from ..place.device_lock import device_lock
from ..place.environment import fingerprint, observed
from ..plan import Point
from ..sampling.clock import Clock, SystemClock
from ..sampling.passes import Passes
from ..sampling.protocol import Protocol
from ..target import Target
from ..workshop import Workshop

# From a setting to what measures it on the node, and its clock; raises UserError where it cannot.
OpenBackend = Callable[[Setting], tuple[Backend, Clock]]


def open_here(setting: Setting) -> tuple[Backend, Clock]:
    """Return the backend of the setting's device; raises UserError on a machine without it."""
    return create_backend(find_device(setting.device), setting.backend), SystemClock()


@dataclass(frozen=True)
class Chunk:
    """Points for one worker, and the sessions of them that were measured before."""

    points: tuple[Point, ...]
    sessions: tuple[Row, ...]
    protocol: Protocol
    references: References = NO_REFERENCES
    budget_s: float | None = None


@dataclass(frozen=True)
class Report:
    """What a worker has to tell after a group of points.

    `rows` are new: sessions (verdict "partial") and finished points, in the order they came.
    `seconds` is what the whole chunk took so far, by what was done.
    """

    rows: tuple[Row, ...]
    finished: bool
    seconds: Mapping[str, float]


class FleetWorker:
    """Measures on the device that Ray reserved for it; holds the node's lock of it meanwhile."""

    def __init__(self, open_backend: OpenBackend = open_here) -> None:
        self._open_backend = open_backend
        self._open = ExitStack()
        self._steps: Iterator[None] = iter(())

    def introduce(self, version: str, setting: Mapping[str, Any], what: str) -> dict[str, Any]:
        """Open the device and return what identifies it; {"refused": why} where that fails.

        `setting` is a Setting's fields with an empty provider for the backend's own; `what` is told
        to whoever wants the device meanwhile. Plain values both ways: a node may have another
        vitprof, which is refused here.
        """
        import ray

        context = ray.get_runtime_context()
        node = {"node": context.get_node_id(), "address": ray.util.get_node_ip_address()}
        if version != __version__:
            return node | {
                "refused": f"it has vitprof {__version__}, this is {version}; install the same "
                "version on all nodes."
            }
        notes: list[str] = []
        try:
            opened = self._open_device(Setting(**setting), what, notes)
        except UserError as error:
            return node | {"refused": str(error)}
        return node | opened | {"notes": [*notes, *measuring_hazards(self._target.setting.threads)]}

    def _open_device(self, setting: Setting, what: str, notes: list[str]) -> dict[str, Any]:
        backend, self._clock = self._open_backend(setting)
        setting = replace(setting, provider=setting.provider or backend.default_provider)
        self._target = Target(backend, setting)
        backend.check(self._target.options)
        identity = device_identity(find_device(setting.device), setting.provider)
        self._open.enter_context(device_lock(identity, what, notes.append))
        self._workshop = self._open.enter_context(Workshop(self._target))
        return {
            "setting": setting.as_dict(),
            "environment": fingerprint(self._target),
            "observed": observed(),
        }

    def start(self, chunk: Chunk) -> Report:
        """Begin to measure a chunk, as `Passes` does; return what its first group said."""
        self._journal = _NewsJournal(chunk.sessions)
        self._before_s = (self._workshop.build_s, self._workshop.load_s)
        self._passes = Passes(
            self._target,
            chunk.protocol,
            references=chunk.references,
            budget_s=chunk.budget_s,
            clock=self._clock,
        )
        self._steps = self._passes.steps(chunk.points, self._journal, self._workshop)
        return self.go_on()

    def go_on(self) -> Report:
        """Measure the next group of the chunk."""
        finished = next(self._steps, self) is self
        build_s, load_s = self._before_s
        seconds = {
            "build": self._workshop.build_s - build_s,
            "load": self._workshop.load_s - load_s,
            "warmup": self._passes.spent.warmup_s,
            "timed": self._passes.spent.timed_s,
        }
        return Report(self._journal.take_news(), finished, seconds)

    def close(self) -> None:
        """Give back the device and what was compiled for it."""
        self._steps = iter(())
        self._open.close()


class _NewsJournal(MemoryJournal):
    """Keeps a chunk's sessions and points, and those that were not yet sent."""

    def __init__(self, sessions: tuple[Row, ...]) -> None:
        super().__init__()
        self._news: list[Row] = []
        for row in sessions:
            super().append_session(row)

    def append_session(self, row: Row) -> None:
        super().append_session(row)
        self._news.append(row)

    def append_point(self, row: Row) -> None:
        super().append_point(row)
        self._news.append(row)

    def take_news(self) -> tuple[Row, ...]:
        news, self._news = tuple(self._news), []
        return news
