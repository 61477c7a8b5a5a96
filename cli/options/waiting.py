"""--wait and --no-lock: what measures, and others that measure on the same device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ...errors import UserError

F = TypeVar("F", bound=Callable[..., Any])


def _no_lock(context: click.Context, _: click.Parameter, no_lock: bool) -> None:
    if no_lock:
        from ...profiler.place.locking import without_lock

        context.with_resource(without_lock())


def _wait(context: click.Context, _: click.Parameter, wait: str | None) -> None:
    from ...profiler.place.waiting import waiting
    from ...quantities import seconds

    try:
        limit_s = 0.0 if wait is None else seconds(wait)
    except UserError as error:
        raise UserError(f"`wait`: {error}") from None
    context.with_resource(waiting(limit_s, shown=True))


_wait_option = click.option(
    "--wait",
    metavar="TIME",
    expose_value=False,
    callback=_wait,
    help="If another vitprof measures on this device, wait up to this time (10m) instead of "
    "ending with exit code 75.",
)

_no_lock_option = click.option(
    "--no-lock",
    is_flag=True,
    expose_value=False,
    callback=_no_lock,
    help="Measure even where the device cannot be kept from other measurements; the table says so.",
)


def wait_option(function: F) -> F:
    """Add --wait and --no-lock."""
    return _wait_option(_no_lock_option(function))
