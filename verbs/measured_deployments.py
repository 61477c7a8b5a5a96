"""Measuring deployments one at a time, each beside the same reference, and keeping the figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..backends import BackendError
from ..errors import UserError
from ..profiler.deployed.comparison import Comparison
from ..profiler.deployed.deployed import Deployed
from ..profiler.deployed.facts import Facts, facts_of
from ..profiler.deployed.facts_log import FactsLog
from ..profiler.target import locked_device
from ..progress import OnProgress, no_progress
from ..search.deployments.score import Measured
from ..tables.setting import PartialSetting

if TYPE_CHECKING:
    import numpy as np

    from ..search.deployments.space import Deployment, DeploymentSpace
    from ..training.data.images import Images, Normalisation

REFERENCE = "reference"


@dataclass
class MeasuredDeployments:
    """Says what a deployment comes to, measuring it where that is not known.

    folders: of each model; images, norm: what it is tested on, by its `top`-1 or -3 answers;
    ranges: images that int8-static learns of; files: folder for what is deployed.
    """

    space: DeploymentSpace
    folders: Mapping[str, Path]
    images: Images
    norm: Normalisation
    ranges: np.ndarray | Sequence[np.ndarray]
    files: Path
    log: FactsLog
    top: int
    sessions: int
    on_progress: OnProgress = no_progress
    _made: dict[tuple[str, str], Deployed] = field(default_factory=dict)

    def measured(self, deployment: Deployment) -> Measured:
        """Return the figures that a score is made of."""
        facts = self.facts(deployment)
        accuracy = facts.top3 if self.top == 3 else facts.top1
        assert accuracy is not None
        return Measured(
            accuracy, facts.latency_ms / facts.batch, facts.peak_bytes, facts.cpu_percent
        )

    def facts(self, deployment: Deployment) -> Facts:
        """Return what is known of a deployment, measuring it where nothing is."""
        name = deployment.name
        if name not in self.log.found:
            pair = {name: self.file(deployment), REFERENCE: self.file(self.space.first)}
            tested = self._tested_already(deployment)
            try:
                with locked_device(PartialSetting(), "vitprof choose", wait=math.inf):
                    found = facts_of(
                        pair,
                        self.images,
                        self.norm,
                        self.sessions,
                        self.on_progress,
                        to_test=() if tested else (name,),
                        with_memory=(name,),
                    )
            except BackendError as error:
                raise UserError(f"{name} cannot be run here: {error}.") from None
            beside = found[REFERENCE].latency_ms
            facts = found[name].scaled((self.log.reference_ms or beside) / beside)
            facts = facts if tested is None else facts.with_test_of(tested)
            self.log.add(name, deployment.model, facts, beside)
        return self.log.found[name]

    def file(self, deployment: Deployment) -> Deployed:
        """Write the deployment's file where this run did not yet; threads are not part of it."""
        key = deployment.model, deployment.precision
        if key not in self._made:
            self._made[key] = Comparison(sessions=self.sessions).write(
                self.folders[deployment.model],
                deployment.precision,
                self.files / deployment.model,
                calibration=self.ranges,
            )
        return replace(self._made[key], threads=deployment.threads)

    def _tested_already(self, deployment: Deployment) -> Facts | None:
        """Return the facts of the same file with other threads: its answers are the same."""
        for threads in self.space.threads:
            other = replace(deployment, threads=threads)
            if other.name in self.log.found:
                return self.log.found[other.name]
        return None
