"""A runtime on a simulated machine: what everything costs there, and sessions that cost it."""

from __future__ import annotations

import math
import random
from types import EllipsisType
from typing import TYPE_CHECKING

from vitprof.backends import BackendOptions
from vitprof.closing import Closing
from vitprof.models import Block, Spec
from vitprof.profiler.plan import Subject
from vitprof.profiler.sampling.reference import STANDARD
from vitprof.profiler.target import Target
from vitprof.profiler.workshop import Artifact, Workshop
from vitprof.tables import Setting

from .machine import Machine
from .replay import LoggedRun
from .weather import Weather

if TYPE_CHECKING:
    import numpy as np
    import torch

# MACs a millisecond, and how far an op follows the machine: as measured on a two-core Xeon.
PACE = {"patch_embed": 5e7, "attention": 5.5e7, "mlp": 7e7, "classifier": 2e7}
EXPONENTS = {"patch_embed": 0.97, "attention": 0.95, "mlp": 1.0, "classifier": 1.0}
OF_MODELS = 0.91
# Blocks of one op do not follow it all alike.
SD_OF_EXPONENTS = 0.02
SETTING = Setting("simulated", "simulated")


def truth_ms(subject: Subject) -> float:
    """Return what a subject takes on the undisturbed machine, in ms.

    Whole models cost more than their blocks do alone, which calibration has to find out.
    """
    if isinstance(subject, Spec):
        return 0.2 + 1.05 * sum(truth_ms((block,)) for block in subject.blocks())
    return sum(0.03 + block.macs / PACE[block.op] for block in subject)


def exponent_of(subject: Subject) -> float:
    """Return how a subject follows the machine; MLPs of the reference's kind follow it exactly."""
    if isinstance(subject, Spec):
        mean, name = OF_MODELS, repr(subject)
    elif subject[0].op == "mlp" and subject[0].params > 4e6:
        return 1.0
    else:
        mean, name = EXPONENTS[subject[0].op], repr(subject)
    return mean + random.Random(name).gauss(0.0, SD_OF_EXPONENTS)


class Session(Closing):
    """A fresh session of a subject: lucky or not, and every run a little different.

    It is logged as its subject, or as something else: None for the reference.
    """

    def __init__(
        self,
        subject: Subject,
        machine: Machine,
        log: list[LoggedRun],
        logged_as: Subject | EllipsisType | None = ...,
    ) -> None:
        self.logged_as = subject if logged_as is ... else logged_as
        self.subject = subject
        self.runs = 0
        self.machine = machine
        self.log = log
        luck = math.exp(machine.rng.gauss(0.0, machine.weather.luck_sd))
        self.ms = luck * truth_ms(subject)
        self.exponent = exponent_of(subject)

    def run(self) -> None:
        machine, weather = self.machine, self.machine.weather
        before = machine.wall(), machine.cpu(), machine.preemptions()
        noise = math.exp(machine.rng.gauss(0.0, weather.noise_sd))
        if machine.rng.random() < weather.tail:
            noise += machine.rng.expovariate(1 / 0.04)
        machine.run(self.ms * noise, self.exponent)
        self.runs += 1
        after = machine.wall(), machine.cpu(), machine.preemptions()
        wall, cpu, switches = (b - a for a, b in zip(before, after, strict=True))
        self.log.append(LoggedRun(self.logged_as, before[0], wall, cpu, switches))

    def outputs(self) -> list[np.ndarray]:
        return []

    def close(self) -> None:
        pass


class SimulatedRuntime:
    """A backend that loads sessions on a machine. It is also where artifacts come from.

    An artifact is a subject's number, so that nothing is compiled.
    """

    name = "simulated"
    version = "1.0"
    default_provider = "simulated"
    reference: Block | None = STANDARD
    built: dict[str, object] = {}  # noqa: RUF012 - nothing is built elsewhere

    def __init__(self, weather: Weather, seed: int) -> None:
        self.machine = Machine(weather, seed)
        self.log: list[LoggedRun] = []
        self._subjects: list[Subject] = []
        self._opened: list[Session] = []

    @property
    def target(self) -> Target:
        return Target(self, SETTING)

    def workshop(self) -> Workshop:
        return Workshop(self.target, self)

    def artifact(self, subject: Subject) -> Artifact:
        if subject not in self._subjects:
            self._subjects.append(subject)
        return Artifact("simulated", str(self._subjects.index(subject)).encode())

    def load(self, artifact: bytes, options: BackendOptions) -> Session:
        self._opened.append(Session(self._subjects[int(artifact)], self.machine, self.log))
        return self._opened[-1]

    def reference_session(self) -> Session:
        """Return the session that told the speed of all others: it ran more often than any."""
        of_reference = [one for one in self._opened if one.subject == (self.reference,)]
        return max(of_reference, key=lambda one: one.runs)

    def build(
        self, module: torch.nn.Module, input_shape: tuple[int, ...], options: BackendOptions
    ) -> bytes:
        raise AssertionError("artifacts come from the runtime itself")

    def unavailable(self) -> str | None:
        return None

    def unbuildable(self) -> str | None:
        return None

    def check(self, options: BackendOptions) -> None:
        pass

    def trouble(self) -> str | None:
        return None

    def environment(self, options: BackendOptions) -> dict[str, object]:
        return {"name": self.name, "version": self.version, "threads": options.threads}
