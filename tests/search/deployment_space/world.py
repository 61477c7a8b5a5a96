"""A scripted world of deployments: what each takes and answers, known in full."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from vitprof.search.deployment_space.deployment import (
    Deployment,
    Variant,
    Way,
    every_deployment,
)
from vitprof.search.deployment_space.knowledge import Knowledge
from vitprof.search.deployment_space.limits import Figures
from vitprof.search.deployment_space.policy import RefusedError

RUNTIMES = {
    "onnxruntime": ("fp32", "int8"),
    "openvino": ("fp32", "int8-static"),
    "torch": ("fp32", "int8"),
}
FAMILIES = ("vit", "swin", "efficientvit")
TOKENS = (0, 2, 4)


@dataclass
class World:
    """Every deployment's figures, and what a question is told of them beforehand."""

    deployments: list[Deployment]
    figures: dict[Deployment, Figures]
    accuracies: dict[Variant, float]
    table_ms: dict[Deployment, float]
    refusing: frozenset[tuple[str, str]] = frozenset()
    asked: int = 0

    def measure(self, deployment: Deployment) -> Figures:
        self.asked += 1
        if (deployment.variant.family, deployment.way.runtime) in self.refusing:
            raise RefusedError(f"{deployment.way.runtime} lacks an operator")
        return self.figures[deployment]

    def knowledge(self) -> Knowledge:
        return Knowledge(self.deployments, self.accuracies, self.table_ms)

    def best(self, limit_ms: float) -> float:
        """The highest accuracy under the limit, by looking at all."""
        kept = [
            one.accuracy
            for deployment, one in self.figures.items()
            if one.latency_ms <= limit_ms
            and (deployment.variant.family, deployment.way.runtime) not in self.refusing
        ]
        return max(kept, default=-math.inf)


def world(
    seed: int,
    models: int = 6,
    table_error: float = 0.02,
    tables: float = 0.5,
    refusing: frozenset[tuple[str, str]] = frozenset(),
) -> World:
    """Return a world of three families, `models` of each, in twelve ways.

    A latency is MACs over a speed of its way, its family there, its size there and itself; a table
    (of a share `tables` of the ways) is off by `table_error`. Accuracy grows with MACs and falls
    with merged tokens; int8 costs what its runtime, the family and the variant lose.
    """
    rng = np.random.default_rng(seed)
    ways = [
        Way(runtime, dtype, threads)
        for runtime, dtypes in RUNTIMES.items()
        for dtype in dtypes
        for threads in (1, 2)
    ]
    variants, accuracies = [], {}
    for family in FAMILIES:
        level = rng.normal(0.0, 0.02)
        for number in range(models):
            macs = float(np.exp(rng.uniform(math.log(2e7), math.log(6e8))))
            top = 0.80 + level + 0.035 * math.log(macs / 1e8) + rng.normal(0.0, 0.008)
            for tokens in TOKENS if family == "vit" else TOKENS[:2]:
                one = Variant(
                    f"{family}-{number}",
                    tokens,
                    family=family,
                    macs=int(macs * (1 - 0.08 * tokens)),
                    params=int(macs / 50),
                )
                variants.append(one)
                accuracies[one] = top - 0.002 * tokens**1.5 * rng.uniform(0.5, 1.5)
    deployments = every_deployment(variants, ways)
    speed: dict[object, float] = {}

    def drawn(key: object, deviation: float) -> float:
        return speed.setdefault(key, float(rng.normal(0.0, deviation)))

    figures, table_ms = {}, {}
    with_table = {way for way in ways if rng.random() < tables}
    for one in deployments:
        way, variant = one.way, one.variant
        file = way.runtime, way.dtype
        log_ms = (
            math.log(variant.macs / 3e7)
            + drawn(file, 0.4)
            + drawn((file, variant.family), 0.25)
            + drawn((way, "slope"), 0.08) * math.log(variant.macs / 1e8)
            + drawn((file, variant), 0.04)
            - (0.6 if way.dtype != "fp32" else 0.0)
            - (math.log(1.6) + drawn((way, variant.family), 0.1) if way.threads > 1 else 0.0)
        )
        loss = 0.0
        if way.dtype != "fp32":
            loss = max(
                0.004
                + drawn((file, "loss"), 0.004)
                + drawn((file, variant.family, "loss"), 0.006)
                + drawn((file, variant, "loss"), 0.002),
                -0.002,
            )
        figures[one] = Figures(
            accuracies[variant] - loss,
            math.exp(log_ms),
            1e8 + 4 * variant.params,
            variant.params * (4 if way.dtype == "fp32" else 1),
        )
        if way in with_table:
            table_ms[one] = math.exp(log_ms + rng.normal(0.0, table_error))
    return World(deployments, figures, accuracies, table_ms, refusing)
