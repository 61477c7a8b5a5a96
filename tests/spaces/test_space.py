"""Search spaces as data, against every model of small ones written out."""

from __future__ import annotations

import itertools
import random
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from vitprof.errors import UserError
from vitprof.models import AutoViTSpec, EfficientViTSpec, Spec
from vitprof.models.families.swin.spec import SwinSpec
from vitprof.spaces.registry import find_search_space, search_space_from_dict, search_space_names
from vitprof.spaces.space import SearchSpace

from .small_spaces import SMALL, every

NAMED = {name: find_search_space(name) for name in search_space_names()}
SMALL_SPACES = {
    family: search_space_from_dict({"name": "small", **fields}, "the test")
    for family, fields in SMALL.items()
}
SPACES = st.sampled_from([*SMALL_SPACES.values(), *NAMED.values()])
SEEDS = st.integers(0, 2**32 - 1)


def widths_of(spec: Spec) -> list[int]:
    if isinstance(spec, AutoViTSpec):
        stages = [*(s.width for s in spec.mbconvs), *(s.embed for s in spec.transformers)]
        return [spec.stem_width, *stages]
    staged = isinstance(spec, EfficientViTSpec | SwinSpec)
    return [stage.embed for stage in spec.stages] if staged else []  # type: ignore[attr-defined]


def all_models(space: SearchSpace) -> set[Spec]:
    """Return every model that all combinations of choices make and the rules allow."""
    found = set()
    for values in itertools.product(*(gene.values for gene in space.genes)):
        named = dict(zip((gene.name for gene in space.genes), values, strict=True))
        if space.family == "efficientvit" and any(
            named[f"stage-{n}.embed"] % named[f"stage-{n}.heads"] for n in (1, 2)
        ):
            continue
        spec = space.build(named, "subnet")
        if widths_of(spec) == sorted(widths_of(spec)):
            found.add(spec)
    return found


def test_it_counts_and_enumerates_every_model_once(small: SearchSpace) -> None:
    expected = all_models(small)
    specs = [small.spec(row) for row in every(small)]
    assert small.count() == len(expected) == len(specs)
    assert set(specs) == expected


def test_it_enumerates_in_portions(small: SearchSpace) -> None:
    portions = list(small.enumerate(at_a_time=7))
    assert max(map(len, portions)) <= 7
    assert np.array_equal(np.concatenate(portions), every(small))


def test_samples_are_models_of_the_space_and_leave_none_out(small: SearchSpace) -> None:
    drawn = small.sample(np.random.default_rng(0), 100 * small.count())
    assert np.array_equal(np.unique(drawn, axis=0), np.unique(every(small), axis=0))


@pytest.mark.parametrize("stages", [1, 2])
def test_every_row_of_widths_is_as_likely(small_autovit: SearchSpace, stages: int) -> None:
    """Also of the models that have fewer stages, whose rows are shorter."""
    rows = small_autovit.index
    row = [rows[name] for name in small_autovit.never_shrink][: 2 + stages]

    def of_stages(population: np.ndarray) -> np.ndarray:
        chosen = population[:, rows["stages"]] == stages - 1
        return population[chosen][:, row]

    expected = np.unique(of_stages(every(small_autovit)), axis=0)
    drawn = of_stages(small_autovit.sample(np.random.default_rng(stages), 40_000))
    found, counts = np.unique(drawn, axis=0, return_counts=True)
    assert np.array_equal(found, expected)
    assert len(expected) > 8
    assert chisquare(counts).pvalue > 1e-3


def test_every_pair_of_width_and_heads_is_as_likely() -> None:
    space = SMALL_SPACES["efficientvit"]
    names = [f"stage-{n}.{field}" for n in (1, 2) for field in ("embed", "heads")]
    positions = [space.index[name] for name in names]
    drawn = space.sample(np.random.default_rng(5), 40_000)[:, positions]
    found, counts = np.unique(drawn, axis=0, return_counts=True)
    assert np.array_equal(found, np.unique(every(space)[:, positions], axis=0))
    assert chisquare(counts).pvalue > 1e-3


@given(st.sampled_from(list(NAMED.values())), SEEDS)
def test_widths_never_shrink_and_heads_divide(space: SearchSpace, seed: int) -> None:
    drawn = space.sample(np.random.default_rng(seed), 20)
    assert space.allowed(drawn).all()
    for row in drawn:
        spec = space.spec(row)
        assert widths_of(spec) == sorted(widths_of(spec))
        if isinstance(spec, EfficientViTSpec):
            assert all(stage.embed % stage.heads == 0 for stage in spec.stages)


@given(SPACES, SEEDS)
def test_the_sites_blocks_are_the_models(space: SearchSpace, seed: int) -> None:
    spec = space.random_spec(random.Random(seed), "one")
    by_site = space.blocks_by_site(spec)
    names = [site.name for site in space.sites()]
    assert len(set(names)) == len(names)
    in_order = [block for name in names for block in by_site.pop(name, [])]
    assert not by_site
    assert in_order == spec.blocks()
    assert spec.name == "one"


@pytest.mark.parametrize("name", ["autoformer-base", "autovit-xxs"])
def test_random_models_spread_over_the_space(name: str) -> None:
    space = NAMED[name]
    rng = random.Random(0)
    spread = [space.random_spec(rng, "one").macs for _ in range(150)]
    plain = [space.spec(row).macs for row in space.sample(np.random.default_rng(0), 150)]
    ends = [space.spec(row).macs for row in (space.smallest(), space.largest())]
    assert np.std(spread) > 1.4 * np.std(plain)
    assert min(spread) < ends[0] + 0.1 * (ends[1] - ends[0])
    assert max(spread) > ends[1] - 0.1 * (ends[1] - ends[0])


@given(SPACES, SEEDS)
def test_values_lead_back_to_their_candidate(space: SearchSpace, seed: int) -> None:
    (row,) = space.sample(np.random.default_rng(seed), 1)
    values = space.values_of(row)
    assert np.array_equal(space.candidate_of(values), row)
    for name, value in values.items():
        assert value in space.genes[space.index[name]].values


def test_values_of_no_model_are_refused(refused, small_autovit: SearchSpace) -> None:
    values = small_autovit.values_of(small_autovit.largest())
    with refused("stem.width=9", "not a choice"):
        small_autovit.candidate_of({**values, "stem.width": 9})
    with refused("colour=1", "not a choice"):
        small_autovit.candidate_of({**values, "colour": 1})
    with refused("transformer-2.width", "no meaning"):
        small_autovit.candidate_of({**values, "stages": 1})
    with refused("pool.width", "missing"):
        small_autovit.candidate_of({k: v for k, v in values.items() if k != "pool.width"})
    with refused("breaks the rule"):
        small_autovit.candidate_of({**values, "transformer-1.width": 32})


# --- the ends ------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["vit", "autovit", "swin", "bert", "vgg"])
def test_the_ends_are_those_of_all_models(family: str) -> None:
    space = SMALL_SPACES[family]
    specs = [space.spec(row) for row in every(space)]
    smallest, largest = space.spec(space.smallest()), space.spec(space.largest())
    for count in ("macs", "params"):
        counts = [getattr(spec, count) for spec in specs]
        assert getattr(smallest, count) == min(counts)
        assert getattr(largest, count) == max(counts)


def test_the_ends_are_of_the_space(small: SearchSpace) -> None:
    rows = {row.tobytes() for row in every(small)}
    assert small.smallest().tobytes() in rows
    assert small.largest().tobytes() in rows


@pytest.mark.parametrize("name", ["autovit-xxs", "autovit-s", "autoformer-base"])
def test_the_supernet_has_the_most_of_everything(name: str) -> None:
    space = NAMED[name]
    values = space.values_of(space.sizes - 1)
    assert all(values[gene.name] == gene.values[-1] for gene in space.genes)
    assert space.supernet_spec() == space.build(values, f"{name}-supernet")


# --- changing candidates -------------------------------------------------------------------------


@given(SPACES, SEEDS, st.floats(0, 1), st.floats(0, 1))
def test_mutants_stay_in_the_space(space: SearchSpace, seed: int, deep: float, wide: float) -> None:
    rng = np.random.default_rng(seed)
    parents = space.sample(rng, 30)
    before = parents.copy()
    made = space.mutated(parents, rng, deep, wide)
    assert np.array_equal(parents, before)
    assert made.shape == parents.shape
    assert space.allowed(made).all()
    assert np.array_equal(space.canonical(made), made)


@given(SPACES, SEEDS)
def test_without_chance_nothing_mutates(space: SearchSpace, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parents = space.sample(rng, 30)
    assert np.array_equal(space.mutated(parents, rng, 0.0, 0.0), parents)


@given(SPACES, SEEDS)
def test_a_mutant_in_depth_keeps_what_it_had(space: SearchSpace, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parents = space.sample(rng, 30)
    made = space.mutated(parents, rng, 1.0, 0.0)
    both = space.used(parents) & space.used(made)
    deepens = np.array([gene.deepens for gene in space.genes])
    same = (made == parents) | ~both | deepens
    assert same.all()


def test_mutation_reaches_every_model(small: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    population = np.tile(small.smallest(), (20 * small.count(), 1))
    for _ in range(3):
        population = small.mutated(population, rng, 0.5, 0.5)
    assert len(np.unique(population, axis=0)) == small.count()


@given(SPACES, SEEDS)
def test_children_have_only_their_parents_genes(space: SearchSpace, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = space.sample(rng, 30), space.sample(rng, 30)
    children = space.crossed(first, second, rng)
    assert space.allowed(children).all()
    assert np.array_equal(space.canonical(children), children)
    used = space.used(children)
    of_first = (children == first) & space.used(first)
    of_second = (children == second) & space.used(second)
    assert (of_first | of_second | ~used).all()


def test_children_mix_both_parents() -> None:
    space = NAMED["autoformer-tiny"]
    rng = np.random.default_rng(0)
    first, second = np.tile(space.smallest(), (50, 1)), np.tile(space.largest(), (50, 1))
    children = space.crossed(first, second, rng)
    of_second = (children == space.sizes - 1) & (space.sizes > 1)
    assert 0.3 < of_second.sum() / ((space.sizes > 1).sum() * 50) < 0.7


# --- the papers' spaces --------------------------------------------------------------------------


def test_supernet_xxs_has_the_papers_choices() -> None:
    """Kong et al. 2025, table 1."""
    space = NAMED["autovit-xxs"]
    values = {gene.name: gene.values for gene in space.genes}
    assert values["stem.width"] == (16, 24)
    assert [values[f"mbconv-{n}.width"] for n in (1, 2, 3)] == [(16, 24), (24, 32), (32, 48)]
    assert [values[f"mbconv-{n}.depth"] for n in (1, 2, 3)] == [(1, 2), (2, 3), (2, 3)]
    assert [values[f"transformer-{n}.width"] for n in (1, 2, 3, 4)] == [
        (48, 64),
        (64, 80),
        (80, 96),
        (96, 112),
    ]
    for n in (1, 2, 3, 4):
        assert values[f"transformer-{n}.depth"] == (2, 3, 4, 5)
        assert values[f"transformer-{n}.heads"] == (2, 3, 4)
        assert values[f"transformer-{n}.ratio"] == (1.5, 2.0)
    assert values["stages"] == (3, 4)
    assert values["pool.width"] == (1000, 1280)


@pytest.mark.parametrize(
    ("name", "heads", "last"),
    [("xxs", (2, 3, 4), (96, 112)), ("xs", (4, 5, 6), (112, 128)), ("s", (7, 8, 9), (160, 192))],
)
def test_the_three_supernets_differ_as_in_table_1(name: str, heads, last) -> None:
    space = NAMED[f"autovit-{name}"]
    values = {gene.name: gene.values for gene in space.genes}
    assert values["transformer-1.heads"] == values["transformer-4.heads"] == heads
    assert values["transformer-4.width"] == last
    free = search_space_from_dict({**space.to_dict(), "widths_never_shrink": False}, "the test")
    stages = [4 * 3 * 2 * 2] * 4  # depths, heads, ratios, widths of a transformer stage
    mbconvs = (2 * 2) ** 3
    assert free.count() == 2 * 2 * mbconvs * (prod(stages[:3]) + prod(stages))
    # Of XXS alone two neighbours may shrink: a stem of 24 before an MBConv of 16.
    assert space.count() == (free.count() * 3 // 4 if name == "xxs" else free.count())


@pytest.mark.parametrize(
    ("name", "embeds", "depths", "each_layer"),
    [
        ("tiny", 3, (12, 13, 14), 2 * 2),
        ("small", 3, (12, 13, 14), 3 * 3),
        ("base", 3, (14, 15, 16), 3 * 3),
    ],
)
def test_autoformers_spaces_are_as_large_as_table_1_makes_them(
    name: str, embeds: int, depths, each_layer: int
) -> None:
    """Chen et al. 2021, table 1: heads and MLP ratio of every layer are chosen by themselves."""
    expected = embeds * sum(each_layer**depth for depth in depths)
    assert NAMED[f"autoformer-{name}"].count() == expected


# --- what a space cannot be ----------------------------------------------------------------------


def test_widths_that_must_shrink_leave_no_model(refused) -> None:
    fields = {**SMALL["autovit"], "stem_width": [64]}
    with refused("no model", "shrink"):
        search_space_from_dict(fields, "the test")
    free = search_space_from_dict({**fields, "widths_never_shrink": False}, "the test")
    assert free.count() > 0
    assert not free.never_shrink


def test_a_width_that_no_heads_divide_is_never_chosen() -> None:
    fields = {**SMALL["efficientvit"]}
    fields["stage"] = [
        {"embed": [16, 40], "depth": 1, "heads": 3},
        {"embed": [48], "depth": 1, "heads": 4},
    ]
    with pytest.raises(UserError):  # no width of the first stage has 3 heads
        search_space_from_dict(fields, "the test")
    fields["stage"][0] = {"embed": [16, 24, 40], "depth": 1, "heads": 3}
    space = search_space_from_dict(fields, "the test")
    assert {space.spec(row).stages[0].embed for row in every(space)} == {24}  # type: ignore[attr-defined]
    assert np.array_equal(
        np.unique(space.sample(np.random.default_rng(0), 50), axis=0),
        np.unique(every(space), axis=0),
    )
