"""Where a model's run time goes: the instrumented run's shares of the uninstrumented time.

A profiler that records every node slows the run down (a small model's to several times its time),
so its times are not the model's. Its shares are used, and the total is measured without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
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
from ..what_failed import what_failed
from ..workshop import CannotBuildError, Workshop
from .classes import CLASSES, COMPUTE_BOUND, MEMORY_BOUND, OTHER
from .origins.labels import BlockLabel
from .origins.traced import UNATTRIBUTED, Origin, Traced, Tracer
from .profile import Node, Profile, merged

# A quiet machine's profile, less its recording, sums to the latency within 6 %.
FARTHEST_SCALE = 1.10

# Profiles one fresh session: (artifact, options, untimed runs, runs).
ProfileSession = Callable[[bytes, BackendOptions, int, int], Profile]


@dataclass(frozen=True)
class PartTime:
    """What some nodes take of a run, in ms of the uninstrumented total.

    `macs` and `bytes` are a run's; None where a node's shapes do not tell them.
    """

    ms: float
    share: float
    nodes: int
    macs: int | None
    bytes: int | None

    @property
    def gmacs_per_s(self) -> float | None:
        return _rate(self.macs, self.ms)

    @property
    def gbytes_per_s(self) -> float | None:
        return _rate(self.bytes, self.ms)

    @property
    def macs_per_byte(self) -> float | None:
        """The arithmetic intensity."""
        return self.macs / self.bytes if self.macs and self.bytes else None


@dataclass(frozen=True)
class NodeTime:
    """A node and its part of the uninstrumented total; where it came from, if that was traced."""

    node: Node
    ms: float
    share: float
    origin: Origin | None = None

    @property
    def gmacs_per_s(self) -> float | None:
        return _rate(self.node.work.macs, self.ms)

    @property
    def gbytes_per_s(self) -> float | None:
        return _rate(self.node.work.bytes, self.ms)


@dataclass(frozen=True)
class BlockTime:
    """What one block takes: all of it, its nodes in order of execution, and its classes."""

    label: BlockLabel
    part: PartTime
    nodes: tuple[NodeTime, ...]
    classes: Mapping[str, PartTime]


@dataclass(frozen=True)
class Breakdown:
    """Where the run time of `model` goes.

    `latency_ms` (95 % interval `low_ms` .. `high_ms`) is measured without a profiler; `profile` is
    the instrumented run whose shares divide it. `traced` says where its nodes came from, None where
    nobody asked.
    """

    model: str
    latency_ms: float
    low_ms: float
    high_ms: float
    profile: Profile
    verdict: Verdict = "stable"
    error: str = ""
    traced: Traced | None = None

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
    def classes(self) -> dict[str, PartTime]:
        """Every class by name, in the order of CLASSES; then "other" if a node is of none."""
        return self._by_class(self.profile.nodes)

    @cached_property
    def nodes(self) -> tuple[NodeTime, ...]:
        """Every node in the order of execution; their times add up to the latency."""
        nodes = self.profile.nodes
        origins = [None] * len(nodes) if self.traced is None else self.traced.origins
        return tuple(
            NodeTime(node, self.scale * self.profile.net_ms(node), self._share([node]), origin)
            for node, origin in zip(nodes, origins, strict=True)
        )

    @cached_property
    def blocks(self) -> tuple[BlockTime, ...]:
        """Every block that has a node, in the order they run; those of no block last.

        Their times add up to the latency. Empty where nodes were not traced.
        """
        of_label: dict[BlockLabel, list[NodeTime]] = {}
        for one in self.nodes:
            if one.origin is not None:
                of_label.setdefault(one.origin.block, []).append(one)
        order = (*(self.traced.blocks if self.traced else ()), UNATTRIBUTED)
        return tuple(self._block(label, of_label[label]) for label in order if label in of_label)

    @property
    def unattributed_share(self) -> float:
        """What nodes of unknown origin take of the run."""
        return math.fsum(one.part.share for one in self.blocks if one.label == UNATTRIBUTED)

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

    def heaviest(self, count: int) -> list[NodeTime]:
        """Return the nodes that take longest."""
        return sorted(self.nodes, key=lambda one: -one.ms)[:count]

    def _share(self, nodes: Sequence[Node]) -> float:
        return math.fsum(self.profile.net_ms(node) for node in nodes) / self.net_ms

    def _block(self, label: BlockLabel, times: Sequence[NodeTime]) -> BlockTime:
        nodes = [one.node for one in times]
        return BlockTime(label, self._part(nodes), tuple(times), self._by_class(nodes))

    def _by_class(self, nodes: Sequence[Node]) -> dict[str, PartTime]:
        kinds = [*CLASSES, *([OTHER] if any(node.kind == OTHER for node in nodes) else [])]
        return {kind: self._part([node for node in nodes if node.kind == kind]) for kind in kinds}

    def _part(self, nodes: Sequence[Node]) -> PartTime:
        share = self._share(nodes)
        return PartTime(
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
    tracer: Tracer | None = None,
    sessions: int = 3,
    warmup: int = 3,
    runs: int = 20,
    on_progress: OnProgress = no_progress,
    clock: Clock | None = None,
) -> list[Breakdown]:
    """Measure whole models, interleaved and without a profiler, then divide each by its profile.

    Both take `sessions` fresh sessions of `runs` runs after `warmup` untimed ones, and medians of
    them. A `tracer` finds out where the nodes came from. Raises UserError for a model that cannot
    be built, run or profiled here.
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
            name = what_failed(spec)
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
            profile = merged(profiles)
            found.append(
                Breakdown(
                    spec.name,
                    row.latency_ms,
                    row.low_ms,
                    row.high_ms,
                    profile,
                    row.verdict,
                    row.error,
                    None if tracer is None else tracer(workshop, spec, profile.nodes),
                )
            )
        progress(all_sessions)
    return found


def _rate(count: int | None, ms: float) -> float | None:
    """Return 10^9 a second, None where nothing is counted or no time was seen."""
    return count / ms / 1e6 if count and ms > 0 else None


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
