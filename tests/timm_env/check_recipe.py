"""`--recipe deit` as timm has it: the same images where both draw alike, else the same statistics.

Not collected with the other tests: `make test-timm` runs it in an environment that has timm.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from scipy import stats
from timm.data import Mixup, create_transform
from timm.data.mixup import mixup_target
from timm.data.random_erasing import RandomErasing
from timm.loss import SoftTargetCrossEntropy
from torchvision import transforms
from vitprof.training.batches import TrainingBatches
from vitprof.training.data.augment import augmented, erased, mixed, normalised
from vitprof.training.data.datasets import load_dataset
from vitprof.training.data.images import Normalisation
from vitprof.training.data.kept_where import Loading
from vitprof.training.data.random_view import RATIOS, RandomView, random_part
from vitprof.training.data.view import View
from vitprof.training.losses import soft_cross_entropy
from vitprof.training.recipes import plan_of

SIDE, CLASSES = 32, 10
NORM = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
DEIT = plan_of("deit", {}).augmentation
# Seeds are fixed, so a test that passes does so always; a wrong one is far below this.
LEAST = 0.01
MOST_DEVIATIONS = 3.0
IMAGES, BATCH = 10_240, 64


def picture(width: int, height: int, seed: int) -> Image.Image:
    """Smooth colours with some noise: an image whose every part is another one."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=float)
    noisy = smooth + rng.normal(0, 10, smooth.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def pixels_of(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def timms_stages(side: int) -> tuple[Any, Any, Any]:
    """Crop and flip; RandAugment; tensor, normalisation and erasing, with DeiT's options."""
    return create_transform(
        side,
        is_training=True,
        auto_augment="rand-m9-mstd0.5-inc1",
        interpolation="bicubic",
        scale=(0.08, 1.0),
        ratio=(3 / 4, 4 / 3),
        hflip=0.5,
        re_prob=0.25,
        re_mode="pixel",
        re_count=1,
        mean=NORM.mean,
        std=NORM.std,
        separate=True,
    )


def timms_mixup(**changed: float) -> Mixup:
    options = {"mixup_alpha": 0.8, "cutmix_alpha": 1.0, "switch_prob": 0.5, "label_smoothing": 0.1}
    return Mixup(**{**options, **changed}, num_classes=CLASSES)


@contextmanager
def posterized_to_nothing() -> Iterator[None]:
    """Let timm posterize to 0 bits inside the block: Pillow made that black, and 13 refuses it."""

    def posterize(image: Image.Image, bits: int) -> Image.Image:
        mask = ~(2 ** (8 - bits) - 1)
        return image.point([value & mask for value in range(256)] * 3)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImageOps, "posterize", posterize)
        yield


def seed_all(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def check_alike(name: str, ours: Any, theirs: Any) -> None:
    """The same distribution by Kolmogorov and Smirnov, and the same mean by Welch."""
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    assert stats.ks_2samp(ours, theirs).pvalue > LEAST, name
    error = (ours.var(ddof=1) / len(ours) + theirs.var(ddof=1) / len(theirs)) ** 0.5
    assert abs(ours.mean() - theirs.mean()) < MOST_DEVIATIONS * error, name


def check_share(name: str, ours: int, theirs: int, count: int) -> None:
    """The same chance, of two counts of so many draws each."""
    table = [[ours, count - ours], [theirs, count - theirs]]
    assert stats.fisher_exact(table).pvalue > LEAST, name


def test_the_recipe_is_the_papers() -> None:
    assert replace(DEIT, crop=0.0) == replace(
        DEIT,
        crop=0.0,
        flip=True,
        erase=0.25,
        mixup=0.8,
        cutmix=1.0,
        smoothing=0.1,
        area=(0.08, 1.0),
        rand_augment="rand-m9-mstd0.5-inc1",
    )


@pytest.mark.parametrize("size", [(500, 375), (333, 501), (97, 61), (64, 400), (224, 224)])
@pytest.mark.parametrize("share", [0.875, 0.9, 0.95, 1.0])
@pytest.mark.parametrize("how", ["bilinear", "bicubic", "lanczos"])
def test_images_are_tested_alike_to_a_bit(size: tuple[int, int], share: float, how: str) -> None:
    image = picture(*size, seed=1)
    for side in (57, 224):
        found = pixels_of(View(side, share, how).of(image))
        theirs = create_transform(
            side, is_training=False, crop_pct=share, interpolation=how, normalize=False
        )
        assert torch.equal(found, theirs(image))
        squashed = create_transform(
            side,
            is_training=False,
            crop_pct=share,
            crop_mode="squash",
            interpolation=how,
            normalize=False,
        )
        view = View(side, share, how, "squash")
        assert torch.equal(pixels_of(view.of(image)), squashed(image))
        own = transforms.Compose(
            [
                transforms.Resize(int(side / share), transforms.InterpolationMode(how)),
                transforms.CenterCrop(side),
            ]
        )
        assert torch.equal(found, pixels_of(own(image)))


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (900, 60), (60, 900), (33, 32)])
def test_a_seed_is_timms_part_of_an_image(size: tuple[int, int]) -> None:
    """Of long images no draw fits often, and the middle is taken."""
    crop = timms_stages(SIDE)[0].transforms[0]
    image = Image.new("RGB", size)
    for seed in range(400):
        left, top, wide, tall = random_part(size, (0.08, 1.0), random.Random(seed))
        random.seed(seed)
        assert crop.get_params(image, (0.08, 1.0), RATIOS) == (top, left, tall, wide)


def test_parts_are_distributed_as_torchvisions() -> None:
    size = (500, 375)
    draw = random.Random(0)
    ours = np.array([random_part(size, (0.08, 1.0), draw) for _ in range(5000)])
    torch.manual_seed(0)
    image = Image.new("RGB", size)
    drawn = [
        transforms.RandomResizedCrop.get_params(image, [0.08, 1.0], list(RATIOS))
        for _ in range(5000)
    ]
    theirs = np.array([(left, top, wide, tall) for top, left, tall, wide in drawn])
    measures: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "area": lambda p: p[:, 2] * p[:, 3],
        "ratio": lambda p: np.log(p[:, 2] / p[:, 3]),
        "left": lambda p: p[:, 0] / (size[0] - p[:, 2] + 1),
        "top": lambda p: p[:, 1] / (size[1] - p[:, 3] + 1),
    }
    for name, measure in measures.items():
        check_alike(name, measure(ours), measure(theirs))


def test_a_seed_is_timms_crop_and_randaugment_to_a_bit(monkeypatch) -> None:
    """Both draw from Python's and numpy's streams; the flip apart, which torchvision draws."""
    image = picture(120, 90, seed=2)
    ours = RandomView(View(64), DEIT.area, False, DEIT.rand_augment, NORM.mean)
    first, second, _ = timms_stages(64)
    monkeypatch.setattr(first.transforms[1], "p", 0.0)
    seen = set()
    for seed in range(1000):
        draw = random.Random(seed)
        random_part(image.size, (0.08, 1.0), draw)
        random.seed(seed)
        square = first(image)
        drawn = draw.getrandbits(32)
        random.seed(drawn)
        np.random.seed(drawn)
        with posterized_to_nothing():
            theirs = np.asarray(second(square))
        assert np.array_equal(ours.of(image, seed), theirs)
        seen.add(theirs.tobytes())
    black = np.zeros_like(theirs).tobytes()
    assert black in seen  # posterized to 0 bits
    assert len(seen) > 950


def test_half_are_mirrored() -> None:
    view = RandomView(View(8), area=None)
    image = picture(8, 8, seed=3)
    flip = transforms.RandomHorizontalFlip(0.5)
    torch.manual_seed(0)
    mirrored = np.asarray(image)[:, ::-1]
    ours = sum(np.array_equal(view.of(image, seed), mirrored) for seed in range(4000))
    theirs = sum(np.array_equal(flip(image), mirrored) for _ in range(4000))
    check_share("mirrored", ours, theirs, 4000)


def rectangles(images: torch.Tensor) -> np.ndarray:
    """Return top, left, height and width of what is not 0, of the images where anything is."""
    found = []
    for touched in (images != 0).any(dim=1).numpy():
        rows, columns = np.flatnonzero(touched.any(axis=1)), np.flatnonzero(touched.any(axis=0))
        if len(rows):
            assert touched.sum() == len(rows) * len(columns)
            found.append((rows[0], columns[0], len(rows), len(columns)))
    return np.array(found)


def test_rectangles_are_erased_as_timm_does() -> None:
    """Where a drawn one is as long as the image, both draw another."""
    count = 12_000
    draws = torch.rand(count, 2, generator=torch.Generator().manual_seed(0))
    ours = erased(torch.zeros(count, 3, SIDE, SIDE), 0.25, draws)
    seed_all(1)
    theirs = RandomErasing(0.25, mode="pixel", max_count=1, device="cpu")(
        torch.zeros(count, 3, SIDE, SIDE)
    )
    boxes = rectangles(ours), rectangles(theirs)
    assert max(boxes[0][:, 2:].max(), boxes[1][:, 2:].max()) < SIDE
    check_share("erased", len(boxes[0]), len(boxes[1]), count)
    for name, measure in {
        "height": lambda b: b[:, 2],
        "width": lambda b: b[:, 3],
        "area": lambda b: b[:, 2] * b[:, 3],
        "ratio": lambda b: np.log(b[:, 2] / b[:, 3]),
        "top": lambda b: b[:, 0] / (SIDE - b[:, 2] + 1),
        "left": lambda b: b[:, 1] / (SIDE - b[:, 3] + 1),
    }.items():
        check_alike(name, measure(boxes[0]), measure(boxes[1]))
    noise = [images[images != 0][:200_000] for images in (ours, theirs)]
    check_alike("noise", *noise)
    check_alike("squared noise", *(values**2 for values in noise))


@pytest.mark.parametrize("changed", [{}, {"cutmix": 0.0}, {"mixup": 0.0}])
def test_mixed_images_and_targets_are_timms(changed: dict[str, float]) -> None:
    """λ is read off the targets, and timm's formulas are applied to what was drawn."""
    how = replace(DEIT, erase=0.0, flip=False, crop=0.0, **changed)
    labels = torch.tensor([0, 1, 2, 3])
    generator = torch.Generator().manual_seed(4)
    pixels = torch.randint(0, 256, (4, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    plain = normalised(pixels, NORM)
    cuts = 0
    for _ in range(100):
        images, targets = augmented(pixels, labels, CLASSES, how, NORM, generator)
        share = ((targets[0, 0] - targets[0, 9]) / 0.9).item()
        expected = mixup_target(labels, CLASSES, share, 0.1)
        torch.testing.assert_close(targets, expected, atol=1e-6, rtol=0)
        torch.testing.assert_close(targets.sum(dim=1), torch.ones(4), atol=1e-6, rtol=0)
        blend = share * plain + (1 - share) * plain.flip(0)
        if torch.allclose(images, blend, atol=1e-5):
            continue
        cuts += 1
        other = (images == plain.flip(0)) & (images != plain)
        assert torch.equal(images, torch.where(other, plain.flip(0), plain))
        boxes = rectangles(other.any(dim=1, keepdim=True).expand(-1, 3, -1, -1).float())
        if len(boxes):
            assert (boxes == boxes[0]).all()
            assert 1 - boxes[0, 2] * boxes[0, 3] / SIDE**2 == pytest.approx(share, abs=1e-6)
    # An empty box is taken for mixup here.
    low, high = {"": (20, 80), "cutmix": (0, 0), "mixup": (90, 100)}["".join(changed)]
    assert low <= cuts <= high


def drawn_shares(mix: Callable[[torch.Tensor, torch.Tensor], Any], count: int) -> np.ndarray:
    """Return λ, whether it was CutMix, and its box (top, left, height, width), for each batch."""
    found = []
    for _ in range(count):
        images = torch.zeros(2, 3, SIDE, SIDE)
        images[1] = 1.0
        mixed_images, targets = mix(images, torch.tensor([0, 1]))
        share = ((targets[0, 0] - targets[0, 9]) / 0.9).item()
        cut = bool(((mixed_images == 0) | (mixed_images == 1)).all())
        box = rectangles(mixed_images[:1]) if cut else np.zeros((0, 4))
        found.append((share, cut, *(box[0] if len(box) else (0, 0, 0, 0))))
    return np.array(found)


def test_shares_and_boxes_are_drawn_as_timm_does() -> None:
    """Mixup's λ of Beta(0.8, 0.8); CutMix's of Beta(1, 1) and then of what the image has of it."""
    count = 4000
    generator = torch.Generator().manual_seed(5)
    smooth = torch.full((2, CLASSES), 0.01) + 0.9 * torch.eye(CLASSES)[:2]
    ours = drawn_shares(lambda images, labels: mixed(images, smooth, DEIT, generator), count)
    seed_all(6)
    theirs = drawn_shares(timms_mixup(), count)
    check_share("CutMix", int(ours[:, 1].sum()), int(theirs[:, 1].sum()), count)
    cuts = [found[found[:, 1] == 1] for found in (ours, theirs)]
    mixes = [found[found[:, 1] == 0] for found in (ours, theirs)]
    check_alike("mixup's share", mixes[0][:, 0], mixes[1][:, 0])
    check_alike("CutMix's share", cuts[0][:, 0], cuts[1][:, 0])
    for place, name in enumerate(("top", "left", "height", "width"), start=2):
        check_alike(name, cuts[0][:, place], cuts[1][:, place])


def test_losses_are_timms() -> None:
    generator = torch.Generator().manual_seed(7)
    for _ in range(20):
        logits = 5 * torch.randn(64, 1000, generator=generator)
        targets = mixup_target(torch.randint(0, 1000, (64,), generator=generator), 1000, 0.3, 0.1)
        theirs = SoftTargetCrossEntropy()(logits, targets)
        assert soft_cross_entropy(logits, targets).item() == pytest.approx(theirs.item(), rel=1e-6)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """120 images of three sizes in CLASSES classes."""
    folder = tmp_path_factory.mktemp("photos")
    sizes = [(64, 48), (48, 60), (50, 50)]
    for number in range(CLASSES):
        (folder / f"{number}").mkdir()
        for nth in range(12):
            image = picture(*sizes[nth % 3], seed=100 * number + nth)
            image.save(folder / f"{number}" / f"{nth}.png")
    return folder


def test_batches_of_the_recipe_have_timms_statistics(photos: Path) -> None:
    """The whole recipe over IMAGES images, from files to batches: moments of each batch."""
    plan = plan_of("deit", {"batch": BATCH, "repeats": 1})
    data = load_dataset(str(photos), SIDE, loading=Loading("disk", workers=0))
    batches = TrainingBatches(data, NORM, plan)
    count = IMAGES // BATCH
    ours = [moments(*batch) for batch in islice(batches.from_step(0, count), count)]

    stored, labels = data.train.stored, torch.from_numpy(data.train.labels)
    assert stored is not None
    kept = [stored.image(place) for place in range(len(stored))]
    first, second, third = timms_stages(SIDE)
    mixup = timms_mixup()
    seed_all(8)
    theirs = []
    for _, _, chosen in batches.order.steps(0, count):
        with posterized_to_nothing():
            images = torch.stack([third(second(first(kept[n]))) for n in chosen.tolist()])
        theirs.append(moments(*mixup(images, labels[chosen])))
    for name in ours[0]:
        check_alike(name, [found[name] for found in ours], [found[name] for found in theirs])


def moments(images: torch.Tensor, targets: torch.Tensor) -> dict[str, float]:
    """Return what a batch is described by: of each channel, of its edges, and of its targets."""
    found = {f"mean of channel {c}": images[:, c].mean().item() for c in range(3)}
    found |= {f"deviation of channel {c}": images[:, c].std().item() for c in range(3)}
    found["steps between columns"] = images.diff(dim=-1).abs().mean().item()
    found["steps between rows"] = images.diff(dim=-2).abs().mean().item()
    found["spread of the images' means"] = images.mean(dim=(1, 2, 3)).std().item()
    found["largest target"] = targets.max(dim=1).values.mean().item()
    assert targets.sum(dim=1).allclose(torch.ones(len(targets)), atol=1e-5)
    return found
