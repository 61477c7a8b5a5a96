"""Folders for what is needed for a while, that are gone afterwards however the process ends.

`tempfile` removes a folder when its block ends. A process that is killed leaves it, so each of ours
holds a lock file, which the kernel unlocks when its owner ends: the next process that makes one
removes those that nobody holds. No process id is asked whether it lives, for another container's
would not be known here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import stat
import tempfile
import time
import weakref
from pathlib import Path

from .closing import Closing

PREFIX = "vitprof-"
_LOCK, _FILES = "lock", "files"
# A folder this young may be about to be locked.
_YOUNG_S = 60.0


class TemporaryFolder(Closing):
    """An empty folder at `path` that is removed with all it holds by `close`, or `with`."""

    _swept = False

    def __init__(self) -> None:
        """Make it; raises OSError where the system's temporary folder cannot be written."""
        if not TemporaryFolder._swept:
            TemporaryFolder._swept = True
            sweep(Path(tempfile.gettempdir()))
        # Its name is known before it is made: an interruption in between leaves nothing.
        self._outer = Path(tempfile.gettempdir()) / f"{PREFIX}{secrets.token_hex(8)}"
        self.path = self._outer / _FILES
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = None
        try:
            self._outer.mkdir(mode=0o700)
            lock = os.open(self._outer / _LOCK, flags, 0o600)
            with contextlib.suppress(OSError):  # a file system that cannot lock: then none is swept
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.path.mkdir()
            # With the process too, where an interruption came before its block began.
            self._end = weakref.finalize(self, _let_go, self._outer, lock, os.getpid())
        except FileExistsError:  # somebody else's
            raise
        except BaseException:
            _let_go(self._outer, lock, os.getpid())
            raise

    def __fspath__(self) -> str:
        return str(self.path)

    def close(self) -> None:
        self._end()


def _let_go(folder: Path, lock: int | None, owner: int) -> None:
    """Remove a folder and unlock it, in the process that made it and in no child of that."""
    if os.getpid() == owner:
        _remove(folder)
        if lock is not None:
            os.close(lock)


def write_named(path: Path, data: bytes) -> None:
    """Write a temporary file; an OSError names it, as that of a full disk alone does not."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def sweep(place: Path) -> None:
    """Remove the folders of ours in `place` whose owners are gone."""
    now = time.time()
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX):
                with contextlib.suppress(OSError):
                    _remove_unless_held(Path(entry.path), now)


def _remove_unless_held(folder: Path, now: float) -> None:
    """Remove one folder where it is ours, has a lock file, and nobody holds that."""
    status = folder.lstat()
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    if not ours or now - status.st_mtime < _YOUNG_S:
        return
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        folder.rmdir()  # its maker was killed before it was locked; one that holds files stays
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(folder)
    finally:
        os.close(lock)


def _remove(folder: Path) -> None:
    """Remove a folder that is locked: its lock last, for without it nobody would ever remove it."""
    shutil.rmtree(folder / _FILES, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
