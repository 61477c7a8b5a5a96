"""From the command line's words to a backend that can measure on this machine."""

from __future__ import annotations

from ..backends import Backend, BackendOptions, create_backend, find_device, measuring_hazards
from ..tables import Setting
from .output import note


def open_device(
    device_name: str, batch: int, threads: int, dtype: str | None, provider: str | None
) -> tuple[Backend, Setting, BackendOptions]:
    """Return what measures on the named device here; raises UserError when nothing can."""
    device = find_device(device_name)
    chosen = dtype or device.dtypes[0]
    device.check_dtype(chosen)
    backend = create_backend(device)
    options = BackendOptions(threads=threads, dtype=chosen)
    if provider:
        options = BackendOptions(threads=threads, dtype=chosen, provider=provider)
    backend.environment(options)  # a provider this build lacks is refused before any work
    setting = Setting(
        device=device.name,
        backend=backend.name,
        provider=options.provider,
        batch=batch,
        dtype=chosen,
        threads=threads,
    )
    return backend, setting, options


def warn_of_hazards(threads: int) -> None:
    """Say on stderr what about this machine will hurt the timings, and the remedy."""
    for hazard in measuring_hazards(threads):
        note(f"warning: {hazard}")
