"""Images of tar shards: what WebDataset writes is read, and what is hostile refused."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
from pathlib import Path

import pytest
from PIL import Image
from vitprof.errors import UserError
from vitprof.training.data.sources import shard_source
from vitprof.training.data.sources.shard_source import ShardSource

Files = dict[str, bytes]


def png(value: int, side: int = 8) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (side, side), (value, value, value)).save(data, "PNG")
    return data.getvalue()


def write(path: Path, files: Files) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def shard(path: Path, first: int, count: int = 4, classes: int = 2) -> Path:
    files: Files = {}
    for n in range(first, first + count):
        files[f"s/{n:04}.png"] = png(n)
        files[f"s/{n:04}.cls"] = str(n % classes).encode()
    return write(path, files)


@pytest.fixture
def shards(tmp_path) -> list[Path]:
    return [shard(tmp_path / f"train-{n}.tar", 4 * n) for n in range(3)]


def test_images_labels_and_where_shards_begin(shards) -> None:
    source = ShardSource(shards, "train")
    assert len(source) == 12
    assert source.classes == ("0", "1")
    assert source.labels.tolist() == [n % 2 for n in range(12)]
    assert source.starts.tolist() == [0, 4, 8]
    assert source.name_of(5) == "train-1.tar: s/0005"
    assert [source.read(n) for n in (11, 0, 5)] == [png(11), png(0), png(5)]
    copied = pickle.loads(pickle.dumps(source))
    assert copied.read(5) == png(5)


def test_few_files_are_open_at_once(shards, monkeypatch) -> None:
    monkeypatch.setattr(shard_source, "MOST_OPEN", 2)
    source = ShardSource(shards, "train")
    for n in (0, 4, 8, 1, 5, 9):
        assert source.read(n) == png(n)
        assert source._open is not None
        assert len(source._open[1]) <= 2


@pytest.mark.parametrize("field", ["label", "cls", "class"])
def test_a_class_may_stand_in_json_and_other_files_are_passed_over(tmp_path, field) -> None:
    path = write(
        tmp_path / "a.tar",
        {
            "one.txt": b"a caption",
            "one.json": json.dumps({field: 3, "url": "x"}).encode(),
            "one.png": png(1),
            "README": b"no sample",
        },
    )
    assert ShardSource([path], "a").labels.tolist() == [3]


def test_names_of_classes(shards) -> None:
    assert ShardSource(shards, "train", ["cat", "dog", "owl"]).classes == ("cat", "dog", "owl")
    with pytest.raises(UserError, match=r"has the class 1, and classes.txt names 1 "):
        ShardSource(shards, "train", ["cat"])


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> bytes:
    """Return a tar with this header alone and the end mark; its data is not there."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (member("a.png", tarfile.SYMTYPE, link="/etc/passwd"), "'a.png' is a link"),
        (member("a.png", tarfile.LNKTYPE, link="b.png"), "'a.png' is a link"),
        (member("a.png", tarfile.FIFOTYPE), "'a.png' is not a plain file"),
        (member("../a.png"), r"'\.\./a.png' leads out"),
        (member("/a.png"), "'/a.png' leads out"),
        (member("a.png", size=2**40), "'a.png' has over 64 MiB"),
        (member("a.png", size=2**20), "is truncated: it ends within 'a.png'"),
        (b"\x1f\x8b" + bytes(600), "is not a tar that can be read .*; shards are plain tar files"),
        (b"", "is not a tar that can be read"),
        (bytes(10240), "hold no images"),
    ],
)
def test_hostile_and_damaged_shards_are_refused(tmp_path, data: bytes, words: str) -> None:
    path = tmp_path / "bad.tar"
    path.write_bytes(data)
    with pytest.raises(UserError, match=words):
        ShardSource([path], "bad")


@pytest.mark.parametrize("cut", [100, 512, 1300, 1536])
def test_a_shard_that_is_cut_anywhere_is_refused(tmp_path, cut: int) -> None:
    whole = shard(tmp_path / "whole.tar", 0)
    with tarfile.open(whole) as archive:
        last = archive.getmembers()[-1]
        ends = last.offset_data + 512
    path = tmp_path / "cut.tar"
    path.write_bytes(whole.read_bytes()[: ends - cut])
    with pytest.raises(UserError, match=r"truncated|not a tar that can be read"):
        ShardSource([path], "cut")
    path.write_bytes(whole.read_bytes()[:ends])
    with pytest.raises(UserError, match="the mark at the end of a tar is missing"):
        ShardSource([path], "cut")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.png": png(0)}, "'a' has no class"),
        ({"a.png": png(0), "a.cls": b"dog"}, "'a.cls' names no class"),
        ({"a.png": png(0), "a.cls": b"-1"}, "'a.cls' names no class"),
        ({"a.png": png(0), "a.json": b'{"label": true}'}, "'a.json' names no class"),
        ({"a.png": png(0), "a.json": b"[" * 100_000}, "'a.json' in .* nested too deeply"),
        ({"a.png": png(0), "a.json": b'{"x": 1}'}, "'a' has no class"),
        ({"a.png": png(0), "a.jpg": png(0), "a.cls": b"1"}, "'a' has two images"),
    ],
)
def test_images_without_a_class_are_named(tmp_path, files: Files, words: str) -> None:
    with pytest.raises(UserError, match=words):
        ShardSource([write(tmp_path / "a.tar", files)], "a")


def test_a_missing_shard_is_named(tmp_path) -> None:
    with pytest.raises(UserError, match=r"none.tar cannot be read \(No such file"):
        ShardSource([tmp_path / "none.tar"], "none")


def test_a_shard_that_shrank_while_it_was_read(shards: list[Path]) -> None:
    source = ShardSource(shards, "train")
    shards[1].write_bytes(b"")
    with pytest.raises(UserError, match=r"'train-1\.tar: s/0004' ends after 0 of"):
        source.read(4)


def test_webdataset_writes_what_is_read(tmp_path, monkeypatch) -> None:
    webdataset = pytest.importorskip("webdataset")
    path = tmp_path / "w.tar"
    with webdataset.TarWriter(str(path)) as sink:
        for n in range(3):
            sink.write({"__key__": f"k{n}", "png": png(n), "cls": n})
    source = ShardSource([path], "w")
    assert source.labels.tolist() == [0, 1, 2]
    assert source.read(2) == png(2)
