"""Pixels that stay on disk stand in for an array of the same pixels."""

from __future__ import annotations

import numpy as np
import pytest
from vitprof.errors import UserError
from vitprof.training.data import kept_where, stored_pixels
from vitprof.training.data.datasets import load_dataset
from vitprof.training.data.held_out import digest, hold_out
from vitprof.training.data.images import Images, Normalisation
from vitprof.training.data.kept_where import AUTO_BYTES, Loading
from vitprof.training.data.sources.folder_source import FolderSource
from vitprof.training.data.stored_pixels import StoredPixels
from vitprof.training.data.view import View

DISK = Loading("disk", workers=0)


@pytest.fixture
def both(make_folder) -> tuple[Images, Images]:
    """The same images on disk and in memory."""
    folder = str(make_folder(size=(12, 10), count=10))
    stored = load_dataset(folder, 8, loading=DISK).train
    return stored, load_dataset(folder, 8).train


def test_what_is_decoded_is_what_memory_has(both) -> None:
    stored, kept = both
    assert stored.stored is not None
    assert kept.stored is None
    assert stored.pixels.shape == kept.pixels.shape
    assert len(stored) == len(kept)
    assert (stored.channels, stored.resolution) == (3, 8)
    assert np.array_equal(stored.array(), kept.array())
    assert np.array_equal(stored.labels, kept.labels)
    chosen = [3, 0, 11]
    assert np.array_equal(stored.take(chosen).array(), kept.take(chosen).array())


def test_parts_are_drawn_alike(both) -> None:
    for ours, theirs in zip(hold_out(both[0], 4), hold_out(both[1], 4), strict=True):
        assert ours.stored is not None
        assert np.array_equal(ours.array(), theirs.array())


def test_normalisation_is_the_same(both) -> None:
    assert Normalisation.of(both[0]) == Normalisation.of(both[1])


def test_a_digest_is_of_the_files_and_which_are_taken(both) -> None:
    stored = both[0]
    assert digest(stored) == digest(stored.take(np.arange(len(stored))))
    assert digest(stored) != digest(stored.take(np.arange(len(stored))[::-1]))


def test_more_than_fits_the_memory_is_refused(both, monkeypatch) -> None:
    monkeypatch.setattr(stored_pixels, "MOST_BYTES", 1000)
    with pytest.raises(UserError, match=r"16 images of 8 x 8 take .* GiB"):
        both[0].array()


def test_auto_keeps_in_memory_what_is_small(make_folder) -> None:
    source = FolderSource(make_folder())
    large = StoredPixels(source, View(224), Loading(), np.zeros(40_000, dtype=np.int64))
    assert large.nbytes == 40_000 * 3 * 224**2
    assert Loading().on_disk(large.nbytes)
    assert not Loading().on_disk(AUTO_BYTES)
    assert not Loading("memory").on_disk(large.nbytes)
    assert Loading("disk").on_disk(1)


def test_what_is_looked_at_often_is_decoded_once(both, monkeypatch) -> None:
    few = both[0].take([1, 2])
    assert few.in_memory().stored is None
    assert np.array_equal(few.in_memory().array(), few.array())
    assert both[1].in_memory() is both[1]
    monkeypatch.setattr(kept_where, "AUTO_BYTES", 10)
    assert few.in_memory() is few


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep": "disc"}, "did you mean 'disk'"),
        ({"on_damaged": "ignore"}, "`on_damaged` 'ignore' is unknown"),
        ({"workers": -1}, "`workers` is -1"),
    ],
)
def test_what_is_out_of_range_is_named(options, words) -> None:
    with pytest.raises(UserError, match=words):
        Loading(**options)
