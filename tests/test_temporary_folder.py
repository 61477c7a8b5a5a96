"""Temporary folders go with their process, and what a killed one left goes with the next."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from vitprof.temporary_folder import TemporaryFolder, sweep, write_named

HOLD = """
import sys
from vitprof.temporary_folder import TemporaryFolder
with TemporaryFolder() as folder:
    (folder.path / "artifact").write_bytes(b"x")
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    tempfile.tempdir = None


def aged(place: Path) -> list[str]:
    """Make all in it old, and return the names."""
    long_ago = time.time() - 3600
    for path in place.iterdir():
        os.utime(path, (long_ago, long_ago), follow_symlinks=False)
    return sorted(path.name for path in place.iterdir())


def test_it_is_empty_and_gone_afterwards(place: Path) -> None:
    with TemporaryFolder() as folder:
        assert list(folder.path.iterdir()) == []
        assert Path(folder) == folder.path
        (folder.path / "a").mkdir()
        assert len(list(place.iterdir())) == 1
    assert list(place.iterdir()) == []
    folder.close()


def test_what_a_killed_process_left_is_removed_and_what_is_held_stays(place: Path) -> None:
    def held() -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        return child

    killed, living = held(), held()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    sweep(place)
    assert len(list(place.iterdir())) == 2, "they are young"
    assert len(aged(place)) == 2
    sweep(place)
    (left,) = place.iterdir()
    assert (left / "files" / "artifact").exists()
    living.communicate()
    assert list(place.iterdir()) == []


def test_what_is_not_ours_stays(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "lock").write_text("")
    (place / "vitprof-link").symlink_to(other)
    (place / "vitprof-without").mkdir()
    (place / "vitprof-without" / "mine").write_text("")
    (place / "vitprof-file").write_text("")
    trap = place / "vitprof-trap"
    trap.mkdir()
    (trap / "lock").symlink_to(other / "lock")
    before = aged(place)
    sweep(place)
    assert sorted(path.name for path in place.iterdir()) == before
    assert (other / "lock").exists()
    sweep(place / "none")


def test_one_that_was_killed_before_its_lock_was_made_is_removed(place: Path) -> None:
    (place / "vitprof-begun").mkdir()
    sweep(place)
    assert aged(place) == ["vitprof-begun"], "its owner may be about to lock it"
    sweep(place)
    assert list(place.iterdir()) == []


KILLED = """
import os, signal, sys
from vitprof.temporary_folder import TemporaryFolder
left = int(sys.argv[1])
def counted(real):
    def call(*arguments, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)
    return call
folder = TemporaryFolder()
for name in "abc":
    (folder.path / name).write_text("")
os.unlink, os.rmdir = counted(os.unlink), counted(os.rmdir)
folder.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize("calls", range(6))
def test_one_that_was_killed_while_it_was_removed_is_removed_by_the_next(
    place: Path, calls: int
) -> None:
    """Three files, the folder of files, the lock, the folder itself: killed before each."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(calls)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(aged(place)) == 1
    sweep(place)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(("call", "made"), [("open", "lock"), ("mkdir", "files")])
def test_one_that_cannot_be_made_leaves_nothing(
    place: Path, call: str, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(os, call)

    def full(path: str, *others: object, **named: object) -> object:
        if Path(path).name == made:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, *others, **named)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, call, full)
        TemporaryFolder()
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("made", ["vitprof-", "lock", "files"])
def test_an_interruption_as_it_is_made_leaves_nothing(
    place: Path, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes before a call, and its handler runs behind it."""
    struck: list[str] = []

    def interrupting(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *others: Any, **named: Any) -> Any:
            found = real(path, *others, **named)
            if Path(path).name.startswith(made) and not struck:
                struck.append(made)
                raise KeyboardInterrupt
            return found

        return call

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        for name in ("open", "mkdir"):
            patch.setattr(os, name, interrupting(getattr(os, name)))
        TemporaryFolder()
    assert list(place.iterdir()) == []


FORGOTTEN = """
import os
from vitprof.temporary_folder import TemporaryFolder
folder = TemporaryFolder()
child = os.fork()
if child == 0:
    raise SystemExit  # a child's end is not its owner's
os.waitpid(child, 0)
assert folder.path.is_dir()
raise KeyboardInterrupt
"""


@pytest.mark.slow
def test_one_that_is_never_closed_goes_with_its_process(place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORGOTTEN], check=False, stderr=subprocess.PIPE, text=True
    )
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
    assert list(place.iterdir()) == []


def test_a_write_that_fails_names_the_file(tmp_path: Path) -> None:
    write_named(tmp_path / "a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        write_named(Path("/dev/full"), b"x")
