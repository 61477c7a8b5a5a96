"""`vitprof train` and `vitprof eval` on images that stay on disk."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from vitprof.models import ViTSpec

pytestmark = pytest.mark.slow

QUICK = ("--epochs", "1", "--batch", "8", "--autocast", "fp32", "--keep", "disk", "--workers", "1")


def picture(label: int, seed: int) -> bytes:
    """Return a JPEG of noise, darker or brighter by its class."""
    pixels = np.random.default_rng(seed).integers(0, 100, (14, 18, 3)) + 120 * label
    data = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(data, "JPEG")
    return data.getvalue()


@pytest.fixture(scope="module")
def spec(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("spec") / "tiny.json"
    path.write_text(ViTSpec.uniform(16, 1, 1, resolution=8, patch=4, classes=2).to_json())
    return path


@pytest.fixture
def folders(tmp_path) -> Path:
    """train and val, each a folder of class folders; 32 and 8 images."""
    for part, count in (("train", 16), ("val", 4)):
        for label, name in enumerate(("cat", "dog")):
            place = tmp_path / "photos" / part / name
            place.mkdir(parents=True)
            for nth in range(count):
                (place / f"{nth}.jpg").write_bytes(picture(label, nth))
    return tmp_path / "photos"


@pytest.fixture
def shards(tmp_path) -> Path:
    """train-0.tar to train-3.tar, val-0.tar and the names of the classes."""
    place = tmp_path / "shards"
    place.mkdir()
    for part, count in (("train", 4), ("val", 1)):
        for shard in range(count):
            with tarfile.open(place / f"{part}-{shard}.tar", "w") as archive:
                for nth in range(8):
                    for kind, data in (
                        ("jpg", picture(nth % 2, 8 * shard + nth)),
                        ("cls", str(nth % 2).encode()),
                    ):
                        info = tarfile.TarInfo(f"{part}{shard}{nth}.{kind}")
                        info.size = len(data)
                        archive.addfile(info, io.BytesIO(data))
    (place / "classes.txt").write_text("cat\ndog\n")
    return place


@pytest.mark.parametrize("kind", ["folders", "shards"])
def test_a_model_learns_from_disk(run, spec, tmp_path, request, kind: str) -> None:
    data, out = request.getfixturevalue(kind), tmp_path / "out"
    options = ("--data", data, "--out", out, *QUICK, "--epochs", "6", "--learning-rate", "0.01")
    answer = run("train", "--model", spec, *options)
    assert answer.code == 0, answer.err
    assert "32 images are read from" in answer.err
    assert "by 1 process; at most 0.00293 MiB" in answer.err
    assert answer.out.startswith("top-1 ")
    assert json.loads((out / "run.json").read_text())["read_from"] == "disk"
    assert json.loads((out / "report.json").read_text())["top1"] > 0.9
    tested = run("eval", "--model", out, "--data", data, "--json")
    assert json.loads(tested.out)["images"] == 8


def test_a_damaged_image_is_refused_or_counted(run, spec, folders, tmp_path) -> None:
    (folders / "train/cat/3.jpg").write_bytes(b"no image")
    out = tmp_path / "out"
    refused = run("train", "--model", spec, "--data", folders, "--out", out, *QUICK)
    assert refused.code == 2
    assert "'cat/3.jpg' is not an image that can be read (its format is unknown)" in refused.err
    again = run(
        "train", "--model", spec, "--data", folders, "--out", out, *QUICK, "--on-damaged", "skip",
        "--json",
    )  # fmt: skip
    assert again.code == 0, again.err
    assert "skipped: " in again.err
    assert json.loads(again.out)["damaged"] == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--recipe", "deit"), "RandAugment is timm's, which is not installed"),
        (("--augment", "randaugment", "--keep", "memory"), "RandAugment takes images on disk"),
        (("--ema", "1"), "--ema is 1.0; it has to be from 0 to below 1"),
        (("--accumulate", "9"), "--accumulate is 9; it has to be from 1 to --batch"),
        (("--recipe", "diet"), "'diet' is not one of"),
    ],
)
def test_what_cannot_be_is_refused(run, spec, folders, tmp_path, options, words) -> None:
    if "timm" in words and _has_timm():
        pytest.skip("timm is installed here")
    answer = run(
        "train", "--model", spec, "--data", folders, "--out", tmp_path / "out", *QUICK, *options
    )
    assert answer.code == 2
    assert words in answer.err


def _has_timm() -> bool:
    try:
        import timm  # noqa: F401
    except ImportError:
        return False
    return True


def test_a_dry_run_takes_so_many_batches_of_each_phase(run, spec, folders, tmp_path) -> None:
    options = ("--model", spec, "--data", folders, *QUICK, "--batch", "2", "--limit-batches", "3")
    out = tmp_path / "out"
    answer = run("train", *options, "--out", out, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["test_images"] == 6
    assert json.loads((out / "run.json").read_text())["training"]["limit_batches"] == 3


@pytest.fixture
def model(run, spec, folders, tmp_path) -> Path:
    """A model that is not trained: what is tested is what it is tested on."""
    out = tmp_path / "model"
    answer = run("train", "--model", spec, "--data", folders, "--out", out, "--epochs", "0",
                 "--batch", "8")  # fmt: skip
    assert answer.code == 0, answer.err
    return out


def images_of(answer) -> int:
    assert answer.code == 0, answer.err
    return json.loads(answer.out)["images"]


def test_eval_takes_all_of_the_validation_images_and_reads_no_others(run, model, folders) -> None:
    for broken in (folders / "train").rglob("*.jpg"):
        broken.write_bytes(b"not to be read")
    assert images_of(run("eval", "--model", model, "--data", folders, "--json")) == 8


def test_a_folder_without_parts_is_split_only_where_that_is_asked(run, model, folders) -> None:
    plain = folders / "train"
    assert images_of(run("eval", "--model", model, "--data", plain, "--json")) == 32
    of_part = run("eval", "--model", model, "--data", plain, "--part", "test", "--json")
    assert images_of(of_part) == 6  # a fifth of 16, twice
    refused = run("eval", "--model", model, "--data", folders, "--part", "all")
    assert refused.code == 2
    assert "has a part to test on and others" in refused.err


def test_eval_scales_and_cuts_as_the_configuration_says(run, model, folders) -> None:
    path = model / "preprocessor_config.json"
    record = json.loads(path.read_text())
    record |= {"size": {"shortest_edge": 10}, "crop_size": 8, "do_center_crop": True, "resample": 2}
    path.write_text(json.dumps(record))
    answer = run("eval", "--model", model, "--data", folders)
    assert "scaled to 10 pixels (bilinear), and the middle 8 x 8 of them" in answer.err
    otherwise = run("eval", "--model", model, "--data", folders, "--crop-pct", "1")
    assert "scaled to" not in otherwise.err


def test_eval_says_how_many_could_not_be_read(run, model, folders) -> None:
    (folders / "val/dog/1.jpg").write_bytes(b"no image")
    options = ("--keep", "disk", "--workers", "0")
    refused = run("eval", "--model", model, "--data", folders, *options)
    assert refused.code == 2
    assert "'dog/1.jpg' is not an image" in refused.err
    answer = run(
        "eval", "--model", model, "--data", folders, *options, "--on-damaged", "skip", "--json"
    )
    assert images_of(answer) == 7
    assert "1 of 8 images could not be read" in answer.err
