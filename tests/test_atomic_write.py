"""A file is written whole or not at all, and the reason is one sentence."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from vitprof.atomic_write import check_writable, replacing, write_atomically

Refused = Callable[..., object]


def test_text_and_bytes_are_written_and_nothing_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_atomically(path, "é\n")
    assert path.read_bytes() == "é\n".encode()
    write_atomically(str(path), b"\x00new")
    assert path.read_bytes() == b"\x00new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder with a file in it that every user can see and only its owner can write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "table.csv").write_text("old")
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def test_a_folder_without_write_permission_is_refused_and_unchanged(
    public_folder: Path, ordinary_user: None, refused: Refused
) -> None:
    for name in ("table.csv", "new.csv"):
        with refused(name, "Permission denied", "nothing was changed"):
            write_atomically(public_folder / name, "new")
    assert [p.read_text() for p in public_folder.iterdir()] == ["old"]


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder that only its owner may look into."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o000)
        yield folder
        folder.chmod(0o755)


def test_a_folder_that_may_not_be_entered_is_refused(
    closed_folder: Path, ordinary_user: None, refused: Refused
) -> None:
    with refused("table.csv", "Permission denied"):
        write_atomically(closed_folder / "table.csv", "new")


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("missing/table.csv", "No such file"),
        ("file/table.csv", "Not a directory"),
        ("folder", "directory"),
        ("n" * 256, "too long"),
    ],
)
def test_a_place_that_cannot_hold_a_file_is_refused(
    place: str, reason: str, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "file").write_text("a file")
    (tmp_path / "folder").mkdir()
    with refused(place, reason):
        write_atomically(tmp_path / place, "new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
    assert list((tmp_path / "folder").iterdir()) == []


@pytest.mark.parametrize("broken", ["fsync", "write"])
def test_what_stood_there_survives_an_error_half_way(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if broken == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(os, "replace", fail)
    with refused("table.csv", "No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interruption_leaves_the_old_file_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "table.csv"
    real.write_text("old")
    link, dangling = tmp_path / "link.csv", tmp_path / "dangling.csv"
    link.symlink_to(real)
    dangling.symlink_to("real/new.csv")
    write_atomically(link, "new")
    write_atomically(dangling, "new")
    assert link.is_symlink() and dangling.is_symlink()
    assert real.read_text() == (tmp_path / "real" / "new.csv").read_text() == "new"
    assert len(list((tmp_path / "real").iterdir())) == 2


def test_a_link_to_itself_is_refused(tmp_path: Path, refused: Refused) -> None:
    link = tmp_path / "table.csv"
    link.symlink_to(link)
    with refused("table.csv", "link"):
        write_atomically(link, "new")
    assert link.is_symlink()


def test_a_pipe_that_nothing_reads_is_refused_and_stays(tmp_path: Path, refused: Refused) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with refused("pipe", "nothing reads"):
        write_atomically(pipe, "new")
    with refused("pipe", "not replaced"), replacing(pipe):
        pass
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_pipe_that_is_read_gets_all_of_it() -> None:
    reading, writing = os.pipe()
    got: list[bytes] = []

    def read() -> None:
        with os.fdopen(reading, "rb") as file:
            got.append(file.read())

    reader = threading.Thread(target=read)
    reader.start()
    content = b"x" * 300_000  # more than a pipe holds at once
    write_atomically(f"/dev/fd/{writing}", content)
    os.close(writing)
    reader.join()
    assert got == [content]


def test_a_socket_and_an_empty_path_are_refused(tmp_path: Path, refused: Refused) -> None:
    place = Path(os.path.relpath(tmp_path)) / "s"
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(place))
        with refused("socket", "not replaced"):
            write_atomically(place, "new")
        assert stat.S_ISSOCK(place.stat().st_mode)
    for nothing in ("", "."):
        with refused("folder"):
            write_atomically(nothing, "new")
        with refused("folder"):
            check_writable(nothing)


def test_the_null_device_takes_it_and_stays(tmp_path: Path) -> None:
    write_atomically(os.devnull, "new")
    link = tmp_path / "nowhere.csv"
    link.symlink_to(os.devnull)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full")
def test_another_device_is_refused(refused: Refused) -> None:
    # Writing is what it must not come to: as root this would replace the device of the machine.
    with refused("/dev/full", "character device"):
        check_writable("/dev/full")


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_stdout_prints_it(name: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    check_writable(name)
    print("before")
    write_atomically(name, "é\n")
    print("after")
    assert capfdbinary.readouterr().out == "before\né\nafter\n".encode()


def test_a_part_is_opened_under_a_name_that_nobody_can_know(tmp_path: Path) -> None:
    names = set()
    for _ in range(2):
        with replacing(tmp_path / "table.csv") as file:
            (part,) = (p for p in tmp_path.iterdir() if p.name != "table.csv")
            names.add(part.name)
            assert os.get_inheritable(file.fileno()) is False
    assert len(names) == 2
    assert all(str(os.getpid()) != name.split(".")[-2] for name in names)


def test_permissions_are_those_of_the_file_that_it_replaces(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    path.chmod(0o600)
    write_atomically(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "new.csv", "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.csv").stat().st_mode) == 0o640


def test_file_and_folder_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(stat.S_IFMT(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(tmp_path / "table.csv", "new")
    assert synced == [stat.S_IFREG, stat.S_IFDIR]


def test_parts_that_killed_processes_left_are_removed_and_held_ones_stay(tmp_path: Path) -> None:
    left, held, other = (tmp_path / f".vitprof-{c * 16}.part" for c in ("0", "1", "x"))
    for path in (left, held, other):
        path.write_text("half")
    with held.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_atomically(tmp_path / "table.csv", "new")
    assert {path.name for path in tmp_path.iterdir()} == {"table.csv", held.name, other.name}
    assert (tmp_path / "table.csv").read_text() == "new"


def test_an_interruption_as_the_part_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fcntl, "flock", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "table.csv", "new")
    assert list(tmp_path.iterdir()) == []
