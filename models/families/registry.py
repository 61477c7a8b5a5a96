"""The families of models: vitprof's own, and those of other wheels (`vitprof.families`)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from ...errors import UserError, did_you_mean
from ...plugins import PluginGroup
from ..checks import shown
from .family import Family

# Each is a package here, with its record as FAMILY.
BUILT_IN = ("vit", "autovit", "bert", "efficientvit", "vgg", "swin")
# Models of no family: a spec of them lists the kernels of a graph. It knows no models by name.
FOREIGN = "foreign"


@cache
def built_in(name: str) -> Family:
    """Return the record of a family of vitprof's own."""
    family = importlib.import_module(f".{name}", __package__).FAMILY
    assert isinstance(family, Family)
    return family


def _check(family: Family) -> None:
    """Raise UserError for a wheel's family that cannot be imported or takes another's ops."""
    spec_class, ops = family.load("spec"), family.load("ops")
    if spec_class.family != family.name:
        raise UserError(f"its spec says that the family is '{spec_class.family}'")
    taken = {op.name for name in BUILT_IN for op in built_in(name).load("ops")}
    taken |= {op.name for op in built_in("vit").at("...ops.foreign:FOREIGN_OPS")}
    taken |= {op.name for op in built_in("vit").at("...ops.kernels:KERNEL_OPS")}
    for op in ops:
        if op.name in taken:
            raise UserError(f"vitprof has an op '{op.name}' itself")
    if not all(isinstance(spec, spec_class) for spec in family.load("known")()):
        raise UserError(f"a known model of it is not a {spec_class.__name__}")


PLUGINS = PluginGroup("vitprof.families", Family, "family", (*BUILT_IN, FOREIGN), _check)


def families() -> Iterator[Family]:
    """Yield every family, vitprof's own first: other wheels are looked at only behind these."""
    yield from map(built_in, BUILT_IN)
    yield from PLUGINS.all().values()


def family_names() -> list[str]:
    return [*BUILT_IN, *PLUGINS.names()]


def find_family(name: str) -> Family:
    """Return the family of this name; raises UserError naming the nearest known one."""
    found = built_in(name) if name in (*BUILT_IN, FOREIGN) else PLUGINS.find(name)
    if found is None:
        raise UserError(f"unknown family {shown(name)}{did_you_mean(name, family_names())}.")
    return found


def families_with(field: str) -> list[str]:
    """Return the names of the families whose record has this field."""
    return [family.name for family in families() if getattr(family, field) is not None]


def find_of(name: str, field: str) -> Any:
    """Return what the family of this name has for a field of its record; None for nothing."""
    return find_family(name).load(field)
