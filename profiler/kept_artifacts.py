"""A folder that keeps what was compiled, so that the next command need not compile it again.

Some converters take half a minute for a model that is timed in a second. A file's name is the
SHA-256 of all that decides what is in it: the subject, the setting, the versions of the runtime and
of what builds for it, and vitprof's.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..atomic_write import write_atomically
from ..backends import Backend, BackendError, BackendOptions, ChecksArtifacts
from ..errors import UserError

if TYPE_CHECKING:
    from ..tables import Setting
    from .expected import Sketches
    from .plan import Subject


@dataclass(frozen=True)
class KeptArtifacts:
    """The folder."""

    folder: Path

    @classmethod
    def at(cls, folder: str | os.PathLike[str]) -> KeptArtifacts:
        """Return the folder, made where it is not there; raises UserError where it cannot be."""
        path = Path(folder)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"`artifacts` {path} is not a folder to keep artifacts in: {error.strerror}."
            ) from None
        return cls(path)

    def of(self, backend: Backend, options: BackendOptions, setting: Setting) -> ArtifactsOfSetting:
        """Return those of one setting, by the versions that are installed."""
        made_by: dict[str, object] = {
            "vitprof": __version__,
            "setting": setting.as_dict(),
            "environment": backend.environment(options),
        }
        return ArtifactsOfSetting(self.folder, backend, made_by)


@dataclass(frozen=True)
class ArtifactsOfSetting:
    """The artifacts in a folder that were made under one setting, by the same versions."""

    folder: Path
    backend: Backend
    made_by: dict[str, object]

    def find(self, subject: Subject) -> tuple[bytes, Sketches | None] | None:
        """Return a subject's artifact and the outputs it is to have; None where it is not there.

        One that is damaged is as good as not there. Raises UserError for one that the backend
        refuses as it would refuse a stranger's.
        """
        from .bundle.reading import sketches_from

        path = self._path(subject)
        try:
            record = json.loads(path.with_suffix(".json").read_text())
            data = path.with_suffix(".artifact").read_bytes()
            if hashlib.sha256(data).hexdigest() != record["sha256"]:
                return None
            expected = sketches_from(record["expected"], path.name)
        except (OSError, ValueError, KeyError, TypeError, UserError):
            return None
        if isinstance(self.backend, ChecksArtifacts):
            try:
                self.backend.check_artifact(data)
            except BackendError as error:
                raise UserError(
                    f"{path.with_suffix('.artifact')} is refused: {error}; delete it."
                ) from error
        return data, expected

    def keep(self, subject: Subject, data: bytes, expected: Sketches | None) -> None:
        """Write a subject's artifact; raises UserError where the folder cannot be written."""
        from .bundle.manifest import sketches_as_json, subject_as_json

        path = self._path(subject)
        record = {
            "of": subject_as_json(subject),
            "sha256": hashlib.sha256(data).hexdigest(),
            "expected": None if expected is None else sketches_as_json(expected),
            **self.made_by,
        }
        write_atomically(path.with_suffix(".artifact"), data)
        # Last: what stands in it is complete.
        write_atomically(path.with_suffix(".json"), json.dumps(record, indent=1) + "\n")

    def _path(self, subject: Subject) -> Path:
        from .bundle.manifest import subject_as_json

        text = json.dumps([subject_as_json(subject), self.made_by], sort_keys=True)
        return self.folder / hashlib.sha256(text.encode()).hexdigest()[:32]
