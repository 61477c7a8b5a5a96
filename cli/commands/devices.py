"""`vitprof devices`: which devices can be measured here, and how to measure the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..options.table_and_setting import devices_option
from ..output import json_option, print_json

if TYPE_CHECKING:
    from ...verbs.devices import Devices, KnownDevice


@click.command(epilog="Example: vitprof devices")
@devices_option
@json_option
def devices(as_json: bool) -> int:
    """List the known devices: measurable here, or why not and how to."""
    from ...verbs.devices import devices as list_devices

    found = list_devices()
    if as_json:
        print_json(found.report())
    else:
        _print(found)
    return 0


def _print(found: Devices) -> None:
    from rich import box
    from rich.table import Table

    from ..output import console

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("device", "is", "backend", "dtypes", "build", "measure here"):
        table.add_column(column, no_wrap=column != "measure here")
    remedies: dict[str, list[str]] = {}
    for one in found.known:
        device = one.device
        # The sentence is "why not; how to": how to is the same for many, so it stands below.
        why, _, how = (one.why_not or "").partition("; ")
        if how:
            named = how.replace(f"--device {device.name} ", "--device NAME ")
            remedies.setdefault(named, []).append(device.name)
        table.add_row(
            device.name,
            device.title,
            device.backend,
            ", ".join(device.dtypes),
            _build_column(one),
            "[green]yes[/green]" if one.why_not is None else f"no: {why}",
        )
    console().print(table)
    for how, names in remedies.items():
        click.echo(f"{', '.join(names)}: {how}")


def _build_column(one: KnownDevice) -> str:
    from ...backends.registry import backend_kind

    if not backend_kind(one.device.backend).bundled:
        return "-"  # it compiles on the device itself: there is no vitprof build
    return "[green]yes[/green]" if one.why_no_build is None else "no"
