"""From the command line's words to a backend that can measure on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ..backends import (
    Backend,
    BackendOptions,
    Device,
    create_backend,
    create_builder,
    find_device,
    measuring_hazards,
)
from ..profiler.measure import options_of
from ..profiler.place.device_identity import device_identity
from ..profiler.place.device_lock import device_lock
from ..tables import Setting
from .output import note


@dataclass(frozen=True)
class Wanted:
    """What the command line says of device and setting; None is the device's or backend's own."""

    device: str = "cpu"
    batch: int = 1
    threads: int = 1
    dtype: str | None = None
    backend: str | None = None
    provider: str | None = None
    sparsity: str = "dense"
    cache: str = "warm"
    graph: str = "none"

    @classmethod
    def like(cls, setting: Setting) -> Wanted:
        """Return what a table of this setting was measured with."""
        return cls(
            setting.device,
            setting.batch,
            setting.threads,
            setting.dtype,
            setting.backend,
            setting.provider or None,
            setting.sparsity,
            setting.cache,
            setting.graph,
        )


def open_device(wanted: Wanted) -> tuple[Backend, Setting, BackendOptions]:
    """Return what measures the wanted device here; raises UserError when nothing can."""
    return _opened(wanted, create_backend)


def open_builder(wanted: Wanted) -> tuple[Backend, Setting, BackendOptions]:
    """Return what builds for the wanted device here; raises UserError when nothing can."""
    return _opened(wanted, create_builder)


def _opened(
    wanted: Wanted, create: Callable[[Device, str], Backend]
) -> tuple[Backend, Setting, BackendOptions]:
    described = setting_elsewhere(wanted)
    backend = create(find_device(wanted.device), described.backend)
    setting = replace(
        described, backend=backend.name, provider=described.provider or backend.default_provider
    )
    options = options_of(setting)
    backend.check(options)  # what this build lacks is refused before any work
    return backend, setting, options


def setting_elsewhere(wanted: Wanted) -> Setting:
    """Return the setting to measure on another machine, whose runtime this one need not have.

    An empty provider stands for that of the other machine's backend. Raises UserError for an
    unknown device, and for a backend or dtype it is not measured with.
    """
    device = find_device(wanted.device)
    by = wanted.backend or device.backend
    dtype = wanted.dtype or (device.dtypes_by(by)[0] if by in device.backends else device.dtypes[0])
    device.check(by, dtype)
    return Setting(
        device=device.name,
        backend=by,
        provider=wanted.provider or "",
        batch=wanted.batch,
        dtype=dtype,
        threads=wanted.threads,
        sparsity=wanted.sparsity,
        cache=wanted.cache,
        graph=wanted.graph,
    )


@contextmanager
def measuring(wanted: Wanted, what: str) -> Iterator[None]:
    """Keep every other vitprof of this machine off the device inside the block.

    `what` is what others are told. Raises UserError naming who has the device already.
    """
    identity = device_identity(find_device(wanted.device), wanted.provider)
    with device_lock(identity, what, lambda text: note(f"warning: {text}")):
        yield


def warn_of_hazards(wanted: Wanted) -> None:
    """Say on stderr what about machine and device will hurt or mislead, and the remedy."""
    for hazard in measuring_hazards(wanted.threads):
        note(f"warning: {hazard}")
    warn_of_sparsity(wanted)


def warn_of_sparsity(wanted: Wanted) -> None:
    """Say on stderr where 2:4 weights can be built, but the hardware gains nothing by them."""
    device = find_device(wanted.device)
    if wanted.sparsity not in device.sparsity:
        note(
            f"warning: {device.title} has no sparse tensor cores, so {wanted.sparsity} weights are "
            "not faster on it; NVIDIA GPUs have them from Ampere on."
        )
