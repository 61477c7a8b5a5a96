"""How fast images are read from disk, against torchvision's own pipeline, and in what memory.

    .venv-timm/bin/python benchmarks/loader.py [--rounds 9] [--out docs/results/loader.md]

In the environment of `make test-timm`, which has torchvision. JPEGs of ImageNet's usual size are
made up. Both read them in turns, each round both of them: cropped at random, mirrored, normalised,
224 x 224. Then folders of up to 1.28 million names (hard links), and tar shards of as many small
images, are read by two processes; that part (`--part memory`) needs no torchvision.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from report import heading, publish, table
from vitprof.training.batches import TrainingBatches
from vitprof.training.data.images import Dataset, Images, Normalisation
from vitprof.training.data.kept_where import Loading
from vitprof.training.data.sources.folder_source import FolderSource
from vitprof.training.data.sources.shard_source import ShardSource
from vitprof.training.data.stored_pixels import StoredPixels
from vitprof.training.data.view import View
from vitprof.training.plan import TrainingPlan

SIDE, BATCH, WORKERS = 224, 64, 2
NORM = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
COUNTS = (10_000, 100_000, 1_280_000)
MEMORY_STEPS = (5, 60)
IMAGES_A_SHARD = 1000
PARTS = ("speed", "memory")


def canvas(rng: np.random.Generator, width: int = 1000, height: int = 750) -> np.ndarray:
    """Return an image whose amplitudes fall as 1 / frequency, as those of photos do."""
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    falling = 1 / np.maximum(np.hypot(rows, columns), 1 / width)
    planes = [
        np.fft.irfft2(np.fft.rfft2(rng.normal(size=(height, width))) * falling, (height, width))
        for _ in range(3)
    ]
    light, *colours = [plane / plane.std() for plane in planes]
    channels = [110 + 55 * light + 15 * colour for colour in (*colours, -colours[0])]
    return np.stack(channels, axis=-1).clip(0, 255).astype(np.uint8)


def make_photos(folder: Path, count: int) -> None:
    """Write JPEGs of about 500 x 375 in ten class folders, parts of a few canvases."""
    rng = np.random.default_rng(0)
    for number in range(10):
        (folder / f"class{number}").mkdir(parents=True)
    for nth in range(count):
        if nth % 50 == 0:
            whole = canvas(rng)
        width, height = (int(rng.integers(low, high)) for low, high in ((460, 540), (335, 415)))
        y, x = rng.integers(0, 750 - height), rng.integers(0, 1000 - width)
        image = Image.fromarray(whole[y : y + height, x : x + width])
        image.save(folder / f"class{nth % 10}" / f"photo{nth:05d}.jpg", quality=90)


def our_data(folder: Path) -> Dataset:
    shards = sorted(folder.glob("*.tar"))
    source = ShardSource(shards, folder.name) if shards else FolderSource(folder)
    pixels = StoredPixels.of(source, View(SIDE), Loading("disk", WORKERS))
    images = Images(pixels, source.labels, source.classes)
    return Dataset(images, images)


def ours(folder: Path, steps: int) -> Iterator[int]:
    """Read as `vitprof train` does: batches ready for a model, and soft targets."""
    batches = TrainingBatches(our_data(folder), NORM, TrainingPlan(batch=BATCH, augment="light"))
    for images, _ in batches.from_step(0, steps):
        yield len(images)


def torchvisions(folder: Path, steps: int) -> Iterator[int]:
    from torchvision import datasets, transforms

    how = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIDE, interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(NORM.mean, NORM.std),
        ]
    )
    data = datasets.ImageFolder(folder, how)
    loader = torch.utils.data.DataLoader(
        data, BATCH, shuffle=True, num_workers=WORKERS, drop_last=True
    )
    for (images, _), _ in zip(loader, range(steps), strict=False):
        yield len(images)


READERS = {"vitprof": ours, "torchvision": torchvisions}


@dataclass(frozen=True)
class Epoch:
    """One reading of the folder, the start of the processes in it."""

    images_a_second: float
    cpu_ms: float  # an image, of all processes


def read_once(name: str, folder: Path, steps: int) -> Epoch:
    cpu, started = cpu_seconds(), time.perf_counter()
    count = sum(READERS[name](folder, steps))
    wall = time.perf_counter() - started
    return Epoch(count / wall, 1000 * (cpu_seconds() - cpu) / count)


def cpu_seconds() -> float:
    """Return the time on a core of this process and of those that it started and that ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def read_in_turns(folder: Path, steps: int, rounds: int) -> dict[str, list[Epoch]]:
    found: dict[str, list[Epoch]] = {name: [] for name in READERS}
    for name in READERS:
        read_once(name, folder, 3)  # files into memory, imports
    for nth in range(rounds):
        for name in sorted(READERS, reverse=bool(nth % 2)):
            found[name].append(read_once(name, folder, steps))
    return found


def ratio_in_words(ours: list[float], theirs: list[float]) -> str:
    """Return the median ratio within a round, and the median's 95 % interval."""
    ratios = np.array(ours) / np.array(theirs)
    again = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    low, high = np.quantile(np.median(again, axis=1), (0.025, 0.975))
    return f"**{np.median(ratios):.2f}** (95 % of the median: {low:.2f} to {high:.2f})"


def speed_report(found: dict[str, list[Epoch]], kilobytes: float, count: int) -> str:
    rates = {name: [epoch.images_a_second for epoch in epochs] for name, epochs in found.items()}
    costs = {name: [epoch.cpu_ms for epoch in epochs] for name, epochs in found.items()}
    faster = ratio_in_words(rates["vitprof"], rates["torchvision"])
    cheaper = ratio_in_words(costs["vitprof"], costs["torchvision"])
    rounds = len(rates["vitprof"])
    rows = [
        [
            name,
            f"{np.median(rates[name]):.0f}",
            f"{min(rates[name]):.0f} to {max(rates[name]):.0f}",
            f"{np.median(costs[name]):.2f}",
        ]
        for name in found
    ]
    return (
        f"## Speed\n\n{count} JPEGs of about 500 x 375 ({kilobytes:.0f} KB on average), batches of "
        f"{BATCH}, {WORKERS} processes, {rounds} rounds of both in turns; torchvision "
        f"{version('torchvision')}, Pillow {version('pillow')}.\n\n"
        + table(["", "images/s, median", "range", "ms of a core an image"], rows)
        + f"\nRatio of images/s within a round: {faster}; asked: at least 0.95. Ratio of a core's "
        f"time: {cheaper}.\n"
    )


def link_names(folder: Path, photos: list[Path], count: int) -> None:
    """Make `count` names of images in 1,000 class folders, as ImageNet's are called.

    File systems allow some 65,000 names of one file, so each photo has a few.
    """
    for number in range(1000):
        (folder / f"n{number:08d}").mkdir(parents=True)
    for nth in range(count):
        number = nth % 1000
        os.link(photos[nth % len(photos)], folder / f"n{number:08d}/n{number:08d}_{nth}.JPEG")


def write_shards(folder: Path, count: int) -> None:
    """Write `count` small images as tar shards of a thousand, with the class of each.

    The index knows names, classes and places: what an image holds makes no difference to it.
    """
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=50)
    for first in range(0, count, IMAGES_A_SHARD):
        with (folder / f"train-{first // IMAGES_A_SHARD:06d}.tar").open("wb") as shard:
            for nth in range(first, min(first + IMAGES_A_SHARD, count)):
                label = b"%d" % (nth % 1000)
                for kind, data in (("jpg", file.getvalue()), ("cls", label)):
                    member = tarfile.TarInfo(f"n{nth % 1000:08d}_{nth}.{kind}")
                    member.size = len(data)
                    # `addfile` does the same, but keeps every member in memory.
                    shard.write(member.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512))
            shard.write(bytes(1024))


def proportional_mib() -> float:
    """Return the memory of this process and its children; shared pages count once."""
    own = os.getpid()
    children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
    total = 0
    for pid in (own, *children):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def peak_mib() -> float:
    """Return the most that this program had in memory; `ru_maxrss` may be its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def memory_of(folder: Path) -> dict[str, float]:
    """Read a folder in this process and two others, and return what memory that took."""
    found = {"before": proportional_mib()}
    started = time.perf_counter()
    data = our_data(folder)
    found["seconds"] = time.perf_counter() - started
    found["peak"] = peak_mib()
    plan = TrainingPlan(batch=BATCH, augment="light")
    batches = TrainingBatches(data, NORM, plan).from_step(0, MEMORY_STEPS[-1] + 10)
    for step, _ in enumerate(batches, start=1):
        if step in MEMORY_STEPS:
            found[f"after {step}"] = proportional_mib()
    return found


def memory_report(work: Path, photos: list[Path], counts: tuple[int, ...]) -> str:
    rows = []
    for kind, count in itertools.product(("folder", "tar shards"), counts):
        folder = work / f"{kind.split()[-1]}{count}"
        if kind == "folder":
            link_names(folder, photos, count)
        else:
            write_shards(folder, count)
        command = [sys.executable, __file__, "--memory-of", str(folder)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = json.loads(printed)
        keys = ("before", "peak", *(f"after {step}" for step in MEMORY_STEPS))
        rows.append(
            [kind, f"{count:,}", *(f"{found[key]:.0f}" for key in keys), f"{found['seconds']:.1f}"]
        )
    first, last = (step * BATCH for step in MEMORY_STEPS)
    columns = [
        "what",
        "images",
        "before",
        "most while it is read",
        f"three processes, after {first} images",
        f"after {last:,}",
        "seconds to read it",
    ]
    return (
        "## Memory\n\nMiB: of the process before it knows the data, its peak, and of it and its "
        f"{WORKERS} readers together (PSS) while they read; asked: at most 2 GB.\n\n"
        + table(columns, rows)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--most-names", type=int, default=COUNTS[-1])
    parser.add_argument("--part", action="append", choices=PARTS, help="by default all")
    parser.add_argument("--out")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory_of:
        print(json.dumps(memory_of(given.memory_of)))
        return
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        folder = work / "photos"
        make_photos(folder, given.images)
        photos = sorted(folder.glob("*/*.jpg"))
        kilobytes = sum(path.stat().st_size for path in photos) / len(photos) / 1000
        parts = [heading("Reading images from disk")]
        asked = given.part or PARTS
        if "speed" in asked:
            found = read_in_turns(folder, given.images // BATCH, given.rounds)
            parts.append(speed_report(found, kilobytes, len(photos)))
        if "memory" in asked:
            counts = tuple(count for count in COUNTS if count <= given.most_names)
            parts.append(memory_report(work, photos, counts))
    publish("\n".join(parts), given.out)


if __name__ == "__main__":
    main()
