"""Variants of a model: one of its family's choices made otherwise, or several at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import UserError
from .families.registry import families_with, find_of
from .spec import Spec


@dataclass(frozen=True)
class Choice:
    """One thing that can be chosen: its options by name, each a change of a spec.

    `of` returns the name of the option that a spec has, or None where it has another.
    """

    name: str
    options: Mapping[str, Callable[[Spec], Spec]]
    of: Callable[[Spec], str | None]


@dataclass(frozen=True)
class Variant:
    """A spec, and the options by choice that differ from the model it is a variant of."""

    spec: Spec
    changed: Mapping[str, str]

    @property
    def words(self) -> str:
        """The changes as "attention=mhsa, qk=8"; "as it is" without any."""
        return ", ".join(f"{name}={option}" for name, option in self.changed.items()) or "as it is"


def choices_of(spec: Spec) -> tuple[Choice, ...]:
    """Return what can be chosen in the spec's family; raises UserError where nothing can."""
    choices: tuple[Choice, ...] | None = find_of(spec.family, "choices")
    if choices is None:
        raise UserError(
            f"{spec.name} is of the family '{spec.family}', whose variants are not listed; give a "
            f"model of {' or '.join(families_with('choices'))}."
        )
    return choices


def single_variants(spec: Spec) -> Iterator[Variant]:
    """Yield the model itself, then every variant that differs from it in one choice."""
    yield Variant(spec, {})
    for choice in choices_of(spec):
        for option in choice.options:
            if option != choice.of(spec):
                yield from _varied(spec, {choice.name: option})


def all_variants(spec: Spec, options: Mapping[str, Sequence[str]]) -> Iterator[Variant]:
    """Yield the variant of every combination of these options (names by choice)."""
    for combination in itertools.product(*options.values()):
        yield from _varied(spec, dict(zip(options, combination, strict=True)))


def _varied(spec: Spec, wanted: Mapping[str, str]) -> Iterator[Variant]:
    """Yield the spec with these options; nothing where they do not go together."""
    changed = {}
    varied = spec
    try:
        for choice in choices_of(spec):
            option = wanted.get(choice.name)
            if option is not None and option != choice.of(spec):
                varied = choice.options[option](varied)
                changed[choice.name] = option
    except UserError:
        return
    variant = Variant(varied, changed)
    yield replace(variant, spec=replace(varied, name=f"{spec.name}: {variant.words}"))
