"""Measuring a table on the nodes of a Ray cluster that have the device.

Ray places one worker on each such device (`fleet_worker.py`). The plan is cut into chunks; a worker
gets the next one when it has done its last, and what it tells after every group goes into the same
journal that a local measurement writes. What a lost node had not yet reported goes to another.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from ...errors import UnfinishedError
from ...progress import OnProgress, no_progress
from ...ray_connection import ray_connection, why_closed
from ...tables import LatencyTable, Setting
from ...tables.row import READINGS
from ..journal import Journal
from ..measure import finished_table, header_of, with_threads
from ..plan import Plan, Point
from ..sampling.passes import progress
from ..sampling.protocol import Protocol
from ..sampling.sampler import groups_of
from .members import Member, Members
from .worker import Chunk, OpenBackend, Report, open_here

# The more chunks, the less is lost with a node and the evener the end; the fewer, the farther apart
# in time are a point's sessions.
CHUNKS_A_WORKER = 3
SECONDS_BETWEEN_LOOKS = 3.0


class Fleet:
    """The nodes of one Ray cluster that have a device, kept for as long as it is open.

    `setting` says what is measured; its provider may be empty for the nodes' backend's own.
    `on_note` gets a sentence for each event of a node; `what` is what others who want a
    node's device are told. Opening raises UserError where no cluster answers, or none of its nodes
    has the device free.
    """

    def __init__(
        self,
        address: str,
        setting: Setting,
        *,
        what: str = "vitprof measure --ray",
        on_note: Callable[[str], None] = lambda _: None,
        open_backend: OpenBackend = open_here,
    ) -> None:
        self.address = address
        self.setting = setting
        self.what = what
        self.on_note = on_note
        self.open_backend = open_backend

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._ray = stack.enter_context(ray_connection(self.address))
            self._head = self._ray.get_runtime_context().gcs_address
            self._next_look = time.monotonic()
            self._members = Members(self._ray, self.on_note)
            stack.callback(self._members.close)
            self._members.start(self.setting, self.what, self.open_backend)
            self._open = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def measure_table(
        self,
        plan: Plan,
        out: str | Path,
        *,
        protocol: Protocol | None = None,
        fresh: bool = False,
        budget_s: float | None = None,
        on_progress: OnProgress = no_progress,
    ) -> LatencyTable:
        """Measure the plan's points into the CSV at `out`, as `measure.measure_table` does here.

        May be called again, with more points, while the fleet is open. Raises UnfinishedError when
        no node is left before all is measured: the file holds what was done, and the same call goes
        on from there.
        """
        started = time.perf_counter()
        out = Path(out)
        one = self._members.keep_alike(out, fresh)
        protocol = with_threads(protocol or Protocol(), one.setting.threads)
        header = header_of(plan, one.setting, protocol, one.environment, one.seen)
        with Journal.open(out, header, fresh, plan.axes) as journal:
            run = _Run(plan, journal, protocol, budget_s)
            on_progress(*progress(plan.points, journal, protocol))
            for member, report in self._reports(run):
                run.write_down(member, report)
                on_progress(*progress(plan.points, journal, protocol))
        missing = len(run.lacking(plan.points))
        if missing:
            raise UnfinishedError(
                f"no node of the fleet is left: {missing} of {len(plan.points)} points are not "
                f"measured; what is done is kept in {out}, and the same command continues from "
                "there.",
                done=len(plan.points) - missing,
                missing=missing,
            )
        seconds = {"total": time.perf_counter() - started, **run.seconds}
        table = finished_table(plan, protocol, journal, seconds, run.fleet)
        table.to_csv(out)
        return table

    def _reports(self, run: _Run) -> Iterator[tuple[Member, Report]]:
        """Hand out chunks and yield what comes back, until all is done or no worker is left.

        A report is in the journal before the next is asked for: what a lost worker leaves is what
        the journal lacks.
        """
        members = self._members
        waiting = deque(run.chunks(len(members.present)))
        idle = deque(members.present)
        running: dict[Any, tuple[Member, list[Point]]] = {}
        while True:
            while waiting and idle:
                member, points = idle.popleft(), waiting.popleft()
                running[member.actor.start.remote(run.chunk(points))] = (member, points)
            if not running:
                return
            # In short waits: Ray does not hear Ctrl-C within one.
            came, _ = self._ray.wait(list(running), num_returns=1, timeout=1.0)
            self._look_after_the_head()
            for answer in came:
                member, points = running.pop(answer)
                try:
                    report = self._ray.get(answer)
                except self._ray.exceptions.RayError as error:
                    left = run.lacking(points)
                    if left:
                        waiting.appendleft(left)
                    how = members.lose(member, error)
                    others = "go to the others" if members.present else "have no other node"
                    self.on_note(
                        f"lost: {member.name}, {how}; its {len(left)} unfinished points {others}."
                    )
                    continue
                yield member, report
                if report.finished:
                    idle.append(member)
                else:
                    running[member.actor.go_on.remote()] = (member, points)

    def _look_after_the_head(self) -> None:
        """Say it, once, when the cluster's head is gone: Ray itself ends this process for that."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + SECONDS_BETWEEN_LOOKS
        if why_closed(self._head):
            self._next_look = math.inf
            self.on_note(
                "the head of the Ray cluster does not answer; if it stays away, Ray ends this "
                "command within about a minute, and the same command continues from what is kept."
            )


@dataclass
class _Share:
    """What one node did of a table."""

    sessions: int = 0
    reference_ms: list[float] = field(default_factory=list)


class _Run:
    """One table being measured: its journal, what is left to do, and who did what."""

    def __init__(
        self, plan: Plan, journal: Journal, protocol: Protocol, budget_s: float | None
    ) -> None:
        self._plan = plan
        self._journal = journal
        self._protocol = protocol
        self._references = journal.references
        self._ends = None if budget_s is None else time.monotonic() + budget_s
        self._shares: dict[str, _Share] = defaultdict(_Share)
        self._spent: Counter[str] = Counter(build=0, load=0, warmup=0, timed=0)

    def lacking(self, points: Sequence[Point]) -> list[Point]:
        """Return those of the points that are not done."""
        return [point for point in points if point.key not in self._journal.done]

    def chunks(self, workers: int) -> list[list[Point]]:
        """Return what is left to do in random order, cut for so many workers."""
        points = self.lacking(self._plan.points)
        random.Random(self._protocol.seed).shuffle(points)  # noqa: S311 - an order, not a secret
        most = math.ceil(len(points) / (CHUNKS_A_WORKER * workers))
        return [list(chunk) for chunk in groups_of(points, max(most, self._protocol.group))]

    def chunk(self, points: Sequence[Point]) -> Chunk:
        """Return points as a worker wants them, with their sessions and the time left."""
        sessions = [row for p in points for row in self._journal.partial.get(p.key, ())]
        left = None if self._ends is None else max(self._ends - time.monotonic(), 0.0)
        return Chunk(tuple(points), tuple(sessions), self._protocol, self._references, left)

    def write_down(self, member: Member, report: Report) -> None:
        """Put a report's rows into the journal, and what it says of the node beside."""
        share = self._shares[member.node[:8]]
        for row in report.rows:
            if row.verdict == "partial":
                self._journal.append_session(row)
                if row.context != READINGS:
                    share.sessions += 1
                    share.reference_ms += row.reference_ms
            else:
                self._journal.append_point(row)
        if report.finished:
            self._spent.update(report.seconds)

    @property
    def seconds(self) -> dict[str, float]:
        """What finished chunks took, added up over the workers."""
        return dict(self._spent)

    @property
    def fleet(self) -> list[Any]:
        """What the table's header says of the nodes, those of earlier runs first."""
        return [
            *self._journal.header.fleet,
            *(
                {
                    "node": node,
                    "sessions": share.sessions,
                    "reference_ms": round(float(np.median(share.reference_ms)), 6)
                    if share.reference_ms
                    else None,
                }
                for node, share in self._shares.items()
            ),
        ]
