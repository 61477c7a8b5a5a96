"""From a point to an executable: modules are compiled once and loaded afresh often."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from ..backends import (
    BackendError,
    BuildsFromOnnx,
    ChecksArtifacts,
    Executable,
    PreparesArtifacts,
)
from ..backends.agreement import OutputSketch
from ..errors import UserError
from ..models import Block, Spec
from ..models.families.foreign.spec import ForeignSpec
from ..notes import warn
from ..tables import Row
from ..temporary_folder import TemporaryFolder, write_named
from ..untrusted.memory import check_memory
from .expected import ExpectedOutputs
from .gate import Finding, examined, why_more_threads, why_other_precision
from .plan import Subject, is_kernels
from .random_module import random_module
from .runtime_kernels import kernel_artifact
from .target import Target

# What a runtime may raise for one point; measuring goes on with the others.
_FAILURES = (RuntimeError, ValueError, MemoryError)


class CannotBuildError(Exception):
    """A point that this runtime cannot compile, load or run; the text is the runtime's own."""


@dataclass(frozen=True)
class Artifact:
    """What a subject was compiled to elsewhere; `name` says where it lies, for messages.

    `expected` are its outputs as the builder computed them; None where they are not known.
    """

    name: str
    data: bytes
    expected: tuple[OutputSketch, ...] | None = None


class Artifacts(Protocol):
    """What was compiled elsewhere, and is measured here instead of being built."""

    @property
    def built(self) -> Mapping[str, object]:
        """Versions of what built it, as JSON values."""

    @property
    def reference(self) -> Block | None:
        """The block that tells the machine's speed for blocks."""

    def artifact(self, subject: Subject) -> Artifact:
        """Return the subject's artifact, checked against damage.

        Raises CannotBuildError with the builder's words if it could not be compiled, UserError if
        it is damaged or not there.
        """


class Workshop:
    """Compiles points, keeps the artifacts on disk while open, and opens fresh sessions of them.

    Use as a context manager; the artifacts go with it. Weights are random, and such that
    activations are as large as a trained model's: a latency depends on nothing else of them. With
    `artifacts` from elsewhere nothing is compiled. Sessions are opened from prepared artifacts
    where the backend prepares them, which counts as loading.
    """

    def __init__(self, target: Target, artifacts: Artifacts | None = None) -> None:
        self.backend = target.backend
        self.options = target.options
        self.batch = target.setting.batch
        self.build_s = 0.0
        self.load_s = 0.0
        self._folder: TemporaryFolder | None = None
        self._kept: dict[Subject, Path] = {}
        self._prepared: set[Subject] = set()
        self._from_elsewhere = artifacts
        self._checked: set[Subject] = set()
        self._expected = ExpectedOutputs(self.backend, self.options)
        self._on_disk = (
            None
            if target.artifacts is None
            else target.artifacts.of(self.backend, self.options, target.setting)
        )
        self._findings: dict[Subject, Finding] = {}
        self._warned: set[str] = set()

    def __enter__(self) -> Workshop:
        self._folder = TemporaryFolder()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    def fresh_session(self, subject: Subject) -> Executable:
        """Return a new Executable of the subject; raises CannotBuildError with the reason."""
        artifact = self.artifact(subject)
        started = time.perf_counter()
        try:
            return self.backend.load(artifact, self.options)
        except _FAILURES as error:
            if subject not in self._prepared:
                raise CannotBuildError(_reason(error)) from error
        finally:
            self.load_s += time.perf_counter() - started
        # What was built may load where what was prepared does not.
        self._prepared.remove(subject)
        self._keep(subject, self._plain(subject))
        return self.fresh_session(subject)

    def finding(self, subject: Subject, executable: Executable) -> Finding:
        """Return what a session of the subject, which has run, showed: asked once a subject."""
        if subject not in self._findings:
            self._findings[subject] = examined(executable, self.expected(subject), self.options)
        return self._findings[subject]

    def warn_of(self, row: Row) -> None:
        """Warn, once each, where a session ran otherwise than was asked for."""
        for kind, words in (
            ("cores", why_more_threads(row.cores, self.options.threads, self.backend.name)),
            ("dtype", why_other_precision(self.options.dtype, row.effective_dtype)),
        ):
            if words is not None and kind not in self._warned:
                self._warned.add(kind)
                warn(f"warning: {row.name}: {words}")

    def expected(self, subject: Subject) -> tuple[OutputSketch, ...] | None:
        """Return the outputs of a subject that was built, in fp32; None where nobody knows them."""
        return self._expected.of(subject)

    def build(self, subject: Subject) -> bytes:
        """Return the subject's artifact, compiled here; raises CannotBuildError with the reason.

        The same subject gets the same weights.
        """
        started = time.perf_counter()
        try:
            if isinstance(subject, ForeignSpec):
                return self._foreign(subject)
            if not isinstance(subject, Spec) and is_kernels(subject):
                return self._kernels(subject)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._check_memory(subject, 4 * subject.params if isinstance(subject, Spec) else 0)
                module, shape = random_module(subject)
                self._check_memory(subject, 4 * self.batch * math.prod(shape))
                artifact = self.backend.build(module, (self.batch, *shape), self.options)
                self._expected.compute(subject, module, (self.batch, *shape))
                return artifact
        except _FAILURES as error:
            raise CannotBuildError(_reason(error)) from error
        finally:
            self.build_s += time.perf_counter() - started

    def _check_memory(self, subject: Subject, wanted: int) -> None:
        """Raise CannotBuildError where the weights or the input alone need too much memory."""
        name = subject.name if isinstance(subject, Spec) else str(subject)
        try:
            check_memory(wanted, f"{name} at batch {self.batch}")
        except UserError as error:
            raise CannotBuildError(str(error)) from None

    def _foreign(self, spec: ForeignSpec) -> bytes:
        """Return the artifact of a foreign model: of its graph, or else of its module."""
        if spec.source is None:
            raise CannotBuildError(f"{spec.name} is known only by its parts: give its file")
        if spec.batch != self.batch:
            raise CannotBuildError(
                f"{spec.name} takes {spec.batch} inputs at once, not {self.batch}"
            )
        if isinstance(self.backend, BuildsFromOnnx):
            model = spec.source.onnx()
            artifact = self.backend.build_from_onnx(model, self.options)
            self._expected.compute_foreign(spec, model)
            return artifact
        module = spec.source.module()
        if module is None:
            raise CannotBuildError(
                f"{self.backend.name} compiles PyTorch modules, and {spec.name} is a graph"
            )
        if len(spec.inputs) != 1:
            raise CannotBuildError(f"{self.backend.name} takes models of one input")
        artifact = self.backend.build(module, spec.inputs[0][1], self.options)
        self._expected.compute_foreign(spec, module)
        return artifact

    def _kernels(self, subject: Sequence[Block]) -> bytes:
        """Return the artifact of a kernel, repeated."""
        try:
            return kernel_artifact(self.backend, self.options, subject)
        except UserError as error:
            raise CannotBuildError(str(error)) from error

    def artifact(self, subject: Subject) -> bytes:
        """Return what sessions of the subject are loaded from; CannotBuildError like `build`."""
        if self._from_elsewhere is not None and not isinstance(self.backend, PreparesArtifacts):
            return self._plain(subject)
        if subject not in self._kept:
            plain = self._plain(subject)
            prepared = self._prepare(plain)
            self._keep(subject, prepared)
            if prepared != plain:
                self._prepared.add(subject)
        return self._kept[subject].read_bytes()

    def built(self, subject: Subject) -> bytes:
        """Return the subject's artifact as it was built; CannotBuildError like `build`.

        Compiled once more only where what is kept of it was prepared for this machine.
        """
        if subject in self._kept and subject not in self._prepared:
            return self._kept[subject].read_bytes()
        return self._plain(subject)

    def _keep(self, subject: Subject, artifact: bytes) -> None:
        assert self._folder is not None, "a workshop builds inside its with block"
        path = self._kept.setdefault(subject, self._folder.path / str(len(self._kept)))
        write_named(path, artifact)

    def _plain(self, subject: Subject) -> bytes:
        """Return the subject's artifact as it was built, here or elsewhere."""
        if self._from_elsewhere is not None and not is_kernels(subject):
            return self._checked_artifact(self._from_elsewhere, subject)
        if self._on_disk is None or isinstance(subject, ForeignSpec) or is_kernels(subject):
            return self.build(subject)
        if found := self._on_disk.find(subject):
            artifact, expected = found
            if expected is not None:
                self._expected.take(subject, expected)
        else:
            artifact = self.build(subject)
            self._on_disk.keep(subject, artifact, self._expected.of(subject))
        return artifact

    def _prepare(self, artifact: bytes) -> bytes:
        """Return what loads faster on this machine, the artifact itself where nothing does."""
        if not isinstance(self.backend, PreparesArtifacts):
            return artifact
        started = time.perf_counter()
        try:
            return self.backend.prepare(artifact, self.options)
        except _FAILURES:
            return artifact  # loading it says why
        finally:
            self.load_s += time.perf_counter() - started

    def _checked_artifact(self, artifacts: Artifacts, subject: Subject) -> bytes:
        """Return what was compiled elsewhere, once it is known to ask for nothing outside it."""
        artifact = artifacts.artifact(subject)
        if artifact.expected is not None:
            self._expected.take(subject, artifact.expected)
        if subject not in self._checked and isinstance(self.backend, ChecksArtifacts):
            try:
                self.backend.check_artifact(artifact.data)
            except BackendError as error:
                raise UserError(
                    f"{artifact.name} is refused: {error}; measure only bundles whose origin you "
                    "know."
                ) from error
            self._checked.add(subject)
        return artifact.data


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:500] or type(error).__name__
