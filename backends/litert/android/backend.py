"""LiteRT on an Android phone that is connected to this machine."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ....errors import UserError
from ...protocol import BackendError, BackendOptions
from ..backend import LiteRtBackend
from ..check import check_header
from .link import PhoneLink, find_phone, program_for
from .session import PROVIDERS, AndroidExecutable, open_on_phone

if TYPE_CHECKING:
    from pathlib import Path


class AndroidBackend(LiteRtBackend):
    """Builds the same models as on a CPU; runs them by `benchmark_model` on the phone.

    machine: a regular expression for the phone's whole model.
    """

    providers = PROVIDERS

    def __init__(self, machine: str) -> None:
        self.machine = machine
        self._link: PhoneLink | None = None

    def unavailable(self) -> str | None:
        # This machine's runtime tells the inputs and outputs of a model.
        if reason := super().unavailable():
            return reason
        if self._link is not None:
            return None
        try:
            adb, facts = find_phone(self.machine)
            program_for(adb, facts["abi"])
        except (UserError, BackendError) as error:
            return str(error)
        return None

    def load(self, artifact: bytes, options: BackendOptions) -> AndroidExecutable:  # type: ignore[override]
        """Return the model on the phone, where it has been timed once.

        Raises UserError where the phone is not to be had, BackendError in the phone's words.
        """
        self._check_runs(options)
        check_header(artifact)
        return open_on_phone(artifact, options, self._connected())

    def load_file(self, path: Path, options: BackendOptions) -> AndroidExecutable:  # type: ignore[override]
        """Return the same of a file."""
        return self.load(path.read_bytes(), options)

    def environment(self, options: BackendOptions) -> dict[str, object]:
        """Return versions and settings, and of the phone that is connected what it is."""
        facts = super().environment(options)
        with contextlib.suppress(UserError):  # built where no phone is
            facts |= self._connected().facts
        return facts

    def _connected(self) -> PhoneLink:
        if self._link is None:
            self._link = PhoneLink(self.machine)
        return self._link
