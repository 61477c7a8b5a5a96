"""`adb`: the phones that are connected, and commands and files for one of them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ....errors import UserError
from ...protocol import BackendError

# adb's own variable: which of several phones is meant.
SERIAL_VARIABLE = "ANDROID_SERIAL"
_SECONDS_TO_ANSWER = 30.0
# What adb says when the phone went away.
_LOST = re.compile(r"device .*not found|device offline|no devices|closed|unauthorized", re.I)


@dataclass(frozen=True)
class Phone:
    """A phone that adb lists. state: "device" while it can be talked to."""

    serial: str
    state: str


def phones_in(listing: str) -> list[Phone]:
    """Return the phones of what `adb devices` prints."""
    found = []
    for line in listing.splitlines():
        serial, tab, state = line.partition("\t")
        if tab and serial.strip():
            found.append(Phone(serial.strip(), state.split()[0] if state.split() else "unknown"))
    return found


def connected_phone() -> Adb:
    """Return the phone that adb talks to: the only one, or the one that ANDROID_SERIAL names.

    Raises UserError without adb, and where there is no such phone, or more than one.
    """
    try:
        phones = phones_in(_adb(["devices"], _SECONDS_TO_ANSWER))
    except BackendError as error:
        raise UserError(f"adb does not list its phones: {error}") from error
    wanted = os.environ.get(SERIAL_VARIABLE)
    if wanted:
        phones = [phone for phone in phones if phone.serial == wanted]
    if not phones:
        named = f" with the serial number '{wanted[:60]}'" if wanted else ""
        raise UserError(
            f"no Android phone{named} is connected; connect it by cable, switch USB debugging on "
            "in its developer options, and see that adb devices lists it."
        )
    if len(phones) > 1:
        serials = ", ".join(phone.serial for phone in phones[:5])
        raise UserError(
            f"{len(phones)} Android phones are connected ({serials}), and a table is about one; "
            f"set {SERIAL_VARIABLE} to the one to measure."
        )
    (phone,) = phones
    if phone.state != "device":
        raise UserError(
            f"the Android phone {phone.serial} is {phone.state}; unlock it and allow this "
            "computer to debug it."
        )
    return Adb(phone.serial)


class Adb:
    """One phone, by its serial number. Every failure is a BackendError in adb's words."""

    def __init__(self, serial: str) -> None:
        self.serial = serial

    def shell(self, *words: str, seconds: float = _SECONDS_TO_ANSWER) -> str:
        """Run one command on the phone, each word quoted; return what it printed, errors too."""
        command = f"{shlex.join(words)} 2>&1"
        return _adb(["-s", self.serial, "shell", command], seconds)

    def push(self, file: Path, target: str) -> None:
        """Copy a file onto the phone."""
        seconds = _SECONDS_TO_ANSWER + file.stat().st_size / 1e6  # a slow cable has 1 MB/s
        _adb(["-s", self.serial, "push", str(file), target], seconds)

    def pull(self, source: str, file: Path) -> None:
        """Copy a file from the phone."""
        _adb(["-s", self.serial, "pull", source, str(file)], 2 * _SECONDS_TO_ANSWER)

    def property(self, name: str) -> str:
        """Return a system property, such as the model of the phone; "" where it has none."""
        return "".join(c for c in self.shell("getprop", name) if c.isprintable()).strip()[:100]


def _adb(arguments: list[str], seconds: float) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - a list of words, no shell of this machine
            ["adb", *arguments],  # noqa: S607 - wherever the user has it
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise UserError(
            "adb is not installed here; install Android's platform-tools and put adb on the PATH."
        ) from None
    except OSError as error:
        raise UserError(f"adb cannot be run: {error.strerror}.") from None
    except subprocess.TimeoutExpired:
        raise BackendError(f"the phone did not answer within {seconds:.0f} s.") from None
    output = done.stdout.decode("utf-8", "replace")
    errors = done.stderr.decode("utf-8", "replace")
    if done.returncode == 0:
        return output
    words = " ".join((errors.strip() or output.strip()).split())[-300:] or "no reason given"
    if errors.strip() and _LOST.search(errors):
        raise BackendError(f"the phone is lost: {words}")
    verb = arguments[2 if arguments[0] == "-s" else 0]
    raise BackendError(f"adb {verb} failed: {words}")
