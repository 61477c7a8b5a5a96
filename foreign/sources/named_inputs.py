"""The inputs of a module by the names of its `forward`, several where the model takes several."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...errors import UserError, did_you_mean
from ...models.checks import shown
from ..shapes import Shapes

if TYPE_CHECKING:
    import torch
    from torch import nn

# Numbers of words stay below this, as every vocabulary has so many.
_WORDS = 64
_TENSOR = re.compile(r"(typing\.Optional\[)?(<class ')?(torch\.)?\w*Tensor('>)?\]?( \| None)?")
# What a single input may be called instead of by its name.
_ANY = ("x", "input")


def input_names(module: nn.Module) -> list[str]:
    """Return the parameters of a module's forward that take tensors, by their annotation.

    One without an annotation counts where it has no default.
    """
    found = []
    for name, one in inspect.signature(module.forward).parameters.items():
        if one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL):
            continue
        is_bare = one.annotation is one.empty and one.default is one.empty
        if is_bare or _TENSOR.fullmatch(str(one.annotation)):
            found.append(name)
    return found


def needed_inputs(module: nn.Module) -> list[str]:
    """Return those of `input_names` that have no default."""
    parameters = inspect.signature(module.forward).parameters
    return [
        name for name in input_names(module) if parameters[name].default is inspect.Parameter.empty
    ]


def sizes_of_inputs(
    module: nn.Module, defaults: Mapping[str, tuple[int, ...]], shapes: Shapes | None
) -> dict[str, tuple[int, ...]]:
    """Return the sizes of the inputs that a module is run with, in the order of its forward.

    Those of `defaults`, and those of `shapes` in their place or beside them. Raises UserError for a
    name that is not an input.
    """
    given = {name: tuple(sizes) for name, sizes in (shapes or {}).items()}
    if len(given) == 1 and len(defaults) == 1:
        given = {next(iter(defaults)) if name in _ANY else name: one for name, one in given.items()}
    known = list(dict.fromkeys([*input_names(module), *defaults]))
    if unknown := [name for name in given if name not in known]:
        raise UserError(
            f"`shapes` names {shown(unknown[0])}{did_you_mean(unknown[0], known)}, which is not an "
            "input of the model."
        )
    # What stands in for words takes their place.
    instead = {"inputs_embeds": "input_ids", "decoder_inputs_embeds": "decoder_input_ids"}
    replaced = {instead[name] for name in given if name in instead}
    wanted = {name: one for name, one in defaults.items() if name not in replaced} | given
    return {name: wanted[name] for name in known if name in wanted}


def example_of(name: str, sizes: tuple[int, ...], vocabulary: int = _WORDS) -> torch.Tensor:
    """Return an example of an input: words, masks of ones, token types of zeros, or numbers."""
    import torch

    if "mask" in name:
        return torch.ones(sizes, dtype=torch.int64)
    if "type" in name and name.endswith("_ids"):
        return torch.zeros(sizes, dtype=torch.int64)
    if "position" in name and name.endswith("_ids"):
        return torch.arange(sizes[-1]).expand(sizes).clone()
    if name.endswith("_ids"):
        count = torch.Size(sizes).numel()
        return torch.arange(count).reshape(sizes) % min(vocabulary, _WORDS)
    return torch.randn(sizes, generator=torch.Generator().manual_seed(0))


def by_name(module: nn.Module, names: list[str]) -> nn.Module:
    """Return a module of these inputs in this order, and of the first output alone.

    A graph of tensors has no tuples with None.
    """
    import torch
    from torch import nn

    class ByName(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, *values: torch.Tensor) -> torch.Tensor:
            found = self.model(**dict(zip(names, values, strict=True)))
            while not isinstance(found, torch.Tensor):
                found = next(iter(found.values() if isinstance(found, dict) else found))
            return found

    return ByName()
