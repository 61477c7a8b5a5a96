"""A search space: a family's genes, and the spec that each choice of them builds."""

from __future__ import annotations

import itertools
import random
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from math import prod
from typing import Any, ClassVar, Self

import numpy as np

from ..errors import UserError
from ..models import Block, Spec
from ..models.checks import check_known_fields
from .around_blocks import BlocksSpace
from .candidates import Candidates
from .gene import Gene, Value, choices_of
from .slabs import FamilySlabs

# Choices of one site's genes; what stands there is asked for with each of them, once.
LARGEST_SITE = 200_000
# So many random models beside those of every pair of choices, to find the blocks that occur.
MODELS_TO_LOOK_AT = 300


@dataclass(frozen=True)
class Site:
    """A place in a model: what stands there depends on these genes alone.

    In `SearchSpace.sites(spec)` it goes by this name; a model in which it is absent has none.
    """

    name: str
    genes: tuple[str, ...]


@dataclass(frozen=True)
class SearchSpace(Candidates):
    """Every model of a family that a choice for each gene makes.

    A family says its `family`, the class of spec that it `makes`, its `choices` by gene, and how to
    `build` a spec of values. All else follows: a space of those choices or of a file's, counted,
    sampled, changed and searched; what is to be measured for it; and random models to validate it.
    A gene "depth" is a field of a file, "stage-1.depth" a field of its table "stage-1", and drawn
    again together with the others of "stage-1". What a family knows better, it overrides.

    frame: fields of the spec that are the same for all models.
    """

    family: ClassVar[str]
    makes: ClassVar[type[Spec]]
    choices: ClassVar[Mapping[str, Sequence[Value]]] = {}
    # Fields of the spec that are neither a gene nor the same for all models.
    not_in_frame: ClassVar[tuple[str, ...]] = ()

    frame: tuple[tuple[str, Any], ...] = ()

    # --- what a family says ----------------------------------------------------------------------

    @abstractmethod
    def build(self, values: Mapping[str, Value], name: str) -> Spec:
        """Return the spec of these values, one a gene; UserError where they do not go together."""

    @classmethod
    def known(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return the fields of the spaces that go by a name of their own."""
        return {cls.family: {}}

    @classmethod
    def slabs(cls) -> type[FamilySlabs]:
        """Return what is measured of the family where no space is given."""
        from .gene_slabs import slabs_of

        return slabs_of(cls)

    def sites(self) -> list[Site]:
        """Return every place of the space's models, in the order they run.

        [] where they are not distinguished: then a search asks for the cost of whole models.
        """
        return []

    def blocks_by_site(self, spec: Spec) -> dict[str, list[Block]]:
        """Return the blocks of a model of the space, by site; together they are all its blocks."""
        return {}

    # --- spaces from fields, and back ------------------------------------------------------------

    @classmethod
    def frame_fields(cls) -> dict[str, Any]:
        """Return the fields that are the same for all models, and their defaults."""
        genes = {"name", *cls.not_in_frame, *cls.choices}
        return {
            field.name: field.default
            for field in fields(cls.makes)
            if field.default is not MISSING and field.name not in genes
        }

    @classmethod
    def framed(cls, record: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
        """Return those of a file's fields that are the same for all models."""
        return tuple(
            (field, tuple(value) if isinstance(value := record[field], list) else value)
            for field in cls.frame_fields()
            if field in record
        )

    @classmethod
    def from_fields(cls, name: str, record: Mapping[str, Any]) -> Self:
        """Return the space of a file's fields; raises UserError naming the wrong one.

        A gene that is left out has the family's own choices.
        """
        tables: dict[str, list[str]] = {}
        for gene in cls.choices:
            block, _, choice = gene.rpartition(".")
            tables.setdefault(block, []).append(choice)
        known = [*tables.pop("", []), *tables, *cls.frame_fields()]
        check_known_fields(record, known)
        for block, names in tables.items():
            if not isinstance(record.get(block, {}), Mapping):
                raise UserError(f"{block}: {record[block]!r:.60} must be a table of choices.")
            check_known_fields(record.get(block, {}), names)
        genes = []
        for gene, own in cls.choices.items():
            block, _, choice = gene.rpartition(".")
            given = record.get(block, {}) if block else record
            genes.append(
                Gene.of(
                    gene,
                    choices_of(given, choice, list(own)),
                    block or "model",
                    deepens=choice == "depth",
                    fractions=any(isinstance(value, float) for value in own),
                )
            )
        space = cls(name, tuple(genes), frame=cls.framed(record))
        for candidate in (space.smallest(), space.largest()):
            space.spec(candidate)  # refuses what no model of the family has
        return space

    def to_dict(self) -> dict[str, Any]:
        """Return what a space file says, as JSON values."""
        found: dict[str, Any] = {"family": self.family, "name": self.name, **self.frame_as_json()}
        for gene in self.genes:
            block, _, choice = gene.name.rpartition(".")
            table = found.setdefault(block, {}) if block else found
            table[choice] = list(gene.values)
        return found

    def frame_as_json(self) -> dict[str, Any]:
        return {f: list(v) if isinstance(v, tuple) else v for f, v in self.frame}

    # --- models ----------------------------------------------------------------------------------

    def spec(self, candidate: np.ndarray, name: str = "subnet") -> Spec:
        """Return the model of a candidate."""
        return self.build(self.all_values(candidate), name)

    def narrowed(self, name: str, values: Mapping[str, tuple[Value, ...]]) -> Self:
        """Return the space with these values of some of its genes."""
        genes = [replace(gene, values=values.get(gene.name, gene.values)) for gene in self.genes]
        return replace(self, name=name, genes=tuple(genes))

    def part(self, which: int, count: int) -> Self:
        """Return part `which` (from 1) of `count` of the space, from narrow models to wide ones.

        Of each width, and of heads that do not share it out, part k has the values in a window of
        2/(count + 1) of them, that begins at (k - 1)/(count + 1): it overlaps by half with the
        next. Depths and all else are those of the space (as in table 1 of Kong et al. 2025, whose
        three spaces partition one; section 5.2). Raises UserError for a part that has no model, and
        where no width has two values.
        """
        sharing = {by for _, by in self.shared_out}
        values = {
            gene.name: _window(gene.values, which, count)
            for gene in self.genes
            if _says_width(gene.name) and gene.name not in sharing
        }
        if all(len(gene.values) == 1 for gene in self.genes if gene.name in values):
            raise UserError(
                f"the space {self.name} has no parts: there is one value for each width; give more."
            )
        made = self.narrowed(f"{self.name}-{which}-of-{count}", values)
        for candidate in (made.smallest(), made.largest()):
            made.spec(candidate)  # refuses what no model of the family has
        return made

    def random_spec(self, rng: random.Random, name: str) -> Spec:
        """Return the model of a `random_candidate`."""
        return self.spec(self.random_candidate(rng), name)

    def random_candidate(self, rng: random.Random) -> np.ndarray:
        """Return a random candidate that leans, by a random degree, to the smallest or the largest.

        Plain samples of many genes have all nearly the same averages: a line fitted on them says
        little of what a search finds at the ends, and any predictor would look good on them.
        """
        numbers = np.random.default_rng(rng.getrandbits(64))
        end = self.largest() if numbers.random() < 0.5 else self.smallest()
        degree = numbers.random()
        drawn = self._drawn(numbers, 1)

        def lean(parents: np.ndarray) -> np.ndarray:
            return np.where(numbers.random(parents.shape) < degree, end, parents)

        (made,) = self._until_allowed(drawn, lean, self.canonical(drawn))
        return made

    def supernet_spec(self) -> Spec:
        """Return the model with the most of everything, which holds every other."""
        return self.spec(self.sizes - 1, f"{self.name}-supernet")

    # --- what is measured for it -----------------------------------------------------------------

    def measured(self) -> BlocksSpace:
        """Return the grids whose table covers every model of the space."""
        return BlocksSpace.around(self.blocks(), self.random_spec, self.slabs().whole_models)

    def blocks(self) -> list[Block]:
        """Return every block that a model may have, each once, in the order they run.

        Where sites are not distinguished these are the blocks of a model for every two choices, the
        rest at either end, and of random ones: every value of every dim occurs that a gene or two
        decide.
        """
        sites = self.sites()
        if sites:
            parts: Iterator[list[Block]] = itertools.chain.from_iterable(
                self.blocks_of_site(site) for site in sites
            )
        else:
            parts = (self.spec(row).blocks() for row in self._looked_at())
        return list(dict.fromkeys(block for part in parts for block in part))

    def blocks_of_site(self, site: Site) -> list[list[Block]]:
        """Return the site's blocks for every choice of its genes; [] for choices no model has.

        The other genes have the most of everything, so that the site is there. Raises UserError
        where the site has too many choices.
        """
        positions = [self.index[name] for name in site.genes]
        sizes = [int(self.sizes[position]) for position in positions]
        if prod(sizes) > LARGEST_SITE:
            raise UserError(
                f"{site.name} of the space {self.name} has {prod(sizes)} choices, more than "
                f"{LARGEST_SITE}; give fewer values for {', '.join(site.genes)}."
            )
        found: list[list[Block]] = []
        for choices in np.ndindex(*sizes):
            candidate = (self.sizes - 1).copy()
            candidate[positions] = choices
            for (width, by), divides in self.divisions.items():
                if by not in positions and not divides[candidate[width], candidate[by]]:
                    candidate[by] = int(np.argmax(divides[candidate[width]]))
                if width not in positions and not divides[candidate[width], candidate[by]]:
                    candidate[width] = int(np.argmax(divides[:, candidate[by]]))
            if not all(d[candidate[w], candidate[by]] for (w, by), d in self.divisions.items()):
                found.append([])  # no candidate has such heads
                continue
            found.append(self.blocks_by_site(self.spec(candidate)).get(site.name, []))
        return found

    def _looked_at(self) -> np.ndarray:
        """Return candidates in which every two choices that go together occur."""
        rows = [*self.sample(np.random.default_rng(0), MODELS_TO_LOOK_AT)]
        for end in (self.largest(), self.smallest()):
            for one, other in itertools.combinations(range(len(self.genes)), 2):
                for choices in np.ndindex(int(self.sizes[one]), int(self.sizes[other])):
                    row = end.copy()
                    row[[one, other]] = choices
                    rows.append(row)
        found = np.unique(self.canonical(np.array(rows, dtype=np.int16)), axis=0)
        return found[self.allowed(found)]


def _says_width(gene: str) -> bool:
    return gene.rpartition(".")[2] in ("embed", "width", "channels", "heads", "hidden")


def _window(values: tuple[Value, ...], which: int, count: int) -> tuple[Value, ...]:
    """Return the values of one of `count` windows; value i of n stands for (i/n, (i + 1)/n)."""
    start, stop = (which - 1) / (count + 1), (which + 1) / (count + 1)
    ends = [(index / len(values), (index + 1) / len(values)) for index in range(len(values))]
    kept = [min(high, stop) - max(low, start) for low, high in ends]
    return tuple(value for value, inside in zip(values, kept, strict=True) if inside > 1e-9)
