"""Images on disk come in order, whatever the number of processes; damaged ones are counted."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from vitprof.errors import UserError
from vitprof.training.data import reader
from vitprof.training.data.datasets import load_dataset
from vitprof.training.data.kept_where import Loading, OnDamaged
from vitprof.training.data.random_view import RandomView
from vitprof.training.data.reader import NO_IMAGE, Damaged, Draw, read_batches, waiting_bytes
from vitprof.training.data.stored_pixels import StoredPixels
from vitprof.training.data.view import View

BATCHES = [[Draw(n, 10 * n) for n in part] for part in ((3, 1), (0, 7), (7, 2), (5, 4), (6, 6))]


def stored(folder: Path, workers: int = 0, on_damaged: OnDamaged = "refuse") -> StoredPixels:
    loading = Loading("disk", workers, on_damaged)
    found = load_dataset(str(folder), 8, loading=loading).train.stored
    assert found is not None
    return found


def test_any_number_of_processes_reads_the_same(make_folder) -> None:
    folder = make_folder(size=(20, 16), count=10)
    view = RandomView(View(8))
    runs = [
        [batch.pixels for batch in read_batches(stored(folder, n), lambda: iter(BATCHES), view)]
        for n in (0, 1, 2)
    ]
    assert len(runs[0]) == len(BATCHES)
    for run in runs[1:]:
        assert all(a.equal(b) for a, b in zip(runs[0], run, strict=True))


def test_without_a_view_images_are_as_they_are_tested(make_folder) -> None:
    pixels = stored(make_folder(size=(20, 16), count=10))
    for draws, batch in zip(BATCHES, read_batches(pixels, lambda: iter(BATCHES)), strict=True):
        wanted = np.asarray(pixels[[draw.place for draw in draws]])
        assert np.array_equal(batch.pixels, wanted)
        assert batch.places.tolist() == [draw.place for draw in draws]


def damage(folder: Path, pixels: StoredPixels, *places: int) -> None:
    for place in places:
        (folder / pixels.name_of(place)).write_bytes(b"no image")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_image_is_refused_in_one_sentence(make_folder, workers: int) -> None:
    folder = make_folder(count=10)
    pixels = stored(folder, workers)
    damage(folder, pixels, 7)
    with pytest.raises(UserError) as error:
        list(read_batches(pixels, lambda: iter(BATCHES)))
    assert "is not an image that can be read" in str(error.value)
    assert pixels.name_of(7) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("workers", [0, 2])
def test_training_takes_the_next_image(make_folder, workers: int, monkeypatch) -> None:
    notes: list[str] = []
    monkeypatch.setattr(reader, "note", notes.append)
    folder = make_folder(count=10)
    pixels = stored(folder, workers, "skip")
    damage(folder, pixels, 1, 7)
    counted = Damaged()
    view = RandomView(View(8), area=None, flip=False)
    found = list(read_batches(pixels, lambda: iter(BATCHES), view, counted))
    assert [batch.places.tolist() for batch in found] == [[3, 2], [0, 8], [8, 2], [5, 4], [6, 6]]
    assert np.array_equal(found[1].pixels[1], pixels.decoded(8))
    assert counted.count == 3
    assert len(counted.named) == 2
    assert len(notes) == 2
    assert all(
        "is not an image that can be read (its format is unknown)" in words for words in notes
    )


def test_testing_leaves_a_damaged_image_out(make_folder) -> None:
    folder = make_folder(count=10)
    pixels = stored(folder, 0, "skip")
    damage(folder, pixels, 7)
    places = [batch.places.tolist() for batch in read_batches(pixels, lambda: iter(BATCHES))]
    assert places == [[3, 1], [0, NO_IMAGE], [NO_IMAGE, 2], [5, 4], [6, 6]]


def test_where_all_are_damaged_it_ends(make_folder) -> None:
    folder = make_folder(count=5)
    pixels = stored(folder, 0, "skip")
    damage(folder, pixels, *range(len(pixels)))
    with pytest.raises(UserError, match="is not an image that can be read"):
        list(read_batches(pixels, lambda: iter([[Draw(0)]]), RandomView(View(8))))


def test_the_memory_that_waits_is_stated(make_folder) -> None:
    pixels = stored(make_folder(), workers=3)
    assert waiting_bytes(pixels, 16) == 3 * 2 * 16 * 3 * 8 * 8


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_no_more_batches_wait_than_stated(make_folder, workers: int) -> None:
    """However slow the model is: a batch is asked for when another one is taken."""
    asked = 0

    def draws() -> Iterator[list[Draw]]:
        nonlocal asked
        for n in range(20):
            asked += 1
            yield [Draw(n % 5)]

    pixels = stored(make_folder(), workers)
    for taken, batch in enumerate(read_batches(pixels, draws), start=1):
        assert asked - taken <= waiting_bytes(pixels, 1) // batch.pixels.nbytes
    assert taken == 20


def test_memory_does_not_grow_with_the_images_that_were_read(make_folder) -> None:
    """Of 200 images, no more is kept than a tenth of their pixels."""
    data = load_dataset(str(make_folder(count=20)), 64, loading=Loading("disk", 0))
    pixels = data.train.stored
    assert pixels is not None
    draws = [[Draw(n % 20)] for n in range(251)]
    held = []
    tracemalloc.start()
    try:
        for taken, _ in enumerate(read_batches(pixels, lambda: iter(draws), RandomView(View(64)))):
            if taken in (50, 250):
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert held[1] - held[0] < 200 * 3 * 64 * 64 // 10


def test_a_process_that_is_killed_is_told(make_folder, monkeypatch) -> None:
    def killed(self: StoredPixels, place: int) -> np.ndarray:
        import os
        import signal

        if torch.utils.data.get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("only in a process of its own")

    monkeypatch.setattr(StoredPixels, "decoded", killed)
    with pytest.raises(UserError, match="a process that reads images was killed"):
        list(read_batches(stored(make_folder(), workers=1), lambda: iter(BATCHES[:1])))
