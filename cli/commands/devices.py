"""`vitprof devices`: which devices can be measured here, and how to measure the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..output import json_option, print_json

if TYPE_CHECKING:
    from ...backends import Device


@click.command(epilog="Example: vitprof devices")
@json_option
def devices(as_json: bool) -> int:
    """List the known devices: measurable here, or why not and how to."""
    from rich import box
    from rich.table import Table

    from ...backends.devices import devices as known_devices
    from ..output import console

    found = [
        (device, device.why_not_here(), device.why_no_build_here())
        for device in known_devices().values()
    ]
    if as_json:
        print_json(
            {
                "devices": [
                    {
                        "name": device.name,
                        "title": device.title,
                        "backend": device.backend,
                        "dtypes": list(device.dtypes),
                        "sparsity": list(device.sparsity),
                        "here": reason is None,
                        "why_not": reason,
                        "builds_here": no_build is None,
                        "why_no_build": no_build,
                    }
                    for device, reason, no_build in found
                ]
            }
        )
        return 0
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("device", "is", "backend", "dtypes", "build", "measure here"):
        table.add_column(column, no_wrap=column != "measure here")
    remedies: dict[str, list[str]] = {}
    for device, reason, no_build in found:
        # The sentence is "why not; how to": how to is the same for many, so it stands below.
        why, _, how = (reason or "").partition("; ")
        if how:
            named = how.replace(f"--device {device.name} ", "--device NAME ")
            remedies.setdefault(named, []).append(device.name)
        table.add_row(
            device.name,
            device.title,
            device.backend,
            ", ".join(device.dtypes),
            _build_column(device, no_build),
            "[green]yes[/green]" if reason is None else f"no: {why}",
        )
    console().print(table)
    for how, names in remedies.items():
        click.echo(f"{', '.join(names)}: {how}")
    return 0


def _build_column(device: Device, no_build: str | None) -> str:
    if device.backend == "cuda":
        return "-"  # PyTorch compiles on the device itself: there is no vitprof build
    return "[green]yes[/green]" if no_build is None else "no"
