"""`vitprof.check_plugin`: whether what another wheel adds keeps what it promises."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UserError, did_you_mean
from ..progress import shown_wait
from ..promises import Checked
from ..results import Result

if TYPE_CHECKING:
    import pandas as pd

    from ..plugins import PluginGroup

LOADED = "it is imported, of this kind, has its name, and was made for this version"


@dataclass(frozen=True)
class PluginCheck(Result):
    """What came of each promise of a plug-in; `noun` says what it is: a family, a backend, ..."""

    name: str
    noun: str
    checked: Sequence[Checked]

    @property
    def broken(self) -> list[Checked]:
        """The promises that are not kept."""
        return [one for one in self.checked if one.answer == "broken"]

    @property
    def title(self) -> str:
        """How many promises are kept."""
        kept = sum(one.answer == "ok" for one in self.checked)
        left = sum(one.answer == "not checked" for one in self.checked)
        unchecked = f", {left} could not be checked here" if left else ""
        return (
            f"{self.noun} '{self.name}': {kept} of {len(self.checked)} promises are kept, "
            f"{len(self.broken)} broken{unchecked}."
        )

    def report(self) -> dict[str, Any]:
        """Return each promise with its answer."""
        return {
            "name": self.name,
            "kind": self.noun,
            "broken": len(self.broken),
            "promises": [asdict(one) for one in self.checked],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a promise."""
        import pandas as pd

        return pd.DataFrame([asdict(one) for one in self.checked])


def check_plugin(
    name: str, *, on_checked: Callable[[Checked], None] = lambda _: None
) -> list[PluginCheck]:
    """Check whether a family, backend, device or method keeps what vitprof relies on.

    It may be what another wheel adds, a device of a file, or vitprof's own.

    Args:
        name: What it is called by.
        on_checked: Called with each promise when it has been checked.

    Returns:
        The promises of each kind of plug-in that has this name; usually one.

    Raises:
        UserError: Nothing is called so.

    Example:
        >>> import vitprof
        >>> (backend,) = vitprof.check_plugin("onnxruntime")  # doctest: +SKIP
        >>> backend.broken  # doctest: +SKIP
        []
    """
    found: list[PluginCheck] = []
    for noun, known, load, check in _kinds():
        if name not in known:
            continue
        answers: list[Checked] = []
        left = _answers(name, load, check)
        while (one := _next(left, name)) is not None:
            on_checked(one)
            answers.append(one)
        found.append(PluginCheck(name, noun, answers))
    if not found:
        known_names = [one for _, names, _, _ in _kinds() for one in names]
        raise UserError(
            f"no family, backend, device or method is called '{name}'"
            f"{did_you_mean(name, known_names)}."
        )
    return found


def _next(left: Iterator[Checked], name: str) -> Checked | None:
    """Return the next promise when it has been checked, which may take a minute; None: no more."""
    with shown_wait(f"checking {name}"):
        return next(left, None)


def _answers(
    name: str, load: Callable[[str], Any], check: Callable[[Any], Iterable[Checked]]
) -> Iterator[Checked]:
    try:
        plugin = load(name)
    except UserError as error:
        yield Checked(LOADED, "broken", str(error))
        return
    yield from itertools.chain([Checked(LOADED, "ok")], check(plugin))


Kind = tuple[str, Sequence[str], Callable[[str], Any], Callable[[Any], Iterable[Checked]]]


def _kinds() -> Iterator[Kind]:
    """Yield each kind of plug-in: its noun, all names, and what loads and what checks one."""
    from ..backends import registry as backends
    from ..backends.devices import device_names, device_plugins, find_device
    from ..compress import methods
    from ..models.families import registry as families

    def check_family(family: Any) -> Iterable[Checked]:
        from ..profiler.conformance.family import check_family

        return check_family(family)

    def check_backend(kind: Any) -> Iterable[Checked]:
        from ..profiler.conformance.backend import check_backend

        return check_backend(kind)

    def check_device(device: Any) -> Iterable[Checked]:
        from ..profiler.conformance.device import check_device

        return check_device(device)

    def check_method(method: Any) -> Iterable[Checked]:
        from ..compress.conformance import check_method

        return check_method(method)

    own = families.family_names()
    yield "family", own, _loader(families.PLUGINS, families.find_family), check_family
    own = backends.backend_names()
    yield "backend", own, _loader(backends.PLUGINS, backends.backend_kind), check_backend
    group = device_plugins()
    own = list(dict.fromkeys([*device_names(), *group.names()]))
    yield "device", own, _loader(group, find_device, lambda entry: entry.device()), check_device
    own = methods.method_names()
    yield "method", own, _loader(methods.PLUGINS, methods.find_method), check_method


def _loader(
    group: PluginGroup[Any],
    find: Callable[[str], Any],
    of_plugin: Callable[[Any], Any] = lambda plugin: plugin,
) -> Callable[[str], Any]:
    """Return what loads a plug-in, with the reason where that fails, and also other objects."""

    def load(name: str) -> Any:
        return of_plugin(group.load(name)) if name in group.names() else find(name)

    return load
