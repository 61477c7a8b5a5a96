"""Images held out are of every class, follow the seed, and are never trained on."""

from __future__ import annotations

import numpy as np
import pytest
from vitprof.training.data.held_out import default_held_out, digest, hold_out
from vitprof.training.data.images import Images


def images(*counts: int) -> Images:
    """Return so many images of each class, each with pixels of its own."""
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = np.random.default_rng(3).permutation(labels)
    pixels = np.zeros((len(labels), 1, 2, 2), np.uint8)
    pixels[:, 0, 0] = np.stack(np.divmod(np.arange(len(labels)), 256), axis=1)
    return Images(pixels, labels, tuple(map(str, range(len(counts)))), "made")


def identities(part: Images) -> set[bytes]:
    return {image.tobytes() for image in part.pixels}


@pytest.mark.parametrize(
    ("counts", "held"),
    [
        ((50, 50, 50), 30),
        ((50, 50, 50), 31),
        ((100, 10, 1), 20),
        ((2, 2), 1),
        ((2, 2), 2),
        ((7, 3, 5), 12),
        ((1, 9), 8),
    ],
)
def test_so_many_of_every_class_are_held_out(counts, held) -> None:
    data = images(*counts)
    train, out = hold_out(data, held)
    assert len(out) == held
    assert not identities(train) & identities(out)
    assert identities(train) | identities(out) == identities(data)
    of_class = np.bincount(out.labels, minlength=len(counts))
    for size, count in zip(counts, of_class, strict=True):
        assert count < size or size == 0
        share = held * size / sum(counts)
        # What a class cannot spare, others give.
        assert count == pytest.approx(min(share, size - 1), abs=1.0001) or sum(counts) - held < 6
    train.check_every_class_has_one()


def test_the_seed_decides_which() -> None:
    data = images(40, 40)
    first, again, other = (hold_out(data, 20, seed)[1] for seed in (0, 0, 1))
    assert identities(first) == identities(again)
    assert identities(first) != identities(other)


@pytest.mark.parametrize("count", [0, 3, 100])
def test_too_many_are_refused(refused, count) -> None:
    with refused("cannot be held out", "1 to 2"):
        hold_out(images(2, 2), count)


def test_a_tenth_or_ten_a_class_but_half_at_most() -> None:
    assert default_held_out(images(200, 200, 200)) == 60
    assert default_held_out(images(60, 60)) == 20
    assert default_held_out(images(8, 8)) == 8


def test_the_digest_changes_with_every_part() -> None:
    data = images(3, 3)
    pixels, labels = data.pixels.copy(), data.labels.copy()
    assert digest(Images(pixels, labels, data.classes, "another name")) == digest(data)
    pixels[0, 0, 1, 1] = 9
    assert digest(Images(pixels, data.labels, data.classes)) != digest(data)
    labels[0] = 1 - labels[0]
    assert digest(Images(data.pixels, labels, data.classes)) != digest(data)
    assert digest(Images(data.pixels, data.labels, ("x", "y"))) != digest(data)
    square = data.pixels.reshape(6, 1, 1, 4)
    assert digest(Images(square, data.labels, data.classes)) != digest(data)
