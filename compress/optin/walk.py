"""A model as a chain of steps, and where in it a unit's share is added to the sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...models.modules.spec_model import spec_of
from ...models.modules.words import Words
from ...models.structures.prunable import prunable_of
from ...models.structures.structure import Kind, Structure
from .channels import MeanSquares, channel_sources
from .trajectory import Manifold


class Source(Protocol):
    """Units that one step of the chain can do without."""

    @property
    def structure(self) -> Structure: ...

    @property
    def step(self) -> int:
        """The place of the step in the chain."""

    def without(self, step: nn.Module, x: Tensor, units: Tensor, variants: int = 1) -> Tensor:
        """Return the step's output without each of the units, one variant after another.

        x: what goes into the step, of one model (variants=1) or of as many as there are units.
        """


class Measure(Protocol):
    """One layer's features of the unpruned model."""

    def errors(self, features: Tensor) -> Tensor:
        """Return how far those of each of n variants (n x their shape) are from them."""


# The kinds whose units can be left out of a step one by one.
ONE_SHOT: tuple[Kind, ...] = ("heads", "mlp", "channels")


@dataclass(frozen=True)
class LinearSource:
    """Units that write to the sequence through the last linear layer of a step.

    step: its place in the chain; columns: units x the inputs of `linear` that are a unit's;
    joined: what happens to the linear layer's output before it is added; cut: its inverse.
    """

    structure: Structure
    step: int
    linear: nn.Linear
    columns: Tensor
    joined: Callable[[Tensor], Tensor]
    cut: Callable[[Tensor], Tensor]

    def only(self, units: Tensor) -> LinearSource:
        """Return the source of some of the units."""
        parts = tuple(replace(part, index=part.index[units]) for part in self.structure.parts)
        structure = replace(self.structure, parts=parts)
        return replace(self, structure=structure, columns=self.columns[units])

    def without(self, step: nn.Module, x: Tensor, units: Tensor, variants: int = 1) -> Tensor:
        """Return the step's output without each of the units, one variant after another.

        x: what goes into the step, of one model (variants=1) or of as many as there are units.
        """
        with Hidden(self.linear) as hidden:
            before, output = hidden.of(step, x)
        outputs, befores = output.chunk(variants), before.chunk(variants)
        return torch.cat(
            [
                outputs[n % variants] - self._share_of(int(unit), befores[n % variants])
                for n, unit in enumerate(units)
            ]
        )

    def _share_of(self, unit: int, hidden: Tensor) -> Tensor:
        """Return what a unit adds; `hidden` is what goes into the linear layer."""
        columns = self.columns[unit]
        return self.joined(hidden[..., columns] @ self.linear.weight[:, columns].T)


@dataclass(frozen=True)
class Walk:
    """A model's steps, the layer each belongs to, and the sources of its heads and neurons.

    layers: by step, counted from 0; the stem has -1, and what follows the last layer its number
    plus 1. `normed` flags the steps that begin with a layer norm: what goes into them is compared,
    by what `measure` keeps of it. Of convolutions see `ChannelSteps`. counted: batch x tokens,
    False for what only fills a sequence up; None where every token counts.
    """

    model: nn.Module
    steps: Sequence[nn.Module]
    layers: Sequence[int]
    normed: Sequence[bool]
    sources: Sequence[Source]
    measure: Callable[[Tensor], Measure] = Manifold
    counted: Tensor | None = None

    def on(self, batch: Tensor | Words) -> tuple[Walk, Tensor]:
        """Return the walk for a batch, and what goes into its first step.

        The walk for words has their types and their filling in its steps, so it is for variants of
        the model on that batch alone.
        """
        if not isinstance(batch, Words):
            return self, batch
        chained: Any = self.model
        counted = batch.seen.bool()
        walk = replace(
            self,
            steps=chained.chain(batch.types, batch.seen),
            measure=partial(Manifold, counted=counted),
            counted=counted,
        )
        return walk, batch.ids

    def run(self, x: Tensor, first: int = 0) -> Tensor:
        """Return the logits from what goes into step `first`."""
        for step in self.steps[first:]:
            x = step(x)
        return x

    def inputs(self, images: Tensor) -> list[Tensor]:
        """Return what goes into every step, and the logits."""
        found = [images]
        for step in self.steps:
            found.append(step(found[-1]))
        return found


def walk_of(model: nn.Module, kinds: Sequence[Kind] = ONE_SHOT, only: tuple[str, ...] = ()) -> Walk:
    """Return the walk through a model of a family that can be pruned.

    kinds, only: the structures that are sources, by kind and by what their names begin with.
    Raises UserError, naming the module, where a step's units cannot be distinguished.
    """
    spec = spec_of(model)
    prunable = prunable_of(spec)
    structures = [
        s
        for s in prunable.structures(spec, True)
        if s.kind in kinds and (not only or s.name.startswith(only))
    ]
    chained: Any = model
    steps: list[nn.Module] = chained.chain()
    if prunable.steps is not None:
        chain = prunable.steps(spec)
        sources_of_channels = channel_sources(structures, chain.readers)
        return Walk(model, steps, chain.layers, chain.compared, sources_of_channels, MeanSquares)
    names = {id(module): name for name, module in model.named_modules()}
    places: dict[str, int] = {}
    layers, prefixes = [-1], [""]
    for place, step in enumerate(steps):
        branch = getattr(step, "attn", None) or getattr(step, "mlp", None)
        if branch is None:
            # The stem comes first; what merges or classifies belongs to what follows.
            layers.append(len(prefixes) - 1 if place else -1)
            continue
        name = names[id(branch)]
        places[name] = place
        prefix = name.rpartition(".")[0]
        if prefix != prefixes[-1]:
            prefixes.append(prefix)
        layers.append(len(prefixes) - 2)
    sources = []
    for structure in structures:
        part = [p for p in structure.parts if p.weight.endswith(("proj.weight", "fc2.weight"))][-1]
        linear_name = part.weight.rpartition(".")[0]
        branch_name = linear_name.rpartition(".")[0]
        linear = model.get_submodule(linear_name)
        if branch_name not in places or not isinstance(linear, nn.Linear):
            raise UserError(
                f"the layers of {spec.name} cannot be walked: the module {linear_name} is not a "
                "linear layer at the end of a step."
            )
        windows = getattr(model.get_submodule(branch_name), "windows", None)
        both = (_unchanged, _unchanged) if windows is None else (windows.joined, windows.cut)
        sources.append(LinearSource(structure, places[branch_name], linear, part.index, *both))
    return Walk(model, steps, layers[1:], [_is_normed(s) for s in steps], sources)


def _is_normed(step: nn.Module) -> bool:
    return any(isinstance(module, nn.LayerNorm) for module in step.children())


def _unchanged(x: Tensor) -> Tensor:
    return x


class Hidden:
    """What goes into a linear layer, for as long as the block lasts."""

    def __init__(self, linear: nn.Linear) -> None:
        self.linear = linear
        self.value: Tensor | None = None

    def __enter__(self) -> Hidden:
        def keep(_module: nn.Module, given: tuple[Tensor, ...]) -> None:
            self.value = given[0].detach()

        self._handle = self.linear.register_forward_pre_hook(keep)
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.remove()

    def of(self, step: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the linear layer's input, and the step's output."""
        output = step(x)
        assert isinstance(self.value, torch.Tensor)
        return self.value, output
