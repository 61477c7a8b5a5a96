"""What a family of models promises: specs, blocks, modules and spaces that go together."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from ...backends.random_input import input_dtype, seeded_input
from ...models import Block, Spec, create_block, create_model, create_spec
from ...models.families.family import Family
from ...models.modules.spec_model import SpecModel
from ...promises import BrokenPromiseError, Checked, Promises, UncheckedError, demand
from ...spaces.registry import space_class
from ...spaces.space import SearchSpace

# Models beyond that many weights are not made, but for the smallest.
LARGEST_PARAMS = 50_000_000
MOST_MODELS = 3
MOST_BLOCKS = 40
RANDOM_MODELS = 12


@dataclass
class FamilyCase:
    """A family under test."""

    family: Family

    @cached_property
    def known(self) -> list[Spec]:
        """The specs known by name."""
        specs = list(self.family.load("known")())
        if not specs:
            raise UncheckedError("no model of it is known by name")
        return specs

    @cached_property
    def small(self) -> list[Spec]:
        """A few of them to make modules of: the smallest."""
        ordered = sorted(self.known, key=lambda spec: spec.params)
        few = [spec for spec in ordered if spec.params <= LARGEST_PARAMS][:MOST_MODELS]
        return few or ordered[:1]

    @cached_property
    def blocks(self) -> list[Block]:
        """The blocks of these, each once."""
        return list(dict.fromkeys(block for spec in self.small for block in spec.blocks()))[
            :MOST_BLOCKS
        ]

    @cached_property
    def space(self) -> SearchSpace:
        if self.family.space is None:
            raise UncheckedError("it has no space, so nothing of it is measured or searched")
        kind = space_class(self.family.name)
        name, fields = next(iter(kind.known().items()))
        return kind.from_fields(name, fields)

    @cached_property
    def random_specs(self) -> list[Spec]:
        rng = random.Random(0)  # noqa: S311 - reproducible models, not secrets
        return [self.space.random_spec(rng, f"random-{i}") for i in range(RANDOM_MODELS)]


PROMISES: Promises[FamilyCase] = Promises()


def check_family(family: Family) -> Iterator[Checked]:
    """Check every promise of a family."""
    return PROMISES.checked(FamilyCase(family))


@PROMISES("every place of its record is there")
def _(case: FamilyCase) -> None:
    for place in (
        "spec",
        "known",
        "ops",
        "module",
        "blocks",
        "space",
        "rename",
        "of_checkpoint",
        "choices",
        "structures",
        "with_units",
        "steps",
        "removable",
        "inherited",
        "skeleton",
    ):
        case.family.load(place)
    for place in case.family.hugging_face.values():
        demand(callable(case.family.at(place)), f"{place} cannot be called")


@PROMISES("it knows models by name, each by one of its own")
def _(case: FamilyCase) -> None:
    known = list(case.family.load("known")())
    names = [spec.name for spec in known]
    demand(known, "known() is empty")
    demand(len(set(names)) == len(names), "two of them have the same name")
    for spec in known:
        demand(spec.family == case.family.name, f"{spec.name} is of the family '{spec.family}'")
        demand(create_spec(spec.name) == spec, f"create_spec('{spec.name}') gives another spec")


@PROMISES("a spec is the same after JSON")
def _(case: FamilyCase) -> None:
    for spec in case.known:
        demand(Spec.from_json(spec.to_json()) == spec, f"{spec.name} comes back as another")


@PROMISES("a spec is hashable and cannot be changed")
def _(case: FamilyCase) -> None:
    for spec in case.small:
        hash(spec)
        try:
            spec.name = "changed"  # type: ignore[misc]
        except AttributeError:
            continue
        raise BrokenPromiseError("its dataclass is not frozen")


@PROMISES("every block is of an op that is known, and has a module")
def _(case: FamilyCase) -> None:
    makes = case.family.load("blocks")
    for spec in case.known:
        demand(spec.blocks(), f"{spec.name} has no blocks")
        for block in spec.blocks():
            _ = block.definition
    for block in case.blocks:
        demand(isinstance(create_block(block), torch.nn.Module), f"{block} has no module")
    names = {op.name for op in case.family.load("ops")}
    strange = sorted(set(makes) - names)
    demand(not strange, f"`blocks` makes {', '.join(strange)}, which is none of its ops")


@PROMISES("a block maps its input's shape to its output's")
def _(case: FamilyCase) -> None:
    for block in case.blocks:
        shape = tuple(_run(create_block(block), (2, *block.input_shape)).shape)
        expected = (2, *block.output_shape)
        demand(shape == expected, f"{block} gives {shape}, not {expected}")


@PROMISES("a block follows on the one before it")
def _(case: FamilyCase) -> None:
    for spec in case.known:
        blocks = spec.blocks()
        for before, after in itertools.pairwise(blocks):
            demand(
                before.output_shape == after.input_shape,
                f"in {spec.name}, {before} gives {before.output_shape} and {after} takes "
                f"{after.input_shape}",
            )


@PROMISES("a block's params are its module's")
def _(case: FamilyCase) -> None:
    for block in case.blocks:
        if block.definition.counted:
            found = _params(create_block(block))
            demand(found == block.params, f"{block} says {block.params} and has {found}")


@PROMISES("a block's macs are those of its products and convolutions")
def _(case: FamilyCase) -> None:
    for block in case.blocks:
        if block.definition.counted:
            found = _macs(create_block(block), (1, *block.input_shape))
            demand(found == block.macs, f"{block} says {block.macs} and has {found}")


@PROMISES("a model is a SpecModel of its spec, in eval mode")
def _(case: FamilyCase) -> None:
    for spec in case.small:
        model = create_model(spec)
        demand(isinstance(model, SpecModel), f"{spec.name} is a {type(model).__name__}")
        same = (model.spec.name, model.spec.blocks()) == (spec.name, spec.blocks())
        demand(same, f"the model of {spec.name} says it is of another spec")
        demand(not model.training, f"the model of {spec.name} is in training mode")


@PROMISES("a model's params are the sum of its blocks'")
def _(case: FamilyCase) -> None:
    for spec in case.small:
        found = _params(create_model(spec))
        demand(found == spec.params, f"{spec.name} has {found}, its blocks {spec.params}")


@PROMISES("a model's macs are the sum of its blocks'")
def _(case: FamilyCase) -> None:
    for spec in case.small:
        found = _macs(create_model(spec), (1, *spec.blocks()[0].input_shape))
        demand(found == spec.macs, f"{spec.name} has {found}, its blocks {spec.macs}")


@PROMISES("a model is the chain of its blocks")
def _(case: FamilyCase) -> None:
    for spec in case.small:
        model = create_model(spec)
        steps, blocks = model.chain(), spec.blocks()
        demand(len(steps) == len(blocks), f"{len(steps)} modules for {len(blocks)} blocks")
        x = whole = _input(model, (2, *blocks[0].input_shape))
        with torch.inference_mode():
            for step, block in zip(steps, blocks, strict=True):
                x = step(x)
                demand(tuple(x.shape[1:]) == block.output_shape, f"{block} gives {tuple(x.shape)}")
            same = torch.allclose(x, model(whole), atol=1e-5, rtol=1e-4)
        demand(same, f"{spec.name} gives other logits than its blocks one after another")


@PROMISES("a space's smallest, largest and random models are models of the family")
def _(case: FamilyCase) -> None:
    space = case.space
    ends = [space.spec(space.smallest(), "smallest"), space.spec(space.largest(), "largest")]
    for spec in (*ends, *case.random_specs):
        demand(spec.family == case.family.name, f"{spec.name} is of '{spec.family}'")
        demand(Spec.from_json(spec.to_json()) == spec, f"{spec.name} is another after JSON")
    demand(ends[0].params <= ends[1].params, "the smallest has more params than the largest")


@PROMISES("a space's candidates and their values are one to one")
def _(case: FamilyCase) -> None:
    space = case.space
    for candidate in (space.smallest(), space.largest()):
        again = space.candidate_of(space.values_of(candidate))
        demand((again == candidate).all(), f"{candidate.tolist()} comes back {again.tolist()}")


@PROMISES("a space's sites have the blocks of its models")
def _(case: FamilyCase) -> None:
    if not case.space.sites():
        return
    for spec in case.random_specs:
        by_site = case.space.blocks_by_site(spec)
        found = sorted(str(block) for blocks in by_site.values() for block in blocks)
        demand(
            found == sorted(map(str, spec.blocks())), f"the sites of {spec.name} have other blocks"
        )


@PROMISES("what is measured of it covers its random models")
def _(case: FamilyCase) -> None:
    slabs = type(case.space).slabs().create()
    demand(slabs.blocks(), "nothing is measured")
    rng = random.Random(0)  # noqa: S311 - reproducible models, not secrets
    for i in range(RANDOM_MODELS):
        spec = slabs.sample(rng, name=f"random-{i}")
        for block in spec.blocks():
            demand(_covered(slabs.slabs, block), f"no slab covers {block} of a random model")


@PROMISES("what is measured of a space has every block that its models have")
def _(case: FamilyCase) -> None:
    measured = case.space.measured()
    for spec in case.random_specs:
        for block in spec.blocks():
            demand(_covered(measured.slabs, block), f"no slab covers {block} of {spec.name}")


def _covered(slabs: Any, block: Block) -> bool:
    """Whether the block lies between the levels of a slab of its op, on every axis."""
    dims = block.as_dict()
    return any(
        slab.op == block.op
        and all(dims[axis] == value for axis, value in slab.frame.items())
        and all(
            dims[axis] in levels
            if axis in block.definition.fixed
            else min(levels) <= dims[axis] <= max(levels)
            for axis, levels in slab.levels.items()
        )
        for slab in slabs
    )


def _input(module: torch.nn.Module, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(seeded_input(shape, input_dtype(module, "fp32")))


def _run(module: torch.nn.Module, shape: tuple[int, ...]) -> torch.Tensor:
    with torch.inference_mode():
        output: torch.Tensor = module(_input(module, shape))
    return output


def _params(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _macs(module: torch.nn.Module, shape: tuple[int, ...]) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(_input(module, shape))
    return int(counter.get_total_flops()) // 2
