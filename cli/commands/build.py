"""`vitprof build`: plan -> compile -> bundle, to be measured on another machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import UserError
from ..options.common import check_writable, setting_options
from ..options.plan import Planned, PlanWanted, plan_options
from ..output import json_option, note, print_json, progress_bar

if TYPE_CHECKING:
    from ...tables.setting import PartialSetting

_MOST_NOTES = 5


@click.command(
    epilog="Example: vitprof build --device t4 --out t4.zip  |  vitprof build --device iphone13 "
    "--points 40 --out iphone13.zip; then, there: vitprof measure --bundle t4.zip --trust "
    "--out t4.csv"
)
@setting_options
@plan_options
@click.option("--out", default="bundle.zip", show_default=True, type=click.Path(path_type=Path))
@json_option
def build(wanted: PartialSetting, planning: PlanWanted, out: Path, as_json: bool) -> int:
    """Compile what measuring a table of a device needs, into one file.

    It takes the options of vitprof measure, and needs the device's compiler, not the device.
    """
    from ...backends import find_device
    from ...profiler.bundle.bundle import PROGRAMS, build_bundle, check_replaceable
    from ...profiler.target import builder_of, warn_of_sparsity

    planned = planning.planned()
    _check_fixed(planned)
    check_writable(out)
    check_replaceable(out)
    _check_bundled(wanted)
    target = builder_of(wanted)
    warn_of_sparsity(wanted)
    with progress_bar(enabled=not as_json) as on_progress:
        built = build_bundle(planned.plan(), target, out, on_progress=on_progress)
    setting = target.setting
    result = {"device": setting.device, **built.as_dict()}
    if as_json:
        print_json(result)
    else:
        click.echo(
            f"{out}: {result['points']} blocks and {result['models']} whole models for "
            f"{find_device(setting.device).title}, built in {built.seconds:.0f} s, "
            f"{built.bytes / 1e6:.1f} MB."
        )
        trust = " --trust" if setting.backend in PROGRAMS else ""
        click.echo(f"On that machine: vitprof measure --bundle {out.name}{trust} --out lut.csv")
    for name, reason in list(built.failed.items())[:_MOST_NOTES]:
        note(f"failed: {name}: {reason}")
    if len(built.failed) > _MOST_NOTES:
        note(f"... and {len(built.failed) - _MOST_NOTES} more points failed.")
    return 1 if built.failed else 0


def _check_fixed(planned: Planned) -> None:
    if planned.refine_to is not None:
        raise UserError(
            f"--points {planned.refine_to} is more than the {len(planned.space.blocks())} blocks "
            "of the grid, and where more are needed shows only while measuring (vitprof measure); "
            "give fewer, or a finer --grid."
        )


def _check_bundled(wanted: PartialSetting) -> None:
    """Raise UserError for a backend that compiles on the device itself."""
    from ...backends import find_device

    if (wanted.backend or find_device(wanted.device).backend) == "cuda":
        raise UserError(
            "backend 'cuda' compiles on the device itself, so there is nothing to build here; run "
            f"vitprof measure --device {wanted.device} --backend cuda on the machine that has it."
        )
