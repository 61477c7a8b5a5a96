"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .errors import UserError

# /dev/stdout may lead to a file that the shell opened, which must not be replaced under it.
_STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
_PART = ".vitprof-{}.part"
_IS_PART = re.compile(r"\.vitprof-[0-9a-f]{16}\.part")
# Folders in which this process has removed what killed ones left.
_swept: set[tuple[int, int]] = set()
_ANOTHER = "give the path of a file (- prints on stdout)"


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Give a file to write and read, which takes the place of `path` in one step at the end.

    Where the block is left by an error or an interruption, what stood at `path` stays and nothing
    is left beside it. A link is followed: the file that it leads to is replaced, the link stays.
    Raises UserError when the place cannot be written, and for what is not a regular file: a device,
    a pipe, a socket or a folder is never replaced.
    """
    path = Path(path)
    place = _place(path)
    try:
        mode = _mode_of_file(path, place)
        folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with _part(folder, mode) as (name, file):
                yield file
                file.flush()
                os.fsync(file.fileno())
                os.replace(name, place.name, src_dir_fd=folder, dst_dir_fd=folder)
            # The new name is on the disk only when its folder is; not every file system can.
            with contextlib.suppress(OSError):
                os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _not_writable(path, error) from None


@contextlib.contextmanager
def _part(folder: int, mode: int | None) -> Iterator[tuple[str, BinaryIO]]:
    """Yield a new file of the folder and its name, which is removed where it still stands.

    Nobody can know the name and put a link there before. The file is locked until it is closed, so
    that one which nobody holds is a killed process's.
    """
    _sweep(folder)
    name = _PART.format(secrets.token_hex(8))
    # An interruption may come between the call that makes it and the next line.
    try:
        with os.fdopen(_locked_part(name, folder), "w+b") as file:
            if mode is not None:
                with contextlib.suppress(OSError):  # another user's file, or no such permissions
                    os.fchmod(file.fileno(), mode)
            yield name, file
    finally:
        with contextlib.suppress(OSError):  # it has taken its place
            os.unlink(name, dir_fd=folder)


def _locked_part(name: str, folder: int) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        made = os.open(name, flags, 0o666, dir_fd=folder)
        with contextlib.suppress(OSError):  # a file system that cannot lock: then none is swept
            fcntl.flock(made, fcntl.LOCK_EX)
        if os.fstat(made).st_nlink:
            return made
        os.close(made)  # swept by another process before it was locked


def _sweep(folder: int) -> None:
    """Remove the part files of killed processes, once for each folder."""
    with contextlib.suppress(OSError):
        status = os.fstat(folder)
        place = (status.st_dev, status.st_ino)
        if place in _swept:
            return
        _swept.add(place)
        for name in filter(_IS_PART.fullmatch, os.listdir(folder)):
            with contextlib.suppress(OSError):
                _remove_unless_held(name, folder)


def _remove_unless_held(name: str, folder: int) -> None:
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    part = os.open(name, flags, dir_fd=folder)
    try:
        if stat.S_ISREG(os.fstat(part).st_mode):
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(name, dir_fd=folder)
    finally:
        os.close(part)


def write_atomically(path: str | Path, data: str | bytes) -> None:
    """Put `data` at `path` in one step: a reader, a crash or a full disk never sees half of it.

    "-" and /dev/stdout print it; a pipe that is being read, a terminal and /dev/null are written
    to as they are. Raises UserError when the place cannot be written; what stood there before
    stays.
    """
    path = Path(path)
    content = data.encode() if isinstance(data, str) else data
    if not _is_stream(path):
        with replacing(path) as file:
            file.write(content)
        return
    try:
        _write_to_stream(path, content)
    except BrokenPipeError:  # its reader has gone; the command line ends quietly
        raise
    except OSError as error:
        raise _not_writable(path, error) from None


def check_writable(path: str | Path) -> None:
    """Raise UserError now, not after minutes of measuring, for a place that cannot be written."""
    path = Path(path)
    if _is_stream(path):
        return
    place = _place(path)
    try:
        _mode_of_file(path, place)
    except OSError as error:
        raise _not_writable(path, error) from None
    if not place.parent.is_dir() or not os.access(place.parent, os.W_OK):
        raise UserError(
            f"{path} cannot be written: the folder {place.parent} is missing or not writable."
        )


def check_regular(path: str | Path) -> None:
    """Raise UserError for a path that holds anything but a regular file, or nothing.

    Opening a pipe would wait for another process, reading a device never end.
    """
    with contextlib.suppress(OSError):  # what opens it says why it cannot
        _mode_of_file(Path(path), _place(Path(path)))


def made_folder(path: str | os.PathLike[str]) -> Path:
    """Return the folder, made where it is missing; raises UserError where that cannot be."""
    place = Path(path)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"the folder {place} cannot be made: {reason}.") from None
    return place


def holds_something(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is there and holds more than parts of files, which killed processes left."""
    place = Path(folder)
    return place.is_dir() and any(not _IS_PART.fullmatch(one.name) for one in place.iterdir())


def remove_left_parts(folder: Path) -> None:
    """Remove the parts of files that killed processes left in a folder to which nothing is written.

    Every write into a folder does so by itself.
    """
    with contextlib.suppress(OSError):
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _sweep(opened)
        finally:
            os.close(opened)


def copy_file(source: Path, to: Path) -> None:
    """Copy a file whole or not at all; raises UserError when the place cannot be written."""
    with source.open("rb") as read, replacing(to) as file:
        shutil.copyfileobj(read, file)


def check_folder(path: str | Path) -> None:
    """Raise UserError now for a folder that cannot be written to, or cannot be made."""
    place = Path(os.path.realpath(path))
    if place.exists() and not place.is_dir():
        raise UserError(f"'{path}' is not a folder; give another path.")
    standing = next(folder for folder in (place, *place.parents) if folder.exists())
    if not standing.is_dir() or not os.access(standing, os.W_OK | os.X_OK):
        raise UserError(f"the folder {path} cannot be written: {standing} is not writable.")


def _place(path: Path) -> Path:
    """Return where a path leads when its links are followed."""
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError) as error:  # a null byte
        raise UserError(f"'{path}' is not a path of a file: {error}.") from None


def _mode_of_file(path: Path, place: Path) -> int | None:
    """Return the permissions of the file that stands there, None where nothing does.

    Raises UserError for anything else than a regular file, OSError where it cannot be looked at.
    """
    if str(path) in _STDOUT:
        raise UserError(f"'{path}' is stdout, which cannot hold this; give the path of a file.")
    try:
        status = place.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise UserError(f"'{path}' is a folder (a directory); {_ANOTHER}.")
    if not stat.S_ISREG(status.st_mode):
        raise UserError(
            f"'{path}' is {_kind(status.st_mode)}, which is not replaced by a file; {_ANOTHER}."
        )
    return stat.S_IMODE(status.st_mode)


def _kind(mode: int) -> str:
    kinds = {
        "a link that leads to itself": stat.S_ISLNK,
        "a character device": stat.S_ISCHR,
        "a block device": stat.S_ISBLK,
        "a pipe": stat.S_ISFIFO,
        "a socket": stat.S_ISSOCK,
    }
    return next((kind for kind, holds in kinds.items() if holds(mode)), "no regular file")


def _not_writable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path} cannot be written: {error.strerror}; nothing was changed there.")


def _is_stream(path: Path) -> bool:
    """Tell whether what is written there goes through it: stdout, a pipe, a terminal, /dev/null.

    Other devices are not a place for a table.
    """
    if str(path) in _STDOUT:
        return True
    try:
        status = path.stat()
        if stat.S_ISFIFO(status.st_mode):
            return True
        if not stat.S_ISCHR(status.st_mode):
            return False
        # Looked at by its number: a copy of /dev/null in another folder is one as well.
        return status.st_rdev == Path(os.devnull).stat().st_rdev or _is_terminal(path)
    except (OSError, ValueError):
        return False


def _is_terminal(path: Path) -> bool:
    try:
        opened = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.isatty(opened)
    finally:
        os.close(opened)


def _write_to_stream(path: Path, content: bytes) -> None:
    """Write to what already stands there; a pipe that nobody reads is refused, not waited for."""
    if str(path) in _STDOUT:
        sys.stdout.flush()
        binary = getattr(sys.stdout, "buffer", None)
        if binary is None:  # a notebook's
            sys.stdout.write(content.decode(errors="replace"))
        else:
            binary.write(content)
        sys.stdout.flush()
        return
    flags = os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC
    try:
        opened = os.open(path, flags | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise UserError(f"'{path}' is a pipe that nothing reads; {_ANOTHER}.") from None
        raise
    os.set_blocking(opened, True)
    with os.fdopen(opened, "wb") as file:
        file.write(content)
