"""Batch-norm statistics of a subnet's own (Cai et al. 2020 (Once-for-All); Yu et al. 2020, 3.5).

The supernet's statistics are a mixture of what all its subnets saw; a subnet's own follow from a
few training images.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...training.data.held_out import some_of
from ...training.data.images import Images, Normalisation
from ...training.inputs import model_inputs

CALIBRATION_IMAGES = 2048


def calibration_images(train: Images, count: int = CALIBRATION_IMAGES, seed: int = 0) -> Images:
    """Return so many of the training images, drawn without replacement; all where there are fewer.

    The same for the same seed.
    """
    return some_of(train, count, seed)


def recalibrate(model: nn.Module, images: Images, norm: Normalisation, batch: int = 256) -> None:
    """Set the model's running statistics to their cumulative mean over these training images.

    Each batch has the same weight, so one that is not whole is left out where there is a whole one;
    no augmentation, fp32, the weights stay. Nothing happens to a model without batch norm. Give a
    model of its own (`Supernet.extract`): a supernet's statistics would be changed.
    """
    norms = [
        module
        for module in model.modules()
        if isinstance(module, _BatchNorm) and module.track_running_stats
    ]
    if not norms:
        return
    was_training = model.training
    momenta = [module.momentum for module in norms]
    device = next(model.parameters()).device
    batch = min(batch, len(images))
    model.eval()
    try:
        for module in norms:
            module.reset_running_stats()
            module.momentum = None  # the cumulative mean
            module.train()
        with torch.no_grad():
            for start in range(0, len(images) - batch + 1, batch):
                part = images.take(range(start, start + batch))
                model(model_inputs(part, norm).to(device))
    finally:
        for module, momentum in zip(norms, momenta, strict=True):
            module.momentum = momentum
        model.train(was_training)
