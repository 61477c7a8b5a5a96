"""Data sets of Hugging Face on disk, written by its own library."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from vitprof.errors import UserError
from vitprof.training.data.sources.arrow_source import is_arrow_folder, read_arrow_folder

datasets = pytest.importorskip("datasets")
pyarrow = pytest.importorskip("pyarrow")


def picture(value: int) -> Image.Image:
    return Image.fromarray(np.full((8, 8, 3), value, dtype=np.uint8))


def rows(count: int = 6, **columns: object):
    features = datasets.Features(
        {"img": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    made = {"img": [picture(n) for n in range(count)], "label": [n % 2 for n in range(count)]}
    return datasets.Dataset.from_dict(made, features=features)


def test_a_set_without_parts(tmp_path) -> None:
    rows().save_to_disk(str(tmp_path / "set"))
    assert is_arrow_folder(tmp_path / "set")
    assert not is_arrow_folder(tmp_path)
    source = read_arrow_folder(tmp_path / "set")[""]
    assert source.classes == ("cat", "dog")
    assert source.labels.tolist() == [0, 1, 0, 1, 0, 1]
    image = Image.open(io.BytesIO(source.read(3)))
    assert image.getpixel((0, 0)) == (3, 3, 3)
    copied = pickle.loads(pickle.dumps(source))
    assert copied.read(3) == source.read(3)


def test_a_set_with_parts(tmp_path) -> None:
    parts = datasets.DatasetDict({"train": rows(6), "validation": rows(4)})
    parts.save_to_disk(str(tmp_path / "set"))
    found = read_arrow_folder(tmp_path / "set")
    assert {name: len(part) for name, part in found.items()} == {"train": 6, "validation": 4}


def test_whole_numbers_may_be_classes(tmp_path) -> None:
    plain = rows().cast_column("label", datasets.Value("int64"))
    plain.save_to_disk(str(tmp_path / "set"))
    assert read_arrow_folder(tmp_path / "set")[""].classes == ("0", "1")


def test_a_class_of_a_huge_number_is_refused(tmp_path, refused) -> None:
    plain = rows().cast_column("label", datasets.Value("int64"))
    hostile = plain.map(lambda row: {"label": 2**40 if row["label"] else 0})
    hostile.save_to_disk(str(tmp_path / "set"))
    with refused("number of its classes is 1,099,511,627,777", "VITPROF_MOST_CLASSES"):
        read_arrow_folder(tmp_path / "set")


def test_labels_that_need_more_memory_than_is_free_are_refused(
    tmp_path, refused, monkeypatch
) -> None:
    rows().save_to_disk(str(tmp_path / "set"))
    monkeypatch.setenv("VITPROF_MEMORY_LIMIT", "40")
    with refused("the column 'label' needs 48 B of memory", "VITPROF_MEMORY_LIMIT"):
        read_arrow_folder(tmp_path / "set")


def test_a_path_in_the_data_is_not_followed(tmp_path) -> None:
    picture(9).save(tmp_path / "secret.png")
    rows(2).save_to_disk(str(tmp_path / "set"))
    # The library would put the file's bytes in; a hostile set has the path alone.
    file = next((tmp_path / "set").glob("*.arrow"))
    with pyarrow.ipc.open_stream(file.read_bytes()) as stream:
        table = stream.read_all()
    cells = [{"bytes": None, "path": str(tmp_path / "secret.png")}] * 2
    column = pyarrow.array(cells, type=table.schema.field("img").type)
    hostile = table.set_column(0, table.schema.field("img"), column)
    with pyarrow.OSFile(str(file), "wb") as out, pyarrow.ipc.new_stream(out, table.schema) as sink:
        sink.write_table(hostile)
    source = read_arrow_folder(tmp_path / "set")[""]
    with pytest.raises(UserError, match="row 0 holds no image, only a path"):
        source.read(0)


@pytest.mark.parametrize(
    ("column", "words"), [("img", "has no column of images"), ("label", "no column of classes")]
)
def test_columns_that_are_missing(tmp_path, column: str, words: str) -> None:
    rows().remove_columns(column).save_to_disk(str(tmp_path / "set"))
    with pytest.raises(UserError, match=words):
        read_arrow_folder(tmp_path / "set")


def test_a_damaged_set_is_refused(tmp_path: Path) -> None:
    rows().save_to_disk(str(tmp_path / "set"))
    next((tmp_path / "set").glob("*.arrow")).write_bytes(b"no arrow")
    with pytest.raises(UserError, match="is not an Arrow file that can be read"):
        read_arrow_folder(tmp_path / "set")
