"""How good a supernet's subnets are: the largest, the smallest, and one between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...models import Spec
from ...progress import OnProgress, no_progress
from ...training.data.images import Images, Normalisation
from ...training.evaluate import Accuracy, evaluate
from .recalibration import recalibrate
from .supernet import Supernet

if TYPE_CHECKING:
    from ...spaces.space import SearchSpace

# The subnet between is the one of median size among so many.
SAMPLED = 5


@dataclass(frozen=True)
class SubnetAccuracy:
    """How often the subnet `which` is right on images held out of the supernet's training."""

    which: str
    spec: Spec
    found: Accuracy

    def as_dict(self) -> dict[str, Any]:
        return {
            "which": self.which,
            "params": self.spec.params,
            "macs": self.spec.macs,
            **self.found.as_dict(),
        }


def subnets_to_report(space: SearchSpace, seed: int = 0) -> dict[str, Spec]:
    """Return the largest and the smallest subnet, and the median-size one of 5 drawn from seed."""
    drawn = [space.spec(c) for c in space.sample(np.random.default_rng(seed), SAMPLED)]
    return {
        "largest": space.spec(space.largest()),
        "median": sorted(drawn, key=lambda spec: spec.params)[SAMPLED // 2],
        "smallest": space.spec(space.smallest()),
    }


def judged(
    supernet: Supernet,
    space: SearchSpace,
    held_out: Images,
    calibration: Images,
    norm: Normalisation,
    seed: int = 0,
    on_progress: OnProgress = no_progress,
) -> list[SubnetAccuracy]:
    """Return the accuracy of `subnets_to_report` on the held-out images.

    Each by itself, its batch-norm statistics, if any, made again on the `calibration` images.
    """
    result = []
    specs = subnets_to_report(space, seed)
    for number, (which, spec) in enumerate(specs.items()):
        model = supernet.extract(spec)
        recalibrate(model, calibration, norm)
        result.append(SubnetAccuracy(which, spec, evaluate(model, held_out, norm)))
        on_progress("testing", number + 1, len(specs), "subnets")
    return result
