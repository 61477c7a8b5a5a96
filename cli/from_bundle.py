"""`vitprof measure --bundle`: its plan, setting and artifacts are the bundle's."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import UserError
from .options.common import given_options
from .options.plan import PLAN_NAMES

if TYPE_CHECKING:
    from ..profiler.bundle.bundle import Bundle
    from ..profiler.plan import Plan
    from ..tables import LatencyTable
    from ..tables.setting import PartialSetting, Setting

# What an artifact does not contain, and so may be given anew where it is measured.
_ONLY_RUN = {
    "onnxruntime": ("threads", "provider"),
    "coreml": ("provider",),
    "tensorrt": ("cache",),
}

bundle_option = click.option(
    "--bundle",
    "bundle_path",
    type=click.Path(path_type=Path),
    help="Measure what vitprof build compiled, maybe elsewhere: its points under its setting.",
)


trust_option = click.option(
    "--trust",
    "trusted",
    is_flag=True,
    help="Measure a bundle of TensorRT engines: they are programs, so only what you, or someone "
    "you trust, built.",
)


@contextmanager
def bundle_measurer(
    path: Path, wanted: PartialSetting, out: Path, trusted: bool
) -> Iterator[tuple[Plan, Callable[..., LatencyTable]]]:
    """Yield the bundle's plan and what measures it into `out`, as `table_measurer` does.

    Raises UserError for a bundle that is damaged or refused, for one of another device than this
    machine has, for programs that are not `trusted`, and for options that contradict it.
    """
    from ..profiler.bundle.bundle import Bundle
    from ..profiler.measure import measure_table
    from ..profiler.target import kept_device, target_of

    refuse_beside_bundle(path)
    with Bundle(path, trusted) as bundle:
        setting = _setting_of(bundle, wanted)
        try:
            target = target_of(setting)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        bundle.check_trust()
        with kept_device(setting, f"vitprof measure --bundle {path} --out {out}"):
            yield (
                bundle.plan,
                functools.partial(measure_table, target=target, out=out, artifacts=bundle),
            )


def refuse_beside_bundle(path: Path) -> None:
    """Raise UserError where the command line says what to measure, or where, besides the bundle."""
    others = set(PLAN_NAMES) - {"seed"} | {"ray_address"}
    given = given_options(others)
    if given:
        raise UserError(
            f"--bundle {path} has its own points and is measured on this machine; take "
            f"{', '.join(given)} away, or build another bundle."
        )


def _setting_of(bundle: Bundle, wanted: PartialSetting) -> Setting:
    """Return the bundle's setting, with what the command line may change of it."""
    own = bundle.setting
    changed = {}
    for field in dataclasses.fields(wanted):
        value = getattr(wanted, field.name)
        if not given_options({field.name}) or value == getattr(own, field.name):
            continue
        if field.name not in _ONLY_RUN.get(own.backend, ()):
            raise UserError(
                f"{bundle.path} was built for {field.name} {getattr(own, field.name)}, not "
                f"{value}; take --{field.name} away, or build a bundle for it."
            )
        changed[field.name] = value
    return dataclasses.replace(own, **changed)
