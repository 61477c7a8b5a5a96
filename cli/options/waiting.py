"""--wait: what measures waits for a device that another process is measuring."""

from __future__ import annotations

import click

from ...errors import UserError


def _wait(context: click.Context, _: click.Parameter, wait: str | None) -> None:
    from ...profiler.place.waiting import waiting
    from ...quantities import seconds

    try:
        limit_s = 0.0 if wait is None else seconds(wait)
    except UserError as error:
        raise UserError(f"`wait`: {error}") from None
    context.with_resource(waiting(limit_s, shown=True))


wait_option = click.option(
    "--wait",
    metavar="TIME",
    expose_value=False,
    callback=_wait,
    help="Where another vitprof measures on this device: wait for it, so long at most (10m), "
    "instead of ending with exit code 75.",
)
