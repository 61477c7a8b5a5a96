"""`vitprof check-plugin`: whether what another wheel adds keeps what it promises."""

from __future__ import annotations

import click

from ..options.table_and_setting import devices_option
from ..output import json_option, print_json, say


@click.command(epilog="Example: vitprof check-plugin my-backend")
@click.argument("name")
@devices_option
@json_option
def check_plugin(name: str, as_json: bool) -> int:
    """Check whether a family, backend, device or method keeps its promises.

    NAME is added by a wheel or a device file, or is one of vitprof's own.
    """
    from ...promises import Checked
    from ...verbs.check_plugin import check_plugin as check

    def show(one: Checked) -> None:
        say(f"{one.answer}: {one.promise}" + (f": {one.why}" if one.why else ""))

    found = check(name) if as_json else check(name, on_checked=show)
    if as_json:
        print_json({"checked": [one.report() for one in found]})
    else:
        for one in found:
            say(one.title)
    return int(any(one.broken for one in found))
