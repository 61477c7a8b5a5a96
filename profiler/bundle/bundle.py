"""A bundle: a plan with its compiled artifacts, built here and measured on another machine."""

from __future__ import annotations

import hashlib
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backends import find_device
from ...backends.registry import find_kind
from ...closing import Closing
from ...errors import UserError
from ...models import Block, Spec
from ...progress import OnProgress, no_progress
from ...results import Result
from ...tables import Setting
from ...tables.setting import SETTING_COLUMNS
from ..compiled_ahead import compiled_ahead
from ..plan import Plan, Subject, is_kernels
from ..sampling.reference import choose_references, subject_of
from ..target import Target, kept_device, target_of
from ..workshop import Artifact, CannotBuildError, Workshop
from .manifest import Manifest, Stored
from .reading import LONGEST_REASON, MOST_POINTS, read_manifest
from .same_version import check_versions
from .size import EstimatedSize, estimated_size, megabytes
from .zip_file import (
    LARGEST_ARTIFACT,
    LARGEST_BUNDLE,
    LARGEST_MANIFEST,
    MANIFEST,
    MOST_ARTIFACTS,
    SealedZip,
    is_sealed,
    new_zip,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class BuildResult(Result):
    """What `build_bundle` made: `failed` are the points that could not be compiled, and why.

    `bytes` are the file's, `unpacked_bytes` those of its artifacts when they are unpacked.
    """

    path: Path
    plan: Plan
    setting: Setting
    failed: Mapping[str, str]
    seconds: float
    bytes: int
    unpacked_bytes: int

    @property
    def title(self) -> str:
        """What the bundle holds."""
        return (
            f"{self.path}: {len(self.plan.blocks)} blocks and {len(self.plan.models)} whole models "
            f"for {find_device(self.setting.device).title}, built in {self.seconds:.0f} s, "
            f"{megabytes(self.bytes)} ({megabytes(self.unpacked_bytes)} unpacked)."
        )

    @property
    def is_programs(self) -> bool:
        """Whether to measure it is to run programs, which needs trust."""
        kind = find_kind(self.setting.backend)
        return kind is not None and kind.programs

    def report(self) -> dict[str, Any]:
        """Return the bundle's size in bytes, its numbers of points, and the failed ones."""
        return {
            "device": self.setting.device,
            "bundle": str(self.path),
            "points": len(self.plan.blocks),
            "models": len(self.plan.models),
            "failed": list(self.failed),
            "seconds": round(self.seconds, 2),
            "bytes": self.bytes,
            "unpacked_bytes": self.unpacked_bytes,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a point, with the reason where it could not be compiled."""
        frame = self.plan.to_frame()
        return frame.assign(error=[self.failed.get(name, "") for name in frame["name"]])


def build_bundle(
    plan: Plan,
    target: Target,
    out: str | Path,
    *,
    jobs: int = 1,
    on_progress: OnProgress = no_progress,
) -> BuildResult:
    """Compile every part of every point, and the reference, into the zip at `out`, `jobs` at once.

    The file appears when all is done, whole or not at all. What cannot be compiled is in it with
    the reason. Equal plans give equal bytes where the backend compiles equal modules to equal
    bytes. Raises UserError for a plan too large for a bundle, and where `out` cannot be written or
    holds something else.
    """
    out = Path(out)
    check_replaceable(out)
    if len(plan.points) > MOST_POINTS:
        raise UserError(
            f"the plan has {len(plan.points)} points and a bundle holds {MOST_POINTS}; give fewer "
            "(`points`, `grid`) or build several bundles."
        )
    started = time.monotonic()
    reference = choose_references(plan, target.setting.batch).blocks
    block = reference if isinstance(reference, Block) else None
    made: dict[Subject, Stored | str] = {}
    failed: dict[str, str] = {}
    expected = megabytes(expected_size(plan, target.setting).packed)
    subjects = [part.subject for point in plan.points for part in point.parts]
    with (
        new_zip(out) as add,
        compiled_ahead(subjects, target, jobs, elsewhere=True, on_progress=on_progress) as place,
    ):
        compiler = _Compiler(Workshop(place), add)
        for nth, point in enumerate(plan.points, start=1):
            for part in point.parts:
                if is_kernels(part.subject):
                    continue  # made of its dims alone, by the runtime that runs it
                if part.subject not in made:
                    made[part.subject] = compiler.compiled(part.subject)
                one = made[part.subject]
                if isinstance(one, str):
                    failed.setdefault(str(point), one)
            written = megabytes(compiler.written)
            on_progress("building", nth, len(plan.points), f"points, {written} of about {expected}")
        if reference is not None and subject_of(reference) not in made:
            made[subject_of(reference)] = compiler.compiled(subject_of(reference))
        built = _built_by(target)
        manifest = Manifest(target.setting, built, plan, block, made)
        text = manifest.to_json().encode()
        _check_room(len(text), LARGEST_MANIFEST, "bytes of points")
        add(MANIFEST, text)
    seconds = time.monotonic() - started
    size, unpacked = out.stat().st_size, manifest.limits["bytes"]
    return BuildResult(out, plan, target.setting, failed, seconds, size, unpacked)


def expected_size(plan: Plan, setting: Setting) -> EstimatedSize:
    """Return about how large the bundle of a plan will be; nothing is built."""
    parts = [part.subject for point in plan.points for part in point.parts]
    return estimated_size((one for one in dict.fromkeys(parts) if not is_kernels(one)), setting)


def check_replaceable(out: Path) -> None:
    """Raise UserError where something stands at `out` that no vitprof build wrote."""
    if out.exists() and not is_sealed(out):
        raise UserError(
            f"{out} exists and is not a whole bundle of vitprof build, so it is not written over; "
            "give another `out` or remove it."
        )


class _Compiler:
    """Compiles subjects into the zip; what comes out equal is stored once."""

    def __init__(self, workshop: Workshop, add: Callable[[str, bytes], int]) -> None:
        self.written = 0  # bytes in the file
        self._workshop = workshop
        self._add = add
        self._stored: dict[str, Stored] = {}
        self._bytes = 0

    def compiled(self, subject: Subject) -> Stored | str:
        try:
            data = self._workshop.built(subject)
        except CannotBuildError as error:
            return _printable(str(error))
        if not 0 < len(data) <= LARGEST_ARTIFACT:
            return f"its artifact has {len(data)} bytes, and a bundle takes 1 to {LARGEST_ARTIFACT}"
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._stored:
            kind = find_kind(self._workshop.backend.name)
            name = f"artifacts/{len(self._stored):04}.{kind.suffix if kind else 'bin'}"
            self._bytes += len(data)
            _check_room(len(self._stored) + 1, MOST_ARTIFACTS, "artifacts")
            _check_room(self._bytes, LARGEST_BUNDLE - LARGEST_MANIFEST, "bytes")
            self.written += self._add(name, data)
            expected = self._workshop.expected(subject)
            self._stored[digest] = Stored(name, len(data), digest, expected)
        return self._stored[digest]


class Bundle(Closing):
    """A bundle open for measuring: the `Artifacts` of a Workshop. Use as a context manager.

    It has its `path`, and from its manifest `setting`, `plan`, `reference` and `built`. Artifacts
    that are programs (`BackendKind.programs`) are given only if the bundle is `trusted`.
    """

    def __init__(self, path: str | Path, trusted: bool = False) -> None:
        """Open and check all of the file but the artifacts; raises UserError.

        Artifacts are checked too if any byte of the file was changed, to say which it was.
        """
        self.path = Path(path)
        self.trusted = trusted
        self._zip = SealedZip(self.path)
        try:
            where = f"{self.path}, {MANIFEST}"
            self._manifest = read_manifest(self._zip.read(MANIFEST), where)
            self._check_names()
            self._check_bytes()
        except BaseException:
            self._zip.close()
            raise

    @property
    def setting(self) -> Setting:
        return self._manifest.setting

    @property
    def plan(self) -> Plan:
        return self._manifest.plan

    @property
    def reference(self) -> Block | None:
        return self._manifest.reference

    @property
    def built(self) -> Mapping[str, object]:
        """The version of vitprof that built it, and what its backend tells of itself there."""
        return {"vitprof": self._manifest.vitprof, **self._manifest.built}

    def setting_with(self, given: Mapping[str, object]) -> Setting:
        """Return its setting with what is `given`: the same, or what an artifact does not contain.

        Raises UserError for anything that it was not built for.
        """
        own, kind = self.setting, find_kind(self.setting.backend)
        changed = {name: value for name, value in given.items() if value != getattr(own, name)}
        for name, value in changed.items():
            if kind is None or name not in kind.rerun_with:
                raise UserError(
                    f"{self.path} was built for {name} {getattr(own, name)}, not {value}; take "
                    f"`{name}` away, or build a bundle for it."
                )
        return replace(own, **changed)  # type: ignore[arg-type]

    def check_trust(self) -> None:
        """Raise UserError where to measure it is to run programs that nobody vouches for."""
        kind = find_kind(self.setting.backend)
        if kind is not None and kind.programs and not self.trusted:
            raise UserError(
                f"{self.path} holds {kind.name} {kind.suffix}s, which are programs: measuring "
                "them runs what their builder wrote; if that is you or someone you trust, add "
                "`trust`."
            )

    def check_room(self) -> None:
        """Raise UserError where its artifacts, unpacked, find no room among temporary files."""
        needed = self._manifest.limits["bytes"]
        folder = tempfile.gettempdir()
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise UserError(
                f"{self.path} takes {megabytes(needed)} unpacked and {folder} has "
                f"{megabytes(free)} left; make room, or name another folder in TMPDIR."
            )

    def artifact(self, subject: Subject) -> Artifact:
        """Return the subject's artifact, its size and SHA-256 checked; see `Artifacts`."""
        self.check_trust()
        if subject not in self._manifest.artifacts:
            name = subject.name if isinstance(subject, Spec) else " + ".join(map(str, subject))
            raise UserError(
                f"{self.path} has no artifact of {name[:200]}, which the table at `out` is "
                "measured by; give another `out`, or `fresh`."
            )
        stored = self._manifest.artifacts[subject]
        if isinstance(stored, str):
            raise CannotBuildError(stored)
        return Artifact(f"{self.path}, {stored.file}", self._read(stored), stored.expected)

    def close(self) -> None:
        self._zip.close()

    def _check_names(self) -> None:
        """The zip must hold just what the manifest lists, in the sizes it lists."""
        listed = {name: stored.bytes for name, stored in self._manifest.files.items()}
        there = {name: size for name, size in self._zip.sizes.items() if name != MANIFEST}
        for name in sorted(listed.keys() | there.keys()):
            if name not in there:
                raise UserError(f"{self.path} lacks {name}, which its {MANIFEST} lists.")
            if name not in listed:
                raise UserError(f"{self.path} has {name}, which its {MANIFEST} does not list.")
            if listed[name] != there[name]:
                raise UserError(
                    f"{self.path}: {name} has {there[name]} bytes and not the {listed[name]} of "
                    f"its {MANIFEST}; copy or build it again."
                )

    def _check_bytes(self) -> None:
        try:
            self._zip.check_seal()
        except UserError:
            for stored in self._manifest.files.values():
                self._read(stored)  # which says so if it is this one
            raise

    def _read(self, stored: Stored) -> bytes:
        data = self._zip.read(stored.file)
        if len(data) != stored.bytes or hashlib.sha256(data).hexdigest() != stored.sha256:
            raise UserError(
                f"{self.path}: {stored.file} is damaged: it is not what was built (its SHA-256 "
                "differs); copy or build the bundle again."
            )
        return data


@contextmanager
def open_bundle(
    path: str | Path, given: Mapping[str, object], trusted: bool, purpose: str
) -> Iterator[tuple[Bundle, Target]]:
    """Yield a bundle and the device that it is measured on, kept from others.

    `given` are fields of its setting, see `Bundle.setting_with`; `purpose` is what others are told
    who want the device. Raises UserError for a bundle that is damaged or refused, for one of
    another device or runtime than this machine has, for programs that are not `trusted`, and where
    there is no room to unpack it.
    """
    with Bundle(path, trusted) as bundle:
        setting = bundle.setting_with(given)
        try:
            target = target_of(setting)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        bundle.check_trust()
        check_versions(bundle.path, bundle.built, target)
        bundle.check_room()
        with kept_device(setting, purpose):
            yield bundle, target


def _built_by(target: Target) -> dict[str, object]:
    """Return what built the artifacts; how they are run is in the setting."""
    facts = target.backend.environment(target.options)
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: value for name, value in facts.items() if name not in SETTING_COLUMNS},
    }


def _printable(reason: str) -> str:
    words = "".join(c if c.isprintable() else " " for c in reason)[:LONGEST_REASON]
    return words.strip() or "it cannot be compiled"


def _check_room(count: int, most: int, of_what: str) -> None:
    if count > most:
        raise UserError(
            f"the plan makes {count} {of_what} and a bundle holds {most}; give fewer points "
            "(`points`, `grid`) or build several bundles."
        )
