"""Measurements as the figures of a question, and the verification of what it chose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...errors import UserError
from ...notes import note
from ...search.deployment_space.limits import Figures, Limits
from ...search.deployment_space.policy import ranking
from .log import figures_of

if TYPE_CHECKING:
    from ...profiler.deployed.beside_reference import Ratio
    from ...search.deployment_space.deployment import Deployment
    from ...search.deployment_space.knowledge import Knowledge
    from ...tables.speed import Speed
    from ...training.data.images import Images
    from .machine import DeploymentMachine

# The best and the next two are verified side by side, in so many fresh sessions at least.
VERIFIED, SESSIONS = 3, 6
# Where none of them keeps its limit then, the next ones are verified, so many times in all.
ROUNDS = 3


@dataclass(frozen=True)
class Verified:
    """A deployment measured beside the others that came near, and tested on other images.

    accuracy: None where no images are left; keeps: whether its latency keeps the limit, but for
    the width of its interval.
    """

    place: int
    latency_ms: float
    low_ms: float
    high_ms: float
    accuracy: float | None
    images: int
    keeps: bool
    disturbed: bool


@dataclass
class Measuring:
    """What a machine measures, as the figures that limits are of.

    top: of top-k accuracy; tail: latency is the 99th percentile.
    """

    machine: DeploymentMachine
    knowledge: Knowledge
    limits: Limits
    at: Speed
    top: int
    tail: bool

    def recall(self) -> None:
        """Tell the knowledge what the log has of its deployments."""
        for place, deployment in enumerate(self.knowledge.deployments):
            known = self.machine.known(deployment)
            if isinstance(known, str):
                self.knowledge.refuse(place, known)
            elif known is not None:
                self.knowledge.measured[place] = self._figures(deployment)
        if self.knowledge.measured:
            log = self.machine.log.path
            note(f"{len(self.knowledge.measured)} deployments are measured already ({log}).")

    def measure(self, deployment: Deployment) -> Figures:
        """Measure one, and state all others at the speed that is known by now."""
        self.machine.record(deployment)
        for place in self.knowledge.measured:
            self.knowledge.measured[place] = self._figures(self.knowledge.deployments[place])
        return self._figures(deployment)

    def _figures(self, deployment: Deployment) -> Figures:
        log = self.machine.log
        record = log.records[deployment.name]
        reference_ms = log.reference_ms(self.at)
        return figures_of(record, reference_ms, self.top, deployment.way.batch, tail=self.tail)

    def verified(self, others: Callable[[int], Images | None]) -> list[Verified]:
        """Return the best and the next two, measured side by side; the best that keeps is first.

        Their latencies are then those that were measured side by side.

        Raises UserError where none keeps its limit when it is measured again.
        """
        order = ranking(self.knowledge, self.limits)
        found: list[Verified] = []
        for nth in range(ROUNDS):
            places = order[nth * VERIFIED : (nth + 1) * VERIFIED]
            if not places:
                break
            found = self._side_by_side(places, others)
            for one in found:
                figures = self.knowledge.measured[one.place]
                self.knowledge.measured[one.place] = replace(figures, latency_ms=one.latency_ms)
            if any(one.keeps for one in found):
                return sorted(found, key=self._rank)
            note("those that were chosen are over the limit when measured side by side; next ones.")
        raise UserError(
            f"of the {len(self.knowledge.measured)} deployments that were measured, those within "
            "the limits were over `max_latency` when they were measured side by side; allow more, "
            "or measure again on a quiet machine."
        )

    def _rank(self, one: Verified) -> tuple[bool, float, float]:
        return not one.keeps, -self.knowledge.measured[one.place].accuracy, one.latency_ms

    def _side_by_side(
        self, places: list[int], others: Callable[[int], Images | None]
    ) -> list[Verified]:
        chosen = [self.knowledge.deployments[place] for place in places]
        sessions = max(self.machine.sessions, SESSIONS)
        ratios = self.machine.side_by_side(chosen, sessions)
        reference_ms = self.machine.log.reference_ms(self.at)
        found = []
        for place, one in zip(places, chosen, strict=True):
            ratio: Ratio = ratios[one.name]
            scale = reference_ms * (ratio.tail if self.tail else 1.0) / one.way.batch
            images = others(one.variant.resolution)
            tops = None if images is None else self.machine.tested_on(one, images)
            limit = self.limits.latency_ms
            found.append(
                Verified(
                    place,
                    scale * ratio.ratio,
                    scale * ratio.low,
                    scale * ratio.high,
                    None if tops is None else tops[self.top],
                    0 if images is None else len(images),
                    limit is None or scale * ratio.low <= limit,
                    ratio.disturbed,
                )
            )
        return found
