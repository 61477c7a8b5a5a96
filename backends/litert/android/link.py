"""A phone that models are measured on: its facts, a folder of ours, and `benchmark_model`."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import re
import secrets
import tempfile
from pathlib import Path

from ....errors import UserError
from ....temporary_folder import TemporaryFolder
from ...protocol import BackendError
from .adb import Adb, connected_phone

# Where LiteRT's program for the phone lies on this machine; without it the phone's own is taken.
PROGRAM_VARIABLE = "VITPROF_BENCHMARK_MODEL"
_ON_PHONE = "/data/local/tmp"
_PROGRAM = f"{_ON_PHONE}/benchmark_model"
_FACTS = {
    "machine": "ro.product.model",
    "android": "ro.build.version.release",
    "abi": "ro.product.cpu.abi",
    "soc": "ro.soc.model",
}


class PhoneLink:
    """One phone, with a folder of ours on it, which `close()` removes.

    machine: a regular expression for the phone's whole model, such as 'Pixel 8'. Raises UserError
    where no such phone is connected, or LiteRT's program is not to be had: no point could be
    measured.
    """

    def __init__(self, machine: str) -> None:
        self.adb, self.facts = find_phone(machine)
        self.folder = f"{_ON_PHONE}/vitprof-{secrets.token_hex(8)}"
        self._there: set[str] = set()
        try:
            self.adb.shell("mkdir", "-p", self.folder)
            atexit.register(self.close)
            self.program = self._program()
            digest = self.adb.shell("sha256sum", self.program).split()
            self.facts["benchmark_model"] = digest[0][:16] if digest else ""
        except BackendError as error:
            self.close()
            raise UserError(f"the Android phone cannot be used: {error}") from error
        except UserError:
            self.close()
            raise

    def put(self, data: bytes, suffix: str) -> str:
        """Copy bytes onto the phone, once, and return the path of the file there."""
        path = f"{self.folder}/{hashlib.sha256(data).hexdigest()[:32]}.{suffix}"
        if path not in self._there:
            with tempfile.NamedTemporaryFile(prefix="vitprof-") as file:
                file.write(data)
                file.flush()
                self.adb.push(Path(file.name), path)
            self._there.add(path)
        return path

    def get(self, path: str) -> bytes:
        """Return the bytes of a file on the phone, and remove it there."""
        with TemporaryFolder() as folder:
            here = Path(folder) / "pulled"
            self.adb.pull(path, here)
            data = here.read_bytes()
        self.adb.shell("rm", "-f", path)
        return data

    def close(self) -> None:
        """Remove our folder from the phone; a phone that went away keeps it."""
        atexit.unregister(self.close)
        with contextlib.suppress(BackendError, UserError):
            self.adb.shell("rm", "-rf", self.folder)

    def _program(self) -> str:
        """Return the path of `benchmark_model` on the phone, put there if need be."""
        data = program_for(self.adb, self.facts["abi"])
        if data is None:
            return _PROGRAM
        path = self.put(data, "program")
        self.adb.shell("chmod", "755", path)
        return path


def program_for(adb: Adb, abi: str) -> bytes | None:
    """Return `benchmark_model` as it lies on this machine, None where the phone has its own.

    Raises UserError where neither is there.
    """
    given = os.environ.get(PROGRAM_VARIABLE)
    if given:
        try:
            return Path(given).read_bytes()
        except OSError as error:
            raise UserError(
                f"{PROGRAM_VARIABLE}='{given[:200]}' cannot be read: {error.strerror}."
            ) from None
    if "yes" not in adb.shell("sh", "-c", f"test -x {_PROGRAM} && echo yes || echo no"):
        raise UserError(
            f"LiteRT's benchmark_model is not on the phone ({_PROGRAM}); set {PROGRAM_VARIABLE} to "
            f"the file for {abi or 'its processor'}, which is then copied there."
        )
    return None


def find_phone(machine: str) -> tuple[Adb, dict[str, str]]:
    """Return the connected phone and what it says of itself; UserError where it is another."""
    adb = connected_phone()
    try:
        facts = {name: adb.property(key) for name, key in _FACTS.items()}
    except BackendError as error:
        raise UserError(f"the Android phone cannot be used: {error}") from error
    if re.fullmatch(machine, facts["machine"]) is None:
        raise UserError(
            f"the connected Android phone is a '{facts['machine']}' and not of the kind {machine}; "
            "connect that one, or measure this one as the device 'android'."
        )
    return adb, facts
