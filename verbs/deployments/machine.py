"""Measuring deployments on this machine, one at a time beside a reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

from ...backends import BackendError
from ...errors import UserError
from ...profiler.deployed.beside_reference import (
    REFERENCE,
    Ratio,
    WorkerSession,
    timed_beside,
)
from ...profiler.deployed.process_memory import answer_of_process
from ...profiler.deployed.worker import fields_of
from ...profiler.target import locked_device
from ...progress import OnProgress, no_progress
from ...search.deployment_space.policy import RefusedError
from ...tables.setting import PartialSetting
from .files import DeploymentFiles, shares
from .log import DeploymentLog, Record

if TYPE_CHECKING:
    from ...profiler.deployed.deployed import Deployed
    from ...profiler.runtimes.child import Child
    from ...profiler.sampling.timed_run import OpenSession
    from ...profiler.sustained.sensors import Gauge
    from ...search.deployment_space.deployment import Deployment, Variant
    from ...training.data.images import Images
    from .sources import MadeVariant

MEMORY_PROBE = "vitprof.profiler.deployed.memory_probe"
# A file in fp32 that is right so much more or less often than PyTorch's module computes something
# else.
ANSWERS_DIFFER = 0.01
ENERGY_SECONDS = 1.0


@dataclass
class DeploymentMachine:
    """Says what a deployment comes to, measuring it where `log` does not know.

    judged: the images of a resolution to judge by; energy: joules of this machine, where they
    count.
    """

    files: DeploymentFiles
    judged: Callable[[int], Images]
    log: DeploymentLog
    sessions: int
    energy: Gauge | None = None
    on_progress: OnProgress = no_progress

    def accuracies(self, top: int) -> dict[Variant, float]:
        """Return how often each variant is right in fp32, by PyTorch."""
        from ...models import create_model
        from ...training.evaluate import evaluate

        found = {}
        variants = self.files.variants
        for done, (variant, made) in enumerate(variants.items()):
            key = variant.name, made.digest
            if key not in self.log.accuracies:
                self.on_progress("judging models", done, len(variants), variant.name)
                model = create_model(made.folder, checkpoint=made.folder)
                tested = evaluate(model, self.judged(variant.resolution), made.norm)
                self.log.add_accuracy(*key, shares(tested.images, tested.correct))
            found[variant] = self.log.accuracies[key][top]
        self.on_progress("judging models", len(variants), len(variants), "")
        return found

    def known(self, deployment: Deployment) -> Record | str | None:
        """Return its record or why it was refused; None where it was not tried yet."""
        digest = self.files.variants[deployment.variant].digest
        record = self.log.records.get(deployment.name)
        if record is not None and record.digest == digest:
            return record
        return self.log.refused.get((deployment.name, digest))

    def record(self, deployment: Deployment) -> Record:
        """Return what was measured of it, measuring it now; raises RefusedError."""
        made = self.files.variants[deployment.variant]
        try:
            found = self._measured(deployment, made)
        except (BackendError, UserError) as error:
            reason = str(error).rstrip(".")
            self.log.add_refused(deployment.name, made.digest, reason)
            raise RefusedError(reason) from None
        self.log.add(found)
        return found

    def _measured(self, deployment: Deployment, made: MadeVariant) -> Record:
        name = deployment.name
        file = self.files.of(deployment)
        python = self.files.workers.python_of(file.runtime)
        peak = round(answer_of_process(MEMORY_PROBE, fields_of(file), python)["peak"])
        file_name = replace(deployment, way=replace(deployment.way, threads=1)).name
        tops = self.log.answers_of(file_name, made.digest)
        if tops is None:
            judged = self.judged(deployment.variant.resolution)
            tops = self.files.tested(file, judged, made.norm)
            self._check_answers(deployment, made, tops)
        ratio = self._timed({name: file}, self.sessions)[name]
        found = Record(name, file_name, made.digest, ratio, tops, peak, file.file_bytes)
        return found if self.energy is None else replace(found, energy_mj=self._energy_mj(file))

    def _check_answers(
        self, deployment: Deployment, made: MadeVariant, tops: Mapping[int, float]
    ) -> None:
        """Raise BackendError where an exact file answers otherwise than the module."""
        if deployment.way.dtype != "fp32":
            return
        exact = self.log.accuracies.get((deployment.variant.name, made.digest))
        if exact is not None and abs(tops[1] - exact[1]) > ANSWERS_DIFFER:
            raise BackendError(
                f"it computes something else: top-1 is {100 * tops[1]:.2f} % in fp32, and "
                f"{100 * exact[1]:.2f} % by PyTorch"
            )

    def side_by_side(self, deployments: Sequence[Deployment], sessions: int) -> dict[str, Ratio]:
        """Return the ratios of several that are run in turns."""
        return self._timed({one.name: self.files.of(one) for one in deployments}, sessions)

    def tested_on(self, deployment: Deployment, images: Images) -> dict[int, float]:
        """Return how often it is right on images of its resolution, by k."""
        norm = self.files.variants[deployment.variant].norm
        return self.files.tested(self.files.of(deployment), images, norm)

    def _timed(self, files: Mapping[str, Deployed], sessions: int) -> dict[str, Ratio]:
        workers = self.files.workers
        opened = {
            name: _opening(workers.of("run", file.runtime), file) for name, file in files.items()
        }
        reference = self.files.reference()
        opened[REFERENCE] = _opening(workers.of("reference", reference.runtime), reference)
        what = next(iter(files)) if len(files) == 1 else f"{len(files)} side by side"
        with locked_device(PartialSetting(), "vitprof choose", wait=math.inf):
            return timed_beside(
                opened,
                max(file.threads for file in files.values()),
                sessions,
                on_session=lambda done, total: self.on_progress("timing", done, total, what),
            )

    def _energy_mj(self, file: Deployed) -> float | None:
        """Return the millijoules of a run, by the counter of the whole machine."""
        assert self.energy is not None
        worker = self.files.workers.of("run", file.runtime)
        with WorkerSession(worker, file) as session:
            session.run()
            before, runs, started = self.energy.read(), 0, perf_counter()
            while perf_counter() - started < ENERGY_SECONDS:
                session.run()
                runs += 1
            after = self.energy.read()
        return None if before is None or after is None else 1e3 * (after - before) / runs


def _opening(worker: Child, file: Deployed) -> Callable[[], OpenSession]:
    return lambda: WorkerSession(worker, file)
