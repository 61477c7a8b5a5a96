"""One process a device: who holds it is named, who is gone is not waited for."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from vitprof.backends import find_device
from vitprof.profiler.place import device_lock as device_lock_module
from vitprof.profiler.place.device_identity import HOST, device_identity
from vitprof.profiler.place.device_lock import device_lock, lock_folder
from vitprof.profiler.place.environment import observed
from vitprof.profiler.place.locking import without_lock
from vitprof.profiler.place.waiting import waiting

Refused = Callable[..., Any]

HOLD = """
import sys
from vitprof.profiler.place.device_lock import device_lock
with device_lock(sys.argv[1], sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock folder, not made yet."""
    monkeypatch.setenv("VITPROF_LOCK_DIR", str(tmp_path / "locks"))
    return tmp_path / "locks"


@pytest.fixture
def in_a_child(folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Hold a device's lock in another process: in_a_child(identity, what)."""
    children: list[subprocess.Popen[str]] = []

    def hold(identity: str = HOST, what: str = "vitprof bench") -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD, identity, what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        return child

    yield hold
    for child in children:
        child.kill()
        child.communicate()


def test_who_has_the_device_is_named_and_what_to_do(
    in_a_child: Callable[..., subprocess.Popen[str]], refused: Refused
) -> None:
    child = in_a_child(what="vitprof measure --out lut.csv")
    with (
        refused(
            "this machine",
            f"process {child.pid} of ",
            "vitprof measure --out lut.csv",
            "since 20",
            "wait",
        ),
        device_lock(HOST, "vitprof bench"),
    ):
        pytest.fail("two processes measure one device")


def test_who_waits_gets_the_device_when_its_holder_ends(
    in_a_child: Callable[..., subprocess.Popen[str]],
) -> None:
    child = in_a_child(what="vitprof measure --out lut.csv")
    notes: list[str] = []

    def on_note(text: str) -> None:
        notes.append(text)
        child.communicate("")  # the holder ends once this process says that it waits

    with device_lock(HOST, "vitprof prune", on_note, wait=60.0):
        assert child.poll() == 0
    (told,) = notes
    assert f"process {child.pid} of " in told
    assert "waiting until it ends" in told


def test_who_waited_long_enough_is_refused(
    in_a_child: Callable[..., subprocess.Popen[str]], refused: Refused
) -> None:
    child = in_a_child()
    notes: list[str] = []
    with (
        refused("this machine", f"process {child.pid} of "),
        device_lock(HOST, "vitprof prune", notes.append, wait=0.01),
    ):
        pytest.fail("two processes measure one device")
    assert len(notes) == 1


def test_another_device_of_the_machine_is_free(
    in_a_child: Callable[..., subprocess.Popen[str]], refused: Refused
) -> None:
    in_a_child("gpu-GPU-12")
    with device_lock("gpu-GPU-34", "this test"), device_lock(HOST, "this test"):
        pass
    with refused("device 'gpu-GPU-12' of this machine"), device_lock("gpu-GPU-12", "this test"):
        pass


def test_an_ended_process_leaves_the_device_free_and_nothing_to_say(
    in_a_child: Callable[..., subprocess.Popen[str]], folder: Path
) -> None:
    in_a_child().communicate()
    assert (folder / "host.lock").read_bytes() == b""
    notes: list[str] = []
    with device_lock(HOST, "this test", notes.append):
        assert json.loads((folder / "host.lock").read_bytes())["pid"] == os.getpid()
    assert notes == []


def test_the_lock_of_a_killed_process_is_recognised_and_taken_over(
    in_a_child: Callable[..., subprocess.Popen[str]], folder: Path
) -> None:
    child = in_a_child(what="vitprof validate")
    child.kill()
    assert child.wait() == -signal.SIGKILL
    assert json.loads((folder / "host.lock").read_bytes())["pid"] == child.pid
    notes: list[str] = []
    with device_lock(HOST, "this test", notes.append):
        pass
    (note,) = notes
    assert f"process {child.pid} of " in note
    assert "vitprof validate" in note
    assert "taken over" in note
    with device_lock(HOST, "this test", notes.append):
        pass
    assert len(notes) == 1


def test_the_same_process_may_ask_again_further_in(
    in_a_child: Callable[..., subprocess.Popen[str]], folder: Path
) -> None:
    with device_lock(HOST, "outer"):
        with device_lock(HOST, "inner"):
            pass
        assert json.loads((folder / "host.lock").read_bytes())["command"] == "outer"
        with (folder / "host.lock").open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    in_a_child()


def test_an_error_inside_lets_go_of_the_device(
    in_a_child: Callable[..., subprocess.Popen[str]],
) -> None:
    with pytest.raises(ZeroDivisionError), device_lock(HOST, "this test"):
        1 / 0  # noqa: B018
    in_a_child()


def test_folder_and_file_are_for_all_users_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        with device_lock(HOST, "this test"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
            assert stat.S_IMODE((folder / "host.lock").stat().st_mode) == 0o666
    finally:
        os.umask(before)


def test_another_user_shares_the_locks(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, refused: Refused
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    top = Path(tempfile.mkdtemp())
    top.chmod(0o755)
    monkeypatch.setenv("VITPROF_LOCK_DIR", str(top / "locks"))
    try:
        with device_lock(HOST, "what root does"):
            pass
        request.getfixturevalue("ordinary_user")
        notes: list[str] = []
        with device_lock(HOST, "what nobody does", notes.append):
            assert b"what nobody does" in (top / "locks" / "host.lock").read_bytes()
        assert notes == []
        with (top / "locks" / "host.lock").open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with refused("another process"), device_lock(HOST, "what nobody does"):
                pass
    finally:
        os.seteuid(0)
        shutil.rmtree(top)


@pytest.mark.parametrize("kind", ["symlink", "hardlink", "folder", "fifo"])
def test_what_is_no_ordinary_file_is_refused_and_left_alone(
    kind: str, folder: Path, tmp_path: Path, refused: Refused
) -> None:
    folder.mkdir(mode=0o700)
    mine, lock = tmp_path / "mine.txt", folder / "host.lock"
    mine.write_text("my notes")
    if kind == "symlink":
        lock.symlink_to(mine)
    elif kind == "hardlink":
        os.link(mine, lock)
    elif kind == "folder":
        lock.mkdir()
    else:
        os.mkfifo(lock)
    with refused(str(lock), "remove it"), device_lock(HOST, "this test"):
        pytest.fail("measured beside a trap")
    assert mine.read_text() == "my notes"


def test_a_dangling_link_makes_no_file_elsewhere(
    folder: Path, tmp_path: Path, refused: Refused
) -> None:
    folder.mkdir(mode=0o700)
    (folder / "host.lock").symlink_to(tmp_path / "elsewhere")
    with refused("remove it"), device_lock(HOST, "this test"):
        pytest.fail("measured beside a trap")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("kind", ["link", "file", "open to all", "missing parent"])
def test_without_a_safe_folder_it_is_refused_or_said_and_marked(
    kind: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refused: Refused,
) -> None:
    if kind == "link":
        (tmp_path / "real").mkdir()
        folder.symlink_to(tmp_path / "real")
    elif kind == "file":
        folder.write_text("")
    elif kind == "open to all":
        folder.mkdir()
        folder.chmod(0o777)
    else:
        monkeypatch.setenv("VITPROF_LOCK_DIR", str(tmp_path / "no" / "locks"))
    notes: list[str] = []
    with (
        refused("this machine cannot be kept", str(lock_folder()), "VITPROF_NO_LOCK"),
        device_lock(HOST, "this test", notes.append),
    ):
        pytest.fail("it was measured without a lock")
    assert notes == []
    with without_lock(), device_lock(HOST, "this test", notes.append):
        assert observed()["lock"] == "none"
    assert "lock" not in observed()
    (note,) = notes
    assert note.startswith("measuring this machine without a lock: ")
    assert str(lock_folder()) in note


@pytest.fixture
def closed_lock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A lock file that nobody may open, in a folder for all users."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o1777)
        lock = folder / "host.lock"
        lock.write_text("")
        lock.chmod(0)
        monkeypatch.setenv("VITPROF_LOCK_DIR", name)
        yield lock


def test_a_lock_file_that_may_not_be_opened_is_refused(
    closed_lock: Path, ordinary_user: None, refused: Refused
) -> None:
    with refused("host.lock", "Permission denied", "`no_lock`"), device_lock(HOST, "this test"):
        pytest.fail("it was measured without a lock")


def test_a_file_system_that_cannot_lock_is_refused_or_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(device_lock_module.fcntl, "flock", no_locks)
    with refused("cannot lock", "VITPROF_LOCK_DIR"), device_lock(HOST, "this test"):
        pytest.fail("it was measured without a lock")
    notes: list[str] = []
    monkeypatch.setenv("VITPROF_NO_LOCK", "1")
    with device_lock(HOST, "this test", notes.append):
        pass
    assert len(notes) == 1
    assert "cannot lock" in notes[0]


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"[" * 5000,
        b"{}",
        b"[1]",
        b'"text"',
        b"{" + b" " * 9000 + b"}",
        b'{"pid": "1", "user": "u", "command": "c", "since": "s"}',
        b'{"pid": -1, "user": "u", "command": "c", "since": "s"}',
        b'{"pid": true, "user": "u", "command": "c", "since": "s"}',
    ],
)
def test_a_damaged_note_names_nobody(content: bytes, folder: Path, refused: Refused) -> None:
    folder.mkdir(mode=0o700)
    lock = folder / "host.lock"
    lock.write_bytes(content)
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with refused("measured by another process,"), device_lock(HOST, "this test"):
            pass


def test_a_note_cannot_play_with_the_terminal(folder: Path, refused: Refused) -> None:
    folder.mkdir(mode=0o700)
    lock = folder / "host.lock"
    values = {"pid": 7, "user": "\x1b[2Jroot", "command": "x" * 3000, "since": "now\nand\rthen"}
    lock.write_text(json.dumps(values))
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with (
            refused("process 7 of  [2Jroot (xxx", "xxx…) since now and then"),
            device_lock(HOST, "this test"),
        ):
            pass


def test_an_identity_is_a_file_name_inside_the_folder(folder: Path) -> None:
    with device_lock("../../gpu 1/x", "this test"):
        assert [path.name for path in folder.iterdir()] == [".._.._gpu_1_x.lock"]


def test_locks_are_common_to_all_users_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("VITPROF_LOCK_DIR")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert lock_folder() == Path("/tmp/vitprof-locks")


# --- what is locked ------------------------------------------------------------------------------


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(
        "#!/bin/sh\ncase $1 in *uuid*) echo GPU-11aa-22; echo GPU-33bb-44;; *) exit 2;; esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_what_shares_the_machine_shares_its_lock(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("cpu", "mac", "jetson-orin"):
        assert device_identity(find_device(name)) == HOST
    for phone in ("iphone13", "android", "pixel8"):
        assert device_identity(find_device(phone)) == phone
    assert device_identity(find_device("cpu"), "CPUExecutionProvider") == HOST


@pytest.mark.parametrize(
    ("visible", "uuid"),
    [
        (None, "GPU-11aa-22"),
        ("", "GPU-11aa-22"),
        ("0", "GPU-11aa-22"),
        ("1", "GPU-33bb-44"),
        ("1,0", "GPU-33bb-44"),
        ("GPU-33", "GPU-33bb-44"),
        ("GPU-99", "GPU-99"),
        ("7", "7"),
        ("MIG-5", "MIG-5"),
    ],
)
def test_a_gpu_is_locked_by_its_uuid(
    visible: str | None, uuid: str, two_gpus: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert device_identity(find_device("t4")) == f"gpu-{uuid}"
    assert device_identity(find_device("cpu"), "CUDAExecutionProvider") == f"gpu-{uuid}"


def test_without_a_driver_a_gpu_is_locked_by_its_number(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert device_identity(find_device("a100")) == "gpu-1"


def test_waiting_holds_for_all_inside_it(folder: Path, refused: Refused) -> None:
    folder.mkdir()
    with (folder / "host.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        def let_go(_: str) -> None:
            fcntl.flock(held, fcntl.LOCK_UN)

        with waiting(60.0), device_lock(HOST, "vitprof bench", let_go):
            pass
        fcntl.flock(held, fcntl.LOCK_EX)
        with refused("is being measured by"), device_lock(HOST, "vitprof bench", let_go):
            pytest.fail("nobody said to wait")
