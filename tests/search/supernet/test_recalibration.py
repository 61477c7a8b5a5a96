"""Recalibrated statistics are the mean of the batches' own, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from vitprof.models import create_model
from vitprof.search.supernet.recalibration import calibration_images, recalibrate
from vitprof.training.data.images import Images, Normalisation

NORM = Normalisation((0.5,), (0.25,))


def images(count: int) -> Images:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 1, 8, 8), dtype=np.uint8)
    return Images(pixels, np.arange(count) % 2, ("a", "b"))


def conv_and_norm() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Dropout(0.5)).eval()


def test_statistics_are_the_mean_of_the_batches() -> None:
    model, data = conv_and_norm(), images(100)
    recalibrate(model, data, NORM, batch=32)
    x = (torch.from_numpy(data.pixels).float() / 255 - 0.5) / 0.25
    maps = [model[0](x[start : start + 32]).detach() for start in (0, 32, 64)]  # 4 are left over
    mean = sum(m.mean(dim=(0, 2, 3)) for m in maps) / 3
    var = sum(m.var(dim=(0, 2, 3)) for m in maps) / 3
    torch.testing.assert_close(model[1].running_mean, mean)
    torch.testing.assert_close(model[1].running_var, var)
    assert model[1].momentum == pytest.approx(0.1)
    assert not model.training
    assert not model[1].training


def test_it_does_not_depend_on_what_the_statistics_were(tiny_autovit) -> None:
    torch.manual_seed(0)
    model = create_model(tiny_autovit.supernet_spec())
    rng = np.random.default_rng(0)
    data = Images(rng.integers(0, 256, (12, 1, 32, 32), dtype=np.uint8), np.zeros(12, int), ("a",))
    before = {name: p.clone() for name, p in model.named_parameters()}
    recalibrate(model, data, NORM, batch=6)
    first = {name: b.clone() for name, b in model.named_buffers()}
    for buffer in model.buffers():
        buffer.fill_(7)
    recalibrate(model, data, NORM, batch=6)
    assert all(torch.equal(first[name], b) for name, b in model.named_buffers())
    assert all(torch.equal(before[name], p) for name, p in model.named_parameters())
    assert not torch.equal(first["blocks.0.conv.bn.running_mean"], torch.zeros(8))


def test_a_model_without_batch_norm_is_not_even_run(tiny_vit) -> None:
    model = create_model(tiny_vit.supernet_spec())
    model.forward = None  # it would be called
    recalibrate(model, images(8), NORM)


def test_calibration_images_follow_the_seed() -> None:
    data = images(50)
    first = calibration_images(data, 20, seed=1)
    assert len(first) == 20
    assert np.array_equal(first.pixels, calibration_images(data, 20, seed=1).pixels)
    assert not np.array_equal(first.pixels, calibration_images(data, 20, seed=2).pixels)
    assert len(np.unique(first.pixels.reshape(20, -1), axis=0)) == 20
    assert len(calibration_images(data, 100)) == 50
