"""Augmentations: what they keep, and that they do what they say."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vitprof.training.data.augment import (
    AUGMENTATIONS,
    Augmentation,
    augmented,
    erased,
    mixed,
    normalised,
)
from vitprof.training.data.images import Normalisation
from vitprof.training.processes import Processes

NORM = Normalisation((0.5, 0.4), (0.25, 0.2))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(count: int = 16, side: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    pixels = torch.randint(0, 256, (count, 2, side, side), dtype=torch.uint8, generator=generator())
    return pixels, torch.arange(count) % 5


def test_without_any_pixels_are_only_normalised() -> None:
    pixels, labels = batch()
    images, targets = augmented(pixels, labels, 5, Augmentation(), NORM, generator())
    expected = pixels.double() / 255 - torch.tensor([0.5, 0.4]).double()[:, None, None]
    expected /= torch.tensor([0.25, 0.2]).double()[:, None, None]
    torch.testing.assert_close(images.double(), expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(targets.argmax(dim=1), labels)


def test_pixels_with_their_channels_last_are_normalised_alike() -> None:
    pixels, _ = batch()
    last = pixels.contiguous(memory_format=torch.channels_last)
    found = normalised(last, NORM)
    assert torch.equal(found, normalised(pixels, NORM))
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last, pixels)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), how=st.sampled_from(sorted(AUGMENTATIONS)))
def test_targets_are_shares_and_the_same_seed_is_the_same_batch(seed, how) -> None:
    pixels, labels = batch()
    first = augmented(pixels, labels, 5, AUGMENTATIONS[how], NORM, generator(seed))
    again = augmented(pixels, labels, 5, AUGMENTATIONS[how], NORM, generator(seed))
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one, other)
    assert first[0].shape == pixels.shape
    torch.testing.assert_close(first[1].sum(dim=1), torch.ones(16))
    assert (first[1] >= 0).all()


def test_a_crop_is_the_image_shifted_into_black() -> None:
    pixels, labels = batch()
    images, _ = augmented(pixels, labels, 5, Augmentation(crop=0.25), NORM, generator(3))
    black = normalised(torch.zeros(1, 2, 1, 1, dtype=torch.uint8), NORM)
    padded = black.expand(16, 2, 12, 12).clone()
    padded[:, :, 2:10, 2:10] = normalised(pixels, NORM)
    shifts = set()
    for nth in range(16):
        found = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if torch.equal(images[nth], padded[nth, :, y : y + 8, x : x + 8])
        ]
        assert len(found) == 1
        shifts.add(found[0])
    assert len(shifts) > 5


def test_a_flip_mirrors_about_half() -> None:
    pixels, labels = batch(200)
    images, _ = augmented(pixels, labels, 5, Augmentation(flip=True), NORM, generator(1))
    plain = normalised(pixels, NORM)
    mirrored = sum(torch.equal(images[n], plain[n].flip(-1)) for n in range(200))
    same = sum(torch.equal(images[n], plain[n]) for n in range(200))
    assert mirrored + same == 200
    assert 60 < mirrored < 140


def test_erasing_replaces_a_rectangle_of_some() -> None:
    pixels, labels = batch(100, 16)
    images, _ = augmented(pixels, labels, 5, Augmentation(erase=0.5), NORM, generator(2))
    changed = (images != normalised(pixels, NORM)).any(dim=1)
    touched = changed.flatten(1).any(dim=1)
    assert 25 < int(touched.sum()) < 75
    assert changed[touched].float().mean(dim=(1, 2)).max() < 0.5


def test_a_rectangle_that_does_not_fit_is_drawn_again() -> None:
    """As timm does; a third of the area at a ratio of 0.3 is wider than the image."""
    draws = torch.rand(4000, 2, generator=generator(8))
    touched = erased(torch.zeros(4000, 1, 32, 32), 1.0, draws)[:, 0] != 0
    rows, columns = touched.any(dim=2).sum(dim=1), touched.any(dim=1).sum(dim=1)
    for length in (rows, columns):
        assert length.max() == 31
        assert length.min() >= 1


def test_a_box_of_cutmix_ends_at_the_border() -> None:
    """Its middle is anywhere, so a corner is in an eighth of the boxes, E[(1 - λ) / 4].

    Of boxes that lie wholly in the image almost none would reach a corner.
    """
    images = torch.stack([torch.zeros(1, 32, 32), torch.ones(1, 32, 32)])
    random, how = generator(9), Augmentation(cutmix=1.0)
    found = torch.stack([mixed(images, torch.eye(2), how, random)[0][0, 0] for _ in range(500)])
    assert 40 < (found[:, 0, 0] == 1).sum() < 85
    assert (found[:, 16, 16] == 1).sum() > (found[:, 0, 0] == 1).sum()


def test_mixing_keeps_what_the_targets_say() -> None:
    """With constant images the share of the other image can be read off the pixels."""
    pixels = torch.zeros(8, 2, 16, 16, dtype=torch.uint8)
    pixels[4:] = 255
    labels = torch.tensor([0] * 4 + [1] * 4)
    low, high = (normalised(torch.full((1, 2, 1, 1), v, dtype=torch.uint8), NORM) for v in (0, 255))
    for how in (Augmentation(mixup=0.8), Augmentation(cutmix=1.0)):
        for seed in range(5):
            images, targets = augmented(pixels, labels, 2, how, NORM, generator(seed))
            share = ((images - low) / (high - low)).mean(dim=(1, 2, 3))
            torch.testing.assert_close(share, targets[:, 1], atol=1e-5, rtol=0)


def test_smoothing_spreads_over_all_classes() -> None:
    pixels, labels = batch()
    _, targets = augmented(pixels, labels, 5, Augmentation(smoothing=0.1), NORM, generator())
    torch.testing.assert_close(targets.max(dim=1).values, torch.full((16,), 0.92))
    torch.testing.assert_close(targets.min(dim=1).values, torch.full((16,), 0.02))


@pytest.mark.parametrize("how", ["light", "deit"])
@pytest.mark.parametrize("count", [2, 3])
def test_shares_of_a_batch_are_what_the_whole_is(how: str, count: int) -> None:
    """Several processes vary and mix their shares as one process would the batch."""
    pixels, labels = batch(12)
    whole = augmented(pixels, labels, 5, AUGMENTATIONS[how], NORM, generator(4))
    seen = set()
    for rank in range(count):
        members = Processes(rank, count).members_of(12)
        share = augmented(
            pixels[members],
            labels[members],
            5,
            AUGMENTATIONS[how],
            NORM,
            generator(4),
            members=members,
            total=12,
        )
        for part, all_of_it in zip(share, whole, strict=True):
            torch.testing.assert_close(part, all_of_it[members], rtol=0, atol=0)
        seen |= set(members.tolist())
    assert seen == set(range(12))
