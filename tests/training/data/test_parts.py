"""What of a data set of files is to train on, and what to test on."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from PIL import Image
from vitprof.errors import UserError
from vitprof.training.data.datasets import load_dataset, load_test_images
from vitprof.training.data.parts import find_parts, find_test_part
from vitprof.training.data.view import View


def shard(path: Path, labels: list[int]) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    with tarfile.open(path, "w") as archive:
        for nth, label in enumerate(labels):
            data = io.BytesIO()
            Image.new("RGB", (8, 8), (nth, label, 0)).save(data, "PNG")
            for kind, content in (("png", data.getvalue()), ("cls", str(label).encode())):
                info = tarfile.TarInfo(f"{path.stem}-{nth}.{kind}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))


def sizes(source: Path | str) -> tuple[int, int | None]:
    parts = find_parts(str(source))
    return len(parts.train), None if parts.test is None else len(parts.test)


def test_shards_side_by_side_or_in_folders(tmp_path) -> None:
    for n in range(3):
        shard(tmp_path / f"beside/train-{n}.tar", [0, 1])
        shard(tmp_path / f"apart/train/{n}.tar", [0, 1])
    for place in ("beside/val-0.tar", "apart/val/0.tar"):
        shard(tmp_path / place, [1, 0, 1])
    for folder in ("beside", "apart"):
        assert sizes(tmp_path / folder) == (6, 3)
        test = find_test_part(str(tmp_path / folder))
        assert test is not None
        assert test.labels.tolist() == [1, 0, 1]


def test_a_folder_of_shards_and_one_shard_are_one_part(tmp_path) -> None:
    for n in range(2):
        shard(tmp_path / f"s/{n}.tar", [0, 1, 1])
    assert sizes(tmp_path / "s") == (6, None)
    assert sizes(tmp_path / "s/0.tar") == (3, None)
    assert find_test_part(str(tmp_path / "s")) is None


def test_a_range_of_shards(tmp_path) -> None:
    for n in range(8, 12):
        shard(tmp_path / f"a-{n:03}.tar", [n - 8])
    found = find_parts(f"{tmp_path}/a-{{008..011}}.tar").train
    assert found.labels.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a-{000..002}.tar", r"a-001.tar does not exist: 2 of the 3 shards"),
        ("a-{2..1}.tar", "the range goes from 2 to 1"),
        ("a-{0..999999999}.tar", "the range goes from 0 to 999999999"),
    ],
)
def test_ranges_that_cannot_be(tmp_path, text: str, words: str) -> None:
    shard(tmp_path / "a-000.tar", [0])
    with pytest.raises(UserError, match=words):
        find_parts(f"{tmp_path}/{text}")


def test_the_last_classes_may_have_no_image_to_test_on(tmp_path) -> None:
    shard(tmp_path / "s/train-0.tar", [0, 1, 2])
    shard(tmp_path / "s/val-0.tar", [1, 0])
    data = load_dataset(str(tmp_path / "s"), 8)
    assert data.train.classes == data.test.classes == ("0", "1", "2")


def test_names_of_classes_beside_shards(tmp_path) -> None:
    shard(tmp_path / "s/train-0.tar", [0, 1])
    shard(tmp_path / "s/val-0.tar", [1])
    (tmp_path / "s/classes.txt").write_text("cat\ndog\n")
    assert load_dataset(str(tmp_path / "s"), 8).test.classes == ("cat", "dog")
    (tmp_path / "s/classes.txt").write_text("cat\ncat\n")
    with pytest.raises(UserError, match="names a class twice"):
        find_parts(str(tmp_path / "s"))


def test_classes_that_differ_between_the_parts_are_named(make_folder, tmp_path) -> None:
    make_folder("set/train", ("cat", "dog"))
    make_folder("set/val", ("cat", "cow"))
    with pytest.raises(UserError, match=r"differ in classes \(cow, dog\)"):
        load_dataset(str(tmp_path / "set"), 8)


def test_a_data_set_of_hugging_face(tmp_path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )

    def rows(count: int):
        pictures = [Image.new("RGB", (8, 8), (n, 0, 0)) for n in range(count)]
        made = {"image": pictures, "label": [n % 2 for n in range(count)]}
        return datasets.Dataset.from_dict(made, features=features)

    datasets.DatasetDict({"train": rows(6), "validation": rows(4)}).save_to_disk(tmp_path / "set")
    assert sizes(tmp_path / "set") == (6, 4)
    assert len(load_test_images(str(tmp_path / "set"), View(8))) == 4
    datasets.DatasetDict({"dev": rows(6)}).save_to_disk(tmp_path / "other")
    with pytest.raises(UserError, match="has the parts dev, and none called train"):
        find_parts(str(tmp_path / "other"))
