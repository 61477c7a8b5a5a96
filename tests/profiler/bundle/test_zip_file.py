"""The zip of a bundle: what is written comes back, and what a stranger made is refused unread."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import random
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.errors import UserError
from vitprof.profiler.bundle import zip_file as bundle_zip
from vitprof.profiler.bundle.zip_file import MANIFEST, SealedZip, is_sealed, new_zip

Refused = Callable[..., object]
Entries = list[tuple[str | zipfile.ZipInfo, bytes]]

FIRST = "artifacts/0000.onnx"
PLAIN = (stat.S_IFREG | 0o644) << 16


def plain(name: str, mode: int = PLAIN) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.create_system = 3
    entry.external_attr = mode
    return entry


def sealed(data: bytes) -> bytes:
    """Seal a zip again, as anybody can who reads the code."""
    return data[:-64] + hashlib.sha256(data[:-64]).hexdigest().encode()


def forged(entries: Entries, kind: int = zipfile.ZIP_STORED) -> bytes:
    """Return a sealed zip of these entries, whatever they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        archive.comment = b"vitprof-bundle-sha256:" + b"0" * 64
        for name, data in entries:
            archive.writestr(plain(name) if isinstance(name, str) else name, data, kind)
    return sealed(buffer.getvalue())


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "b.zip"
    with new_zip(path) as add:
        add(FIRST, b"first artifact")
        add("artifacts/0001.engine", bytes(range(256)))
        add(MANIFEST, b"{}")
    return path


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """No entry may be read: what is refused, is refused before."""

    def read(*_: object) -> None:
        raise AssertionError("an entry was read")

    monkeypatch.setattr(zipfile.ZipExtFile, "__init__", read)


def test_what_is_written_comes_back(bundle: Path) -> None:
    with SealedZip(bundle) as archive:
        assert archive.sizes == {FIRST: 14, "artifacts/0001.engine": 256, MANIFEST: 2}
        assert archive.read(FIRST) == b"first artifact"
        assert archive.read("artifacts/0001.engine") == bytes(range(256))
        archive.check_seal()
    with zipfile.ZipFile(bundle) as ordinary:
        assert ordinary.testzip() is None
        assert [entry.filename for entry in ordinary.infolist()][-1] == MANIFEST
    assert [path.name for path in bundle.parent.iterdir()] == ["b.zip"]


def test_bundles_of_version_1_are_read(tmp_path: Path) -> None:
    """They are not compressed."""
    path = tmp_path / "b.zip"
    path.write_bytes(forged([(FIRST, b"first artifact"), (MANIFEST, b"{}")]))
    with SealedZip(path) as archive:
        assert archive.read(FIRST) == b"first artifact"
        archive.check_seal()


def test_equal_entries_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        with new_zip(tmp_path / name) as add:
            add(FIRST, b"x" * 1000)
            add(MANIFEST, b"{}")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_what_stood_there_and_nothing_else(
    bundle: Path, error: type[BaseException]
) -> None:
    before = bundle.read_bytes()
    with pytest.raises(error), new_zip(bundle) as add:
        add(FIRST, b"half")
        raise error
    assert bundle.read_bytes() == before
    assert list(bundle.parent.iterdir()) == [bundle]


def test_a_full_disk_is_one_sentence(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with refused("b.zip", "No space left", "nothing was changed"), new_zip(bundle) as add:
        add(MANIFEST, b"{}")
    assert list(bundle.parent.iterdir()) == [bundle]


def test_more_than_4_gib_would_be_read_by_its_64_bit_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    path = tmp_path / "b.zip"
    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZIP64_LIMIT", 10)  # a zip's largest 32-bit number, as it were
        with new_zip(path) as add:
            add(FIRST, b"first artifact")
            add(MANIFEST, b"{}")
    data = path.read_bytes()
    assert b"PK\6\6" in data
    with SealedZip(path) as archive:
        archive.check_seal()
        assert archive.read(FIRST) == b"first artifact"
    record = data.index(b"PK\6\6")
    hostile = bytearray(data)
    hostile[record + 40 : record + 48] = struct.pack("<Q", 1 << 40)  # the size of the contents
    path.write_bytes(sealed(bytes(hostile)))
    with refused("b.zip", "artifacts"):
        SealedZip(path)
    moved = bytearray(data)
    moved[record + 56 + 8 : record + 56 + 16] = struct.pack("<Q", 3)  # where that record is
    path.write_bytes(sealed(bytes(moved)))
    with refused("b.zip", "damaged", "64-bit end"):
        SealedZip(path)


def test_every_changed_byte_and_every_cut_is_refused(bundle: Path, tmp_path: Path) -> None:
    data = bundle.read_bytes()
    path = tmp_path / "changed.zip"

    def opened() -> str:
        with pytest.raises(UserError) as caught, SealedZip(path) as archive:
            archive.check_seal()
        return str(caught.value)

    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        assert "\n" not in opened(), position
        path.write_bytes(data[:position])
        assert "\n" not in opened(), position
    for more in (b"\0", b"PK\5\6", data):
        path.write_bytes(data + more)
        opened()
        path.write_bytes(more + data)
        opened()


@given(st.binary(max_size=400), st.booleans(), st.booleans())
def test_whatever_bytes_are_no_bundle(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, zip_start: bool, seal: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "anything.zip"
    data = b"PK\3\4" * zip_start + data
    path.write_bytes(sealed(data + b"vitprof-bundle-sha256:" + b"0" * 64) if seal else data)
    with pytest.raises(UserError) as caught, SealedZip(path):
        pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "../evil.onnx",
        "artifacts/../../evil.onnx",
        "artifacts/../0000.onnx",
        "/etc/passwd",
        "/artifacts/0000.onnx",
        "C:\\evil.onnx",
        "artifacts\\0000.onnx",
        "artifacts/",
        "artifacts/0000.onnx/",
        "./artifacts/0000.onnx",
        "artifacts//0000.onnx",
        "artifacts/00000.onnx",
        "artifacts/000.onnx",
        "artifacts/0000.zip",
        "artifacts/0000.pkl",
        "artifacts/0000.onnx\n",
        "artifacts/٠٠٠٠.onnx",
        "ARTIFACTS/0000.onnx",
        "Manifest.json",
        "manifest.json/x",
        "__main__.py",
    ],
)
def test_no_other_name_is_ever_read(
    name: str, tmp_path: Path, unread: None, refused: Refused
) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(forged([(name, b"x"), (MANIFEST, b"{}")]))
    with refused("b.zip", "has the entry", "which no bundle has"):
        SealedZip(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_hides_behind_a_zero_byte_is_refused(
    bundle: Path, unread: None, refused: Refused
) -> None:
    data = bundle.read_bytes().replace(b"0001.engine", b"0001.onnx\0x")
    bundle.write_bytes(sealed(data))
    with refused("which no bundle has"):
        SealedZip(bundle)


@pytest.mark.parametrize(
    "mode",
    [
        (stat.S_IFLNK | 0o777) << 16,
        (stat.S_IFDIR | 0o755) << 16,
        (stat.S_IFIFO | 0o644) << 16,
        (stat.S_IFREG | 0o4755) << 16,
        0x10,
        0,
    ],
)
def test_links_and_whatever_is_no_plain_file_are_refused(
    mode: int, tmp_path: Path, unread: None, refused: Refused
) -> None:
    path = tmp_path / "b.zip"
    entries: Entries = [(plain(FIRST, mode), b"/etc/passwd"), (MANIFEST, b"{}")]
    path.write_bytes(forged(entries))
    with refused("b.zip", FIRST, "link or not a plain file"):
        SealedZip(path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (FIRST, zipfile.ZIP_BZIP2),
        (FIRST, zipfile.ZIP_LZMA),
        (MANIFEST, zipfile.ZIP_BZIP2),
        (MANIFEST, zipfile.ZIP_LZMA),
        (MANIFEST, zipfile.ZIP_DEFLATED),
    ],
)
def test_a_zip_bomb_is_refused_unopened(
    kind: int, name: str, tmp_path: Path, unread: None, refused: Refused
) -> None:
    path = tmp_path / "b.zip"
    bomb = forged([(name, bytes(20_000_000))], kind)
    assert len(bomb) < 100_000
    path.write_bytes(bomb)
    with refused("b.zip", name, "compressed"):
        SealedZip(path)


def in_list(data: bytes, offset: int, value: bytes) -> bytes:
    """Change the first entry's record in the list of contents."""
    start = data.index(b"PK\1\2") + offset
    return sealed(data[:start] + value + data[start + len(value) :])


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (8, b"\1\0", "not a plain file"),  # encrypted
        (10, b"\x63\0", "compressed"),  # a method that nobody knows
        (10, b"\0\0", "claims that the 16 bytes of artifacts/0000.onnx are 14"),  # not compressed
        (24, struct.pack("<L", 16 * 1032 + 1), "claims that the 16 bytes"),
        (20, struct.pack("<LL", 10**9, 10**9), "more than the file has"),
        (20, struct.pack("<LL", 0, 1), "claims that the 0 bytes"),
        (20, struct.pack("<LL", 2**31, 2**31), "where 2147483647 may be"),
    ],
)
def test_an_entry_that_is_not_as_build_writes_it_is_refused(
    offset: int, value: bytes, words: str, bundle: Path, unread: None, refused: Refused
) -> None:
    bundle.write_bytes(in_list(bundle.read_bytes(), offset, value))
    with refused("b.zip", words):
        SealedZip(bundle)


def test_entries_that_share_their_bytes_are_refused(
    tmp_path: Path, unread: None, refused: Refused
) -> None:
    """Many names for one large entry: a bomb without compression."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.comment = b"vitprof-bundle-sha256:" + b"0" * 64
        archive.writestr(plain(FIRST), bytes(50_000))
        archive.writestr(plain(MANIFEST), b"{}")
        for nth in range(1, 100):
            again = plain(f"artifacts/{nth:04}.onnx")
            first = archive.filelist[0]
            again.file_size = again.compress_size = first.file_size
            again.CRC = first.CRC
            again.header_offset = first.header_offset
            archive.filelist.append(again)
    path = tmp_path / "b.zip"
    path.write_bytes(sealed(buffer.getvalue()))
    with refused("b.zip", "more than the file has"):
        SealedZip(path)


def test_small_files_that_unpack_to_too_much_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    path = tmp_path / "b.zip"
    with new_zip(path) as add:
        for nth in range(9):
            add(f"artifacts/{nth:04}.onnx", bytes(10_000))
        add(MANIFEST, b"{}")
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(bundle_zip, "LARGEST_BUNDLE", 90_002)
    SealedZip(path).close()
    monkeypatch.setattr(bundle_zip, "LARGEST_BUNDLE", 90_001)
    with refused("b.zip", "unpacks to 90002 bytes, more than 90001"):
        SealedZip(path)


@pytest.mark.parametrize("claimed", [65_000, 1_000_000])
def test_no_stream_is_unpacked_beyond_its_size(
    claimed: int, tmp_path: Path, refused: Refused
) -> None:
    """64 MB that the list of contents calls less."""
    path = tmp_path / "b.zip"
    with new_zip(path) as add:
        add(FIRST, bytes(64_000_000))
        add(MANIFEST, b"{}")
    path.write_bytes(in_list(path.read_bytes(), 24, struct.pack("<L", claimed)))
    with SealedZip(path) as archive:
        tracemalloc.start()
        try:
            with refused("b.zip", FIRST, "damaged"):
                archive.read(FIRST)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 10 * claimed


@given(st.lists(st.binary(max_size=3000), max_size=4), st.integers(0, 400), st.booleans())
def test_whatever_artifacts_hold_comes_back(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], times: int, manifest: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.zip"
    contents = [part * times for part in parts]
    with new_zip(path) as add:
        for nth, data in enumerate(contents):
            assert 0 < add(f"artifacts/{nth:04}.onnx", data) <= len(data) + 100
        add(MANIFEST, b"{}" * manifest)
    with SealedZip(path) as archive:
        assert [archive.read(f"artifacts/{n:04}.onnx") for n in range(len(parts))] == contents
        archive.check_seal()


@given(st.data())
def test_a_stream_that_a_stranger_changed_is_damage_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Sealed again, so that only the stream itself can tell."""
    path = tmp_path_factory.getbasetemp() / "stream.zip"
    content = random.Random(1).randbytes(300) * 20
    with new_zip(path) as add:
        taken = add(FIRST, content)
        add(MANIFEST, b"{}")
    whole = bytearray(path.read_bytes())
    start = 30 + len(FIRST)
    for _ in range(data.draw(st.integers(1, 4))):
        whole[start + data.draw(st.integers(0, taken - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(sealed(bytes(whole)))
    with SealedZip(path) as archive:
        try:
            assert archive.read(FIRST) == content, "CRC-32 notices up to four changed bytes"
        except UserError as error:
            assert "damaged" in str(error)
            assert "\n" not in str(error)


def test_an_entry_is_refused_where_its_own_header_disagrees(bundle: Path, refused: Refused) -> None:
    data = bundle.read_bytes()
    at = data.index(FIRST.encode())
    bundle.write_bytes(sealed(data[:at] + b"artifacts/0009.onnx" + data[at + 19 :]))
    with SealedZip(bundle) as archive, refused("b.zip", FIRST, "damaged"):
        archive.read(FIRST)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", [FIRST, MANIFEST])
def test_a_name_that_stands_twice_is_refused(
    name: str, tmp_path: Path, unread: None, refused: Refused
) -> None:
    path = tmp_path / "b.zip"
    entries: Entries = [(name, b"{}"), (name, b"{ }"), (MANIFEST, b"{}")]
    path.write_bytes(forged(entries))
    with refused("b.zip", name, "twice"):
        SealedZip(path)


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("MOST_ARTIFACTS", 1, "more than 1 artifacts"),
        ("LARGEST_ARTIFACT", 255, "256 bytes where 255 may be"),
        ("LARGEST_MANIFEST", 1, "2 bytes where 1 may be"),
        ("LARGEST_BUNDLE", 500, "more than the 500 of a bundle"),
        ("MOST_TIMES", 0, "claims that the 16 bytes"),
    ],
)
def test_sizes_and_numbers_have_limits(
    limit: str,
    value: int,
    words: str,
    bundle: Path,
    unread: None,
    monkeypatch: pytest.MonkeyPatch,
    refused: Refused,
) -> None:
    monkeypatch.setattr(bundle_zip, limit, value)
    with refused("b.zip", words):
        SealedZip(bundle)


def test_a_list_of_contents_without_end_is_not_read(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    """zipfile would read as much as the end of the file announces."""

    def opened(*_: object) -> None:
        raise AssertionError("zipfile was asked")

    data = bundle.read_bytes()
    end = data.rindex(b"PK\5\6")
    bundle.write_bytes(sealed(data[: end + 12] + struct.pack("<L", 2**31) + data[end + 16 :]))
    monkeypatch.setattr(zipfile, "ZipFile", opened)
    with refused("b.zip", "artifacts"):
        SealedZip(bundle)


def test_without_a_manifest_it_is_refused(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(forged([(FIRST, b"x")]))
    with refused("b.zip", "has no manifest.json"):
        SealedZip(path)
    path.write_bytes(forged([]))
    with refused("b.zip"):
        SealedZip(path)


def test_what_is_no_bundle_is_one_sentence(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "b.zip"
    with refused("b.zip", "does not exist", "vitprof build"):
        SealedZip(path)
    path.write_bytes(b"")
    with refused("b.zip", "is empty"):
        SealedZip(path)
    path.write_text("# vitprof-table: 1\n")
    with refused("b.zip", "not a zip file"):
        SealedZip(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("holiday.jpg", b"")
    with refused("b.zip", "not a bundle of vitprof build"):
        SealedZip(path)
    with refused("is not a file"):
        SealedZip(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with refused("pipe is not a file"):
        SealedZip(tmp_path / "pipe")


def test_a_file_that_may_not_be_read_is_one_sentence(
    bundle: Path, ordinary_user: None, refused: Refused
) -> None:
    with contextlib.suppress(PermissionError):  # where root has stepped down it is root's already
        bundle.chmod(0)
    with refused("b.zip", "Permission denied"):
        SealedZip(bundle)


def test_only_a_whole_bundle_is_sealed(bundle: Path, tmp_path: Path) -> None:
    assert is_sealed(bundle)
    assert not is_sealed(tmp_path)
    assert not is_sealed(tmp_path / "missing.zip")
    bundle.write_bytes(bundle.read_bytes()[:-1])
    assert not is_sealed(bundle)


def test_an_artifact_larger_than_the_free_memory_is_refused(bundle: Path, monkeypatch) -> None:
    monkeypatch.setenv("VITPROF_MEMORY_LIMIT", "100")
    with SealedZip(bundle) as archive:
        assert archive.read(FIRST) == b"first artifact"
        with pytest.raises(UserError, match=r"0001.engine needs 256 B of memory, more than 100 B"):
            archive.read("artifacts/0001.engine")
