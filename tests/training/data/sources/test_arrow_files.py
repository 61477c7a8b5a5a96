"""What a data set on disk may not ask for: packed data, and files that are not its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from vitprof.training.data.sources.arrow_files import check_arrow_folder
from vitprof.training.data.sources.arrow_source import read_arrow_folder

datasets = pytest.importorskip("datasets")
pyarrow = pytest.importorskip("pyarrow")

DATA = "data-00000-of-00001.arrow"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set of 2,000 rows that compress well."""
    pixels = [np.zeros((8, 8, 3), dtype=np.uint8)] * 2000
    columns = {"img": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    made = {"img": pixels, "label": [0, 1] * 1000}
    rows = datasets.Dataset.from_dict(made, features=datasets.Features(columns))
    rows.save_to_disk(str(tmp_path / "set"))
    return tmp_path / "set"


def write_again(file: Path, compression: str | None, dictionary: bool = False) -> None:
    """Write a file's table as another program would."""
    with pyarrow.memory_map(str(file)) as source:
        table = pyarrow.ipc.open_stream(source).read_all()
    if dictionary:
        labels = pyarrow.array(["a" * 5000, "b" * 5000] * 1000).dictionary_encode()
        table = table.append_column("text", labels)
    file.unlink()  # it is mapped, and its pages are the table's
    options = pyarrow.ipc.IpcWriteOptions(compression=compression)
    with pyarrow.ipc.new_stream(str(file), table.schema, options=options) as writer:
        writer.write_table(table)


@pytest.mark.parametrize("dictionary", [False, True])
def test_data_that_are_not_compressed_are_read(folder: Path, dictionary: bool) -> None:
    check_arrow_folder(folder)
    write_again(folder / DATA, None, dictionary)
    check_arrow_folder(folder)


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
@pytest.mark.parametrize("dictionary", [False, True])
def test_compressed_data_are_refused(
    folder: Path, compression: str, dictionary: bool, refused
) -> None:
    """pyarrow reads them without a word, and unpacks all of a file at once."""
    write_again(folder / DATA, compression, dictionary)
    with pyarrow.memory_map(str(folder / DATA)) as file:
        assert pyarrow.ipc.open_stream(file).read_all().num_rows == 2000
    with refused(DATA, "is compressed", "save_to_disk"):
        read_arrow_folder(folder)


@pytest.mark.parametrize("name", ["../other.arrow", "/etc/passwd", "a/b.arrow", "", 7, None])
def test_files_elsewhere_are_refused(folder: Path, name: object, refused) -> None:
    state = json.loads((folder / "state.json").read_text())
    state["_data_files"] = [{"filename": name}]
    (folder / "state.json").write_text(json.dumps(state))
    with refused("state.json", "is not a name of a file beside it"):
        read_arrow_folder(folder)


def test_parts_elsewhere_are_refused(folder: Path, refused) -> None:
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": ["../set"]}))
    with refused("dataset_dict.json", "is not a name of a file beside it"):
        read_arrow_folder(folder)


@pytest.mark.parametrize("file", ["state.json", "dataset_info.json"])
def test_what_is_nested_too_deeply_is_refused(folder: Path, file: str, refused) -> None:
    (folder / file).write_text('{"a":' * 5000 + "1" + "}" * 5000)
    with refused(file, "nested too deeply"):
        read_arrow_folder(folder)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_is_refused_or_read(folder: Path, seed: int) -> None:
    """What is changed may be found or not: nothing else than a UserError comes of it."""
    from vitprof.errors import UserError

    random = np.random.default_rng(seed)
    data = bytearray((folder / DATA).read_bytes())
    for place in random.integers(0, min(len(data), 4096), 8):
        data[place] = random.integers(0, 256)
    (folder / DATA).unlink()
    (folder / DATA).write_bytes(data[: random.integers(len(data) // 2, len(data) + 1)])
    try:
        check_arrow_folder(folder)
    except UserError as error:
        assert DATA in str(error)
