"""Taking one module out of a model: what is left is a smaller spec with the weights it keeps.

Only modules on a residual path can go: without them what came in goes on as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from torch import Tensor

from ..errors import UserError
from .create import create_model
from .families.registry import families_with, find_of
from .modules.spec_model import SpecModel
from .spec import Spec

# A stage of layers.
S = TypeVar("S", bound=Any)


@dataclass(frozen=True)
class RemovableModule:
    """A part of a model that can be removed.

    name: e.g. "layers.3.attention", unique in its model; kind: what such modules have in common;
    left: the spec without it; weights: prefixes of the names of the weights that go with it;
    position: (list, place) of the entry that goes from a numbered list of modules, so that the
    entries behind it move up, None where nothing moves.
    """

    name: str
    kind: str
    left: Spec
    weights: tuple[str, ...]
    position: tuple[str, int] | None = None


def removable(spec: Spec) -> list[RemovableModule]:
    """Return the modules of a model that can be removed, each by itself, in the model's order.

    Raises UserError for a model of another family, or in which nothing can be removed.
    """
    find: Callable[[Spec], Iterator[RemovableModule]] | None = find_of(spec.family, "removable")
    if find is None:
        raise UserError(
            f"modules of {spec.name} cannot be removed: its family is '{spec.family}', and "
            f"supported are {', '.join(families_with('removable'))}."
        )
    found = list(find(spec))
    if not found:
        raise UserError(
            f"{spec.name} has no module that can be removed: each is the only one of its stage."
        )
    return found


def without(model: SpecModel, module: RemovableModule) -> SpecModel:
    """Return the model without the module, one of `removable(model.spec)`; the given one stays.

    It computes what the model does when the module hands on its input, and shares no weights with
    it; on the same device and in the same mode. Raises ValueError for another model's module.
    """
    if module not in removable(model.spec):
        raise ValueError(f"{module.name} was not found by removable(model.spec)")
    smaller = create_model(module.left).to(next(model.parameters()).device)
    smaller.load_state_dict(_left(model.state_dict(), module))
    return smaller.train(model.training)


def _left(weights: Mapping[str, Tensor], module: RemovableModule) -> dict[str, Tensor]:
    """Return the weights that stay, under the names that they have then."""
    prefixes = tuple(f"{prefix}." for prefix in module.weights)
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith(prefixes)}
    if module.position is None:
        return kept
    return {_moved_up(name, *module.position): tensor for name, tensor in kept.items()}


def _moved_up(name: str, entries: str, place: int) -> str:
    if not name.startswith(f"{entries}."):
        return name
    number, _, rest = name.removeprefix(f"{entries}.").partition(".")
    return f"{entries}.{int(number) - (int(number) > place)}.{rest}"


def with_one_less(stages: tuple[S, ...], number: int) -> tuple[S, ...]:
    """Return the stages, each a dataclass with a `depth`, one of them with a layer less."""
    stage = replace(stages[number], depth=stages[number].depth - 1)
    return (*stages[:number], stage, *stages[number + 1 :])
