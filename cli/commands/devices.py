"""`vitprof devices`: which devices can be measured here, and how to measure the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..options.table_and_setting import devices_option
from ..output import json_option, print_json, print_table, say

if TYPE_CHECKING:
    from ...verbs.devices import Devices, KnownDevice


@click.command(epilog="Example: vitprof devices")
@devices_option
@json_option
def devices(as_json: bool) -> int:
    """List the known devices: whether each can be measured here, or why not and what to do."""
    from ...verbs.devices import devices as list_devices

    found = list_devices()
    if as_json:
        print_json(found.report())
    else:
        _print(found)
    return 0


def _print(found: Devices) -> None:
    rows = []
    reasons: dict[str, list[str]] = {}
    for one in found.known:
        device = one.device
        if one.why_not is not None:  # the same for many, so it stands below
            why = one.why_not.replace(f"--device {device.name} ", "--device NAME ")
            why = why.replace(f"the {device.title}", "the device").removesuffix(".")
            reasons.setdefault(why, []).append(device.name)
        rows.append(
            (
                device.name,
                device.title,
                device.backend,
                ", ".join(device.dtypes),
                _build_column(one),
                "yes" if one.why_not is None else "no",
            )
        )
    columns = ("device", "is", "backend", "dtypes", "build", "measure here")
    print_table(columns, rows, text=columns)
    for why, names in reasons.items():
        say(f"{', '.join(names)}: not measured here: {why}.")


def _build_column(one: KnownDevice) -> str:
    from ...backends.registry import backend_kind

    if not backend_kind(one.device.backend).bundled:
        return "-"  # it compiles on the device itself: there is no vitprof build
    return "yes" if one.why_no_build is None else "no"
