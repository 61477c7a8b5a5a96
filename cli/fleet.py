"""Where `vitprof measure` measures: on this machine, or with --ray on a fleet."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import note, print_json

if TYPE_CHECKING:
    from ..profiler.fleet.fleet import FleetLostError
    from ..tables import LatencyTable
    from ..tables.setting import PartialSetting

ray_option = click.option(
    "--ray",
    "ray_address",
    metavar="ADDRESS",
    help="Measure on the nodes of a Ray cluster that have the device: auto, HOST:PORT or "
    "ray://HOST:PORT.",
)


@contextmanager
def table_measurer(
    wanted: PartialSetting, ray_address: str | None, out: Path
) -> Iterator[Callable[..., LatencyTable]]:
    """Yield what measures a plan into `out`: f(plan, protocol=, fresh=, budget_s=, on_progress=).

    The device, here or on the nodes, is kept from others as long as it is open. Raises UserError
    where there is no such device or cluster.
    """
    from ..profiler.target import completed, open_target, warn_of_sparsity

    if ray_address is None:
        from ..profiler.measure import measure_table

        with open_target(wanted, f"vitprof measure --out {out}") as target:
            yield functools.partial(measure_table, target=target, out=out)
        return
    from ..profiler.fleet.fleet import Fleet

    warn_of_sparsity(wanted)
    what = f"vitprof measure --ray {ray_address} --out {out}"
    with Fleet(ray_address, completed(wanted), what=what, on_note=note) as fleet:
        yield functools.partial(fleet.measure_table, out=out)


def report_lost(lost: FleetLostError, out: Path, as_json: bool) -> int:
    """Say what an unfinished table lacks; return the exit code."""
    if as_json:
        print_json({"table": str(out), "points": lost.done, "missing": lost.missing})
    note(f"vitprof: {lost}")
    return 1
