"""What is measured on: a device of this machine, opened, checked and kept from others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..backends import (
    Backend,
    BackendOptions,
    Device,
    HasHazards,
    create_backend,
    create_builder,
    find_device,
    measuring_hazards,
)
from ..backends.registry import backend_kind
from ..errors import UserError
from ..notes import warn
from ..tables.setting import PartialSetting, Setting
from ..untrusted.limits import THREADS
from .kept_artifacts import KeptArtifacts
from .place.device_identity import device_identity
from .place.device_lock import device_lock
from .place.environment import check_same_machine

if TYPE_CHECKING:
    from ..tables import LatencyTable


@dataclass(frozen=True)
class Target:
    """A backend, the setting that it runs under, and where its artifacts are kept, if anywhere."""

    backend: Backend
    setting: Setting
    artifacts: KeptArtifacts | None = None

    def keeping(self, folder: str | os.PathLike[str] | None) -> Target:
        """Return the target that keeps artifacts in a folder; None: it keeps none.

        Raises UserError where that is not a folder.
        """
        return self if folder is None else replace(self, artifacts=KeptArtifacts.at(folder))

    @property
    def options(self) -> BackendOptions:
        """The backend's part of the setting; raises UserError for what no backend knows."""
        setting = self.setting
        return BackendOptions(
            threads=setting.threads,
            dtype=setting.dtype,
            provider=setting.provider or self.backend.default_provider,
            sparsity=setting.sparsity,
            cache=setting.cache,
            graph=setting.graph,
        )


@contextmanager
def open_target(
    setting: PartialSetting, purpose: str, *, wait: float | None = None
) -> Iterator[Target]:
    """Yield what measures here under `setting`, kept from every other vitprof of this machine.

    `purpose` is what others are told who want the device meanwhile. Where another process has it,
    `wait` is for how many seconds to wait (math.inf: as long as it takes); None is what
    `profiler.place.waiting` says, and refuses at once unless that is set.
    Warns of what will hurt or mislead. Raises UserError where nothing can measure so, and naming
    who has the device.
    """
    target = target_of(setting)
    warn_of_options(target)
    with kept_device(target.setting, purpose, wait=wait):
        yield target


@contextmanager
def open_target_of(
    table: LatencyTable, purpose: str, *, wait: float | None = None
) -> Iterator[Target]:
    """Do the same with a table's setting; raises UserError on another machine or runtime."""
    target = target_of_table(table)
    warn_of_options(target)
    with kept_device(target.setting, purpose, wait=wait):
        yield target


@contextmanager
def kept_device(
    setting: PartialSetting, purpose: str, *, wait: float | None = None
) -> Iterator[None]:
    """Warn and keep the device like `open_target`, for what opens several runtimes on it."""
    warn_of_hazards(setting)
    with locked_device(setting, purpose, wait=wait):
        yield


@contextmanager
def locked_device(
    setting: PartialSetting, purpose: str, *, wait: float | None = None
) -> Iterator[None]:
    """Keep the device like `open_target`, without warning of hazards again."""
    identity = device_identity(find_device(setting.device), setting.provider)
    with device_lock(identity, purpose, lambda text: warn(f"warning: {text}"), wait):
        yield


def check_free(setting: PartialSetting, purpose: str) -> None:
    """Look whether the device is free, before long work at whose end something is measured on it.

    It is not kept. Raises DeviceBusyError where another process measures on it, which the work
    would spoil.
    """
    with locked_device(setting, purpose):
        pass


def target_of(setting: PartialSetting) -> Target:
    """Return what measures here, not kept from others; raises UserError when nothing can."""
    return _target(setting, create_backend)


def target_of_table(table: LatencyTable) -> Target:
    """Return what a table was measured with; raises UserError on another machine or runtime."""
    target = target_of(table.setting)
    check_same_machine(table, target)
    return target


def builder_of(setting: PartialSetting) -> Target:
    """Return what builds for the device here, wherever that is.

    Raises UserError when nothing can, and for a backend that builds on the device itself.
    """
    described = completed(setting)
    if not backend_kind(described.backend).bundled:
        raise UserError(
            f"backend '{described.backend}' compiles on the device itself, so there is nothing to "
            f"build here; run vitprof measure --device {described.device} --backend "
            f"{described.backend} on the machine that has it."
        )
    return _target(setting, create_builder)


def _target(setting: PartialSetting, create: Callable[[Device, str], Backend]) -> Target:
    described = completed(setting)
    THREADS.check(described.threads, "the number of threads is")
    backend = create(find_device(described.device), described.backend)
    provider = described.provider or backend.default_provider
    target = Target(backend, replace(described, backend=backend.name, provider=provider))
    backend.check(target.options)  # what this build lacks is refused before any work
    return target


def completed(setting: PartialSetting) -> Setting:
    """Return the setting without gaps, to be measured on any machine.

    An empty provider stands for that of the backend there, which need not be installed here. Raises
    UserError for an unknown device, and for a backend or dtype it is not measured with.
    """
    device = find_device(setting.device)
    by = setting.backend or device.backend
    own = device.dtypes_by(by) if by in device.backends else device.dtypes
    dtype = setting.dtype or own[0]
    device.check(by, dtype)
    given = setting.as_dict() | {"device": device.name, "backend": by, "dtype": dtype}
    return Setting(**given | {"provider": setting.provider or ""})


def warn_of_hazards(setting: PartialSetting) -> None:
    """Warn of what about machine and device will hurt or mislead, with the remedy."""
    for hazard in measuring_hazards(setting.threads):
        warn(f"warning: {hazard}")
    warn_of_sparsity(setting)


def warn_of_options(target: Target) -> None:
    """Warn of what the backend says that these options do on this machine."""
    _warn_of(_hazard(target.backend, target.options))


def warn_of_settings(settings: Iterable[PartialSetting]) -> None:
    """Do the same, once each, for settings that other processes open.

    Their runtimes may be absent in this one. Each setting names its backend and its dtype.
    """
    warnings = []
    for one in settings:
        assert one.backend is not None and one.dtype is not None
        backend = backend_kind(one.backend).create(find_device(one.device))
        provider = one.provider or backend.default_provider
        options = BackendOptions(threads=one.threads, dtype=one.dtype, provider=provider)
        warnings.append(_hazard(backend, options))
    for why in dict.fromkeys(warnings):
        _warn_of(why)


def _hazard(backend: Backend, options: BackendOptions) -> str | None:
    return backend.hazard(options) if isinstance(backend, HasHazards) else None


def _warn_of(why: str | None) -> None:
    if why is not None:
        warn(f"warning: {why}")


def warn_of_sparsity(setting: PartialSetting) -> None:
    """Warn where 2:4 weights can be built, but the hardware gains nothing by them."""
    device = find_device(setting.device)
    if setting.sparsity not in device.sparsity:
        warn(
            f"warning: {device.title} has no sparse tensor cores, so {setting.sparsity} weights "
            "are not faster on it; NVIDIA GPUs have them from Ampere on."
        )
