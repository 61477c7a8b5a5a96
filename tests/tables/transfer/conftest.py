"""Tables of made-up devices: what a block costs there is a formula, and a whole model their sum."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from vitprof.models import Block, Spec
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.calibration.calibrate import calibrated

SPACE = ViTSlabs()


@dataclass(frozen=True)
class Device:
    """ms = scale · op's factor · (MACs / 10^8 + start + slow · bytes / 10^7) · e^(own of a block).

    A whole model takes `whole` times its blocks.
    """

    name: str
    scale: float = 1.0
    factors: tuple[tuple[str, float], ...] = ()
    start: float = 0.02
    slow: float = 0.05
    whole: float = 1.05
    own_sd: float = 0.0

    def block_ms(self, block: Block) -> float:
        luck = random.Random(f"{self.name} {block}").gauss(0, self.own_sd)
        work = block.macs / 1e8 + self.start + self.slow * block.bytes() / 1e7
        return self.scale * dict(self.factors).get(block.op, 1.0) * work * math.exp(luck)

    def model_ms(self, spec: Spec) -> float:
        return self.whole * sum(map(self.block_ms, spec.blocks()))

    def row(self, subject: Block | Spec, noise: float = 0.0) -> Row:
        """A row whose interval is of this relative noise, which also moves it."""
        is_block = isinstance(subject, Block)
        true = self.block_ms(subject) if is_block else self.model_ms(subject)
        ms = true * math.exp(random.Random(f"noise {self.name} {subject}").gauss(0, noise))
        wide = 1 + 1.96 * noise
        context = "alone" if is_block else "in_model"
        times = {"latency_ms": ms, "low_ms": ms / wide, "high_ms": ms * wide}
        return Row(subject, context=context, session_ms=(ms,) * 3, **times)

    def table(
        self, subjects: Sequence[Block | Spec], noise: float = 0.0, **setting: object
    ) -> LatencyTable:
        where = Setting(self.name, "made-up", "", **setting)
        rows = [self.row(subject, noise) for subject in subjects]
        return calibrated(LatencyTable(rows, where, source=f"{self.name}.csv"))


def random_device(seed: int, own_sd: float = 0.02) -> Device:
    """A device of any speed, whose ops differ from others' by some per cent."""
    rng = random.Random(f"device {seed}")
    ops = ("patch_embed", "attention", "mlp", "classifier")
    return Device(
        f"device-{seed}",
        math.exp(rng.uniform(-4, 4)),
        tuple((op, math.exp(rng.gauss(0, 0.15))) for op in ops),
        start=0.02 * math.exp(rng.gauss(0, 0.5)),
        slow=0.05 * math.exp(rng.gauss(0, 0.5)),
        whole=math.exp(rng.gauss(0.03, 0.05)),
        own_sd=own_sd,
    )


@pytest.fixture(scope="session")
def blocks() -> list[Block]:
    return SPACE.blocks()


@pytest.fixture(scope="session")
def models() -> list[Spec]:
    return SPACE.calibration_models(8, seed=0)


@pytest.fixture(scope="session")
def unseen() -> list[Spec]:
    rng = random.Random(9)
    return [SPACE.sample(rng, name=f"unseen-{n}") for n in range(20)]


@pytest.fixture(scope="session")
def device() -> Callable[..., Device]:
    return random_device


@pytest.fixture(scope="session")
def plain() -> type[Device]:
    return Device


@pytest.fixture(scope="session")
def mape() -> Callable[..., float]:
    """The mean relative error of a table on models of a device."""

    def of(table: LatencyTable, specs: Sequence[Spec], device: Device) -> float:
        truth = np.array([device.model_ms(spec) for spec in specs])
        return float(np.mean(np.abs(table.predict_many(specs) / truth - 1)))

    return of
