"""How accurate a supernet's subnets are on images that were held out of its training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from ...models import Spec
from ...spaces.space import SearchSpace
from ...training.data.images import Images, Normalisation
from ...training.evaluate import Accuracy, evaluate
from ..problem import Evaluation
from ..supernet.onednn_cache import keep_primitives
from ..supernet.recalibration import recalibrate

if TYPE_CHECKING:
    from ..supernet.supernet import Supernet

# Training images that batch-norm statistics are made again on.
CALIBRATION_IMAGES = 512
CALIBRATION_BATCH = 128


class SubnetEvaluator:
    """Judges candidates by the top-1 accuracy of the subnets they name.

    Each is taken out of the supernet; its batch-norm statistics, where it has any, are made again
    on `calibration` images (of the training part) before it sees `images`. One thread, so that a
    figure does not depend on where it was found: several workers are the way to use several cores.
    """

    is_accuracy = True

    def __init__(
        self,
        space: SearchSpace,
        supernet: Supernet,
        images: Images,
        norm: Normalisation,
        calibration: Images,
        batch: int = 256,
        images_are: str = "images held out of training",
    ) -> None:
        self.space = space
        self.supernet = supernet
        self.images = images
        self.norm = norm
        self.calibration = calibration
        self.batch = batch
        keep_primitives()
        self.measures = f"top-1 on {len(images)} {images_are}"

    def model(self, spec: Spec) -> torch.nn.Module:
        """Return the subnet by itself, its statistics made again."""
        model = self.supernet.extract(spec).to(next(self.supernet.parameters()).device)
        recalibrate(model, self.calibration, self.norm, CALIBRATION_BATCH)
        return model.eval()

    def accuracy(self, candidate: np.ndarray) -> float:
        """Return the share of the images that the candidate's subnet is right on."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            found: Accuracy = evaluate(
                self.model(self.space.spec(candidate)), self.images, self.norm, self.batch
            )
        finally:
            torch.set_num_threads(threads)
        return found.correct[1] / found.images

    def evaluate(self, population: np.ndarray) -> Iterator[tuple[int, Evaluation]]:
        """Yield the position and the accuracy of each candidate, one after the other."""
        for position, candidate in enumerate(population):
            yield position, Evaluation(self.accuracy(candidate))
