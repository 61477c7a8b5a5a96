"""Where a model's run time goes: the instrumented run's shares of the uninstrumented time.

A profiler that records every node slows the run down (a small model's to several times its time),
so its times are not the model's. Its shares are used, and the total is measured without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ...backends import BackendError, BackendOptions
from ...errors import UserError
from ...models import Spec
from ...progress import OnProgress, no_progress
from ...tables.row import Verdict
from ..measure import measure_models
from ..sampling.clock import Clock
from ..sampling.protocol import fixed_protocol
from ..target import Target
from ..workshop import CannotBuildError, Workshop
from .classes import CLASSES, COMPUTE_BOUND, MEMORY_BOUND, OTHER
from .profile import Node, Profile, merged

# A quiet machine's profile, less its recording, sums to the latency within 6 %.
FARTHEST_SCALE = 1.10

# Profiles one fresh session: (artifact, options, untimed runs, runs).
ProfileSession = Callable[[bytes, BackendOptions, int, int], Profile]


@dataclass(frozen=True)
class ClassTime:
    """What one class of operations takes of a run, in ms of the uninstrumented total.

    `macs` and `bytes` are a run's; None where a node's shapes do not tell them.
    """

    ms: float
    share: float
    nodes: int
    macs: int | None
    bytes: int | None

    @property
    def gmacs_per_s(self) -> float | None:
        return self.macs / self.ms / 1e6 if self.macs and self.ms > 0 else None

    @property
    def gbytes_per_s(self) -> float | None:
        return self.bytes / self.ms / 1e6 if self.bytes and self.ms > 0 else None

    @property
    def macs_per_byte(self) -> float | None:
        """The arithmetic intensity."""
        return self.macs / self.bytes if self.macs and self.bytes else None


@dataclass(frozen=True)
class HeavyNode:
    """A node and its part of the uninstrumented total."""

    node: Node
    ms: float
    share: float


@dataclass(frozen=True)
class Breakdown:
    """Where the run time of `model` goes.

    `latency_ms` (95 % interval `low_ms` .. `high_ms`) is measured without a profiler; `profile` is
    the instrumented run whose shares divide it.
    """

    model: str
    latency_ms: float
    low_ms: float
    high_ms: float
    profile: Profile
    verdict: Verdict = "stable"
    error: str = ""

    def __post_init__(self) -> None:
        if not self.net_ms > 0:
            raise UserError(
                f"the profile of {self.model or 'the model'} shows no time in any node, for its "
                "clock counts whole microseconds; give a larger `batch`."
            )

    @cached_property
    def net_ms(self) -> float:
        """The instrumented time inside nodes, without what recording them cost."""
        return math.fsum(self.profile.net_ms(node) for node in self.profile.nodes)

    @property
    def scale(self) -> float:
        """What the instrumented time of a node is multiplied with."""
        return self.latency_ms / self.net_ms

    @property
    def was_disturbed(self) -> bool:
        """Whether the run with the profiler and those without are too far apart to agree."""
        return not 1 / FARTHEST_SCALE <= self.scale <= FARTHEST_SCALE

    @cached_property
    def classes(self) -> dict[str, ClassTime]:
        """Every class by name, in the order of CLASSES; then "other" if a node is of none."""
        kinds = [*CLASSES, *([OTHER] if self.other_ops else [])]
        return {kind: self._class_time(kind) for kind in kinds}

    @property
    def other_ops(self) -> list[str]:
        """The operations that are of no class."""
        return sorted({node.op for node in self.profile.nodes if node.kind == OTHER})

    @property
    def memory_bound_share(self) -> float:
        return math.fsum(self.classes[kind].share for kind in MEMORY_BOUND)

    @property
    def compute_bound_share(self) -> float:
        return math.fsum(self.classes[kind].share for kind in COMPUTE_BOUND)

    def heaviest(self, count: int) -> list[HeavyNode]:
        """Return the nodes that take longest."""
        heavy = [
            HeavyNode(node, self.scale * self.profile.net_ms(node), self._share([node]))
            for node in self.profile.nodes
        ]
        return sorted(heavy, key=lambda one: -one.ms)[:count]

    def _share(self, nodes: Sequence[Node]) -> float:
        return math.fsum(self.profile.net_ms(node) for node in nodes) / self.net_ms

    def _class_time(self, kind: str) -> ClassTime:
        nodes = [node for node in self.profile.nodes if node.kind == kind]
        share = self._share(nodes)
        return ClassTime(
            share * self.latency_ms,
            share,
            len(nodes),
            _sum([node.work.macs for node in nodes]),
            _sum([node.work.bytes for node in nodes]),
        )


def breakdown_models(
    specs: Sequence[Spec],
    target: Target,
    profile_session: ProfileSession,
    *,
    sessions: int = 3,
    warmup: int = 3,
    runs: int = 20,
    on_progress: OnProgress = no_progress,
    clock: Clock | None = None,
) -> list[Breakdown]:
    """Measure whole models, interleaved and without a profiler, then divide each by its profile.

    Both take `sessions` fresh sessions of `runs` runs after `warmup` untimed ones, and medians of
    them. Raises UserError for a model that cannot be built, run or profiled here.
    """
    protocol = fixed_protocol(sessions, warmup, runs, target.setting.threads)
    found: list[Breakdown] = []
    all_sessions = 2 * sessions * len(specs)

    def progress(done: int) -> None:
        on_progress("measuring", done, all_sessions, f"{len(found)}/{len(specs)} models")

    with Workshop(target) as workshop:
        rows = measure_models(
            specs,
            target,
            protocol=protocol,
            clock=clock,
            workshop=workshop,
            on_progress=lambda _stage, done, *_: progress(done),
        ).rows
        for spec, row in zip(specs, rows, strict=True):
            name = spec.name or "the model"
            if row.verdict == "failed":
                raise UserError(f"{name} cannot be run here: {row.error}.")
            profiles: list[Profile] = []
            for session in range(sessions):
                progress((len(specs) + len(found)) * sessions + session)
                try:
                    artifact = workshop.artifact(spec)
                    profiles.append(profile_session(artifact, target.options, warmup, runs))
                except (BackendError, CannotBuildError) as error:
                    raise UserError(f"{name} cannot be profiled here: {error}.") from error
            found.append(
                Breakdown(
                    spec.name,
                    row.latency_ms,
                    row.low_ms,
                    row.high_ms,
                    merged(profiles),
                    row.verdict,
                    row.error,
                )
            )
        progress(all_sessions)
    return found


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
