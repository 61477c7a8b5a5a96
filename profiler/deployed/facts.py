"""What a deployed model is and does, every figure measured: size, accuracy, latency, memory."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ...models import create_spec
from ...progress import OnProgress, no_progress
from ..side_by_side import SESSIONS, Timing, measure_side_by_side
from .deployed import Deployed
from .process_memory import ProcessMemory

if TYPE_CHECKING:
    from ...training.data.images import Images, Normalisation
    from ...training.evaluate import Accuracy


@dataclass(frozen=True)
class Tested:
    """How accurate a file is on test images, and the seconds that it took over them all.

    Those seconds are of one pass on a machine that does other things too; compare latencies by
    `Timing`.
    """

    accuracy: Accuracy
    seconds: float


def accuracy_of(
    deployed: Deployed,
    images: Images,
    norm: Normalisation,
    on_progress: OnProgress = no_progress,
    stage: str = "testing",
) -> Tested:
    """Return what this very file answers on the images."""
    from ...training.evaluate import evaluate

    module = deployed.module()
    started = time.perf_counter()
    accuracy = evaluate(
        module, images, norm, deployed.by.images_at_once(deployed), on_progress, stage
    )
    return Tested(accuracy, time.perf_counter() - started)


@dataclass(frozen=True)
class Facts:
    """One model as measured. Times are of a run, that is of `batch` images; sizes in bytes.

    top1 … are None for a model that was not tested, test_s too. output_error is how far the outputs
    are from fp32's (`output_error.py`), None where that was not compared.
    """

    name: str
    runtime: str
    precision: str
    batch: int
    threads: int
    params: int
    macs: int
    file_bytes: int
    latency_ms: float
    low_ms: float
    high_ms: float
    cpu_percent: float
    peak_bytes: int
    model_bytes: int
    top1: float | None = None
    top3: float | None = None
    images: int = 0
    test_s: float | None = None
    output_error: float | None = None
    disturbed: bool = False

    @classmethod
    def of(
        cls,
        name: str,
        deployed: Deployed,
        timing: Timing,
        memory: ProcessMemory,
        found: Tested | None,
    ) -> Facts:
        spec = deployed.spec or create_spec(deployed.folder)
        of_test: dict[str, Any] = {}
        if found is not None:
            accuracy = found.accuracy
            of_test = {
                "top1": accuracy.top(1),
                "top3": accuracy.top(3),
                "images": accuracy.images,
                "test_s": found.seconds,
            }
        return cls(
            name,
            deployed.runtime,
            deployed.precision,
            deployed.batch,
            deployed.threads,
            spec.params,
            spec.macs,
            deployed.file_bytes,
            timing.latency_ms,
            timing.low_ms,
            timing.high_ms,
            timing.cpu_percent,
            memory.peak_bytes,
            memory.of_model_bytes,
            disturbed=timing.disturbed,
            **of_test,
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Facts:
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def scaled(self, ratio: float) -> Facts:
        """Return the same with its latency brought to another speed of the machine."""
        return replace(
            self,
            latency_ms=ratio * self.latency_ms,
            low_ms=ratio * self.low_ms,
            high_ms=ratio * self.high_ms,
        )

    def with_test_of(self, other: Facts) -> Facts:
        """Return the same with what another run of the same file answered."""
        return replace(self, top1=other.top1, top3=other.top3, images=other.images)


def facts_of(
    models: Mapping[str, Deployed],
    images: Images | None,
    norm: Normalisation | None,
    sessions: int = SESSIONS,
    on_progress: OnProgress = no_progress,
    to_test: Collection[str] | None = None,
    with_memory: Collection[str] | None = None,
) -> dict[str, Facts]:
    """Return what each of the models is and does; latencies are measured side by side.

    images, norm: what they are tested on; without images they are not. to_test, with_memory: only
    these are tested, and only of these is memory measured (0 elsewhere). Raises BackendError where
    one cannot be run.
    """
    found: dict[str, Tested] = {}
    memory: dict[str, ProcessMemory] = {}
    for name, deployed in models.items():
        if images is not None and norm is not None and (to_test is None or name in to_test):
            found[name] = accuracy_of(deployed, images, norm, on_progress, f"testing {name}")
        wanted = with_memory is None or name in with_memory
        memory[name] = deployed.memory() if wanted else ProcessMemory(0, 0)
    timings = measure_side_by_side(
        {name: deployed.open for name, deployed in models.items()},
        max(deployed.threads for deployed in models.values()),
        sessions,
        on_progress=lambda done, total: on_progress(
            "measuring side by side", done, total, "sessions"
        ),
    )
    return {
        name: Facts.of(name, deployed, timings[name], memory[name], found.get(name))
        for name, deployed in models.items()
    }
