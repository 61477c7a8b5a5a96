"""One measurement at a time on each device of a machine.

A lock file a device, in a folder that all users of the machine share, held with `flock`: the kernel
lets go of it when the holder ends, however it ends. So a file that nobody holds is free,
no matter what it says, and no process id is ever asked whether it lives.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import getpass
import json
import math
import os
import re
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ...errors import DeviceBusyError, UserError
from ...progress import shown_progress
from .device_identity import HOST
from .locking import may_go_unlocked, unlocked
from .waiting import waiting_now

FOLDER_VARIABLE = "VITPROF_LOCK_DIR"
_FOLDER = "vitprof-locks"
_LARGEST_FILE = 4096
_SECONDS_BETWEEN_TRIES = 0.5
# What this process holds: the same command may ask again further in.
_held: set[Path] = set()


class _CannotLockError(Exception):
    """Locks cannot be kept here; the text says why."""


@contextmanager
def device_lock(
    identity: str,
    what: str,
    on_note: Callable[[str], None] = lambda _: None,
    wait: float | None = None,
) -> Iterator[None]:
    """Keep every other vitprof of this machine off a device (`device_identity`) inside the block.

    `what` is this process's work, as others are told it. Where another process has the device, it
    is waited for so many seconds; None: as long as `waiting` says, which is not at all unless set.
    After that it is a DeviceBusyError naming the holder. A file that a dead process left is taken
    over. Where no lock can be kept (no safe folder, a file system that cannot lock) that is a
    UserError, and only where `locking` allows it does the block run without one, which its results
    say. `on_note` gets a sentence for each of the three.
    """
    path = lock_folder() / (re.sub(r"[^\w.-]", "_", identity)[:100] + ".lock")
    if path in _held:
        yield
        return
    try:
        limit = waiting_now().limit_s if wait is None else wait
        file = _locked(path, identity, on_note, limit)
    except _CannotLockError as error:
        if not may_go_unlocked():
            raise UserError(
                f"{_words(identity)} cannot be kept from other measurements: {error}; put that "
                f"right, give a folder of yours in {FOLDER_VARIABLE}, or measure without a lock "
                "(`no_lock`, or VITPROF_NO_LOCK=1)."
            ) from None
        on_note(f"measuring {_words(identity)} without a lock: {error}.")
        with unlocked():
            yield
        return
    _held.add(path)
    try:
        _write(file, _note_of(what))
        yield
    finally:
        _held.discard(path)
        # Emptied, not removed: another process may be waiting on this very file.
        _write(file, b"")
        os.close(file)


def lock_folder() -> Path:
    """Return where this machine's lock files are: VITPROF_LOCK_DIR, or a folder for all users."""
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        return Path(given)
    # TMPDIR may be a user's own, and then two users would not see each other's locks.
    common = Path("/tmp")  # noqa: S108
    return (common if common.is_dir() else Path(tempfile.gettempdir())) / _FOLDER


def _locked(path: Path, identity: str, on_note: Callable[[str], None], wait: float) -> int:
    """Return the open lock file, locked. Raises UserError or _CannotLockError."""
    with _open_folder(path.parent) as folder:
        file = _open_file(path, folder)
    try:
        _wait_for(file, identity, on_note, wait)
        if left := _holder(file):
            on_note(
                f"the lock of {_words(identity)} was left by {left}, which is gone: taken over."
            )
    except BlockingIOError:
        holder = _holder(file) or "another process"
        os.close(file)
        raise DeviceBusyError(
            f"{_words(identity)} is being measured by {holder}, and two measurements at once spoil "
            "each other; wait until it ends (--wait 10m does), or stop it."
        ) from None
    except OSError as error:
        os.close(file)
        raise _CannotLockError(f"{path.parent} is on a file system that cannot lock") from error
    except BaseException:  # interrupted while waiting
        os.close(file)
        raise
    return file


def _wait_for(file: int, identity: str, on_note: Callable[[str], None], wait: float) -> None:
    """Lock the file, at the latest after `wait` seconds; otherwise raise BlockingIOError."""
    try:
        return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if wait <= 0:
            raise
    holder = _holder(file) or "another process"
    on_note(f"{_words(identity)} is being measured by {holder}: waiting until it ends.")
    began = time.monotonic()
    most = 0 if math.isinf(wait) else math.ceil(wait)
    with shown_progress(waiting_now().shown) as on_progress:
        while True:
            waited = time.monotonic() - began
            on_progress("waiting for the device", min(int(waited), most or int(waited)), most, "")
            time.sleep(max(0.0, min(_SECONDS_BETWEEN_TRIES, wait - waited)))
            try:
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() - began >= wait:
                    raise


@contextmanager
def _open_folder(path: Path) -> Iterator[int]:
    """Open the folder, made for all users where it is missing; what is opened inside stays inside.

    Raises _CannotLockError for what is not a folder, and for one in which others may remove our
    files.
    """
    with contextlib.suppress(OSError):  # it is there, or opening it says what is wrong
        path.mkdir()
        path.chmod(0o1777)
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _CannotLockError(f"{path} cannot be opened ({error.strerror})") from error
    try:
        status = os.fstat(folder)
        sticky = bool(status.st_mode & stat.S_ISVTX)
        for_all = bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
        ours = status.st_uid in (0, os.geteuid())
        if not sticky and (for_all or not ours):
            raise _CannotLockError(f"others may remove files in {path} (chmod 1777 helps)")
        yield folder
    finally:
        os.close(folder)


def _open_file(path: Path, folder: int) -> int:
    """Return the lock file opened for writing; UserError where something else stands there."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        # Linux refuses O_CREAT on another user's file in a sticky folder (fs.protected_regular).
        try:
            file = os.open(path.name, flags, dir_fd=folder)
        except FileNotFoundError:
            try:
                file = os.open(path.name, flags | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder)
                os.fchmod(file, 0o666)  # against the umask: it is for all users
            except FileExistsError:  # another process was quicker
                file = os.open(path.name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise _not_a_lock_file(path) from None
        raise _CannotLockError(f"{path} cannot be opened ({error.strerror})") from error
    status = os.fstat(file)
    # A link to a file of ours would have us write over it.
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(file)
        raise _not_a_lock_file(path)
    return file


def _not_a_lock_file(path: Path) -> UserError:
    return UserError(
        f"{path} should be a lock file and is a link, a folder or a device; remove it and measure "
        "again."
    )


def _note_of(what: str) -> bytes:
    """Return what the lock file says of its holder: one JSON object."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        user = str(os.getuid())
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    values = {"pid": os.getpid(), "user": user, "command": what[:1000], "since": since}
    return json.dumps(values).encode()


def _write(file: int, data: bytes) -> None:
    with contextlib.suppress(OSError):  # a full disk: the lock holds, it only has no name
        os.ftruncate(file, 0)
        os.pwrite(file, data, 0)


def _holder(file: int) -> str:
    """Return in words what the file says of its holder; "" where it says nothing.

    Any user may have written it: only a little is read, and no control character is passed on.
    """
    data = os.pread(file, _LARGEST_FILE, 0)
    if not data:
        return ""
    try:
        values = json.loads(data)
        pid, user, command, since = (values[key] for key in ("pid", "user", "command", "since"))
    except (ValueError, TypeError, KeyError, RecursionError):
        return "another process"
    if isinstance(pid, bool) or not isinstance(pid, int) or not 0 < pid < 2**31:
        return "another process"
    user, command, since = (_printable(text) for text in (user, command, since))
    return f"process {pid} of {user} ({command}) since {since}"


def _printable(text: object) -> str:
    words = "".join(c if c.isprintable() else " " for c in str(text))
    return words if len(words) <= 200 else words[:200] + "…"


def _words(identity: str) -> str:
    return "this machine" if identity == HOST else f"device '{identity}' of this machine"
