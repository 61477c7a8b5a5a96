"""A space in overlapping parts, from narrow models to wide ones (AutoViT, section 5.2)."""

from __future__ import annotations

import itertools

import pytest
from vitprof.spaces.autovit import AUTOVITS
from vitprof.spaces.registry import find_search_space, search_space_from_dict
from vitprof.spaces.space import SearchSpace

NAMES = ("autovit-all", "autovit-s", "efficientvit", "swin", "autoformer-tiny")


def sizes(space: SearchSpace) -> tuple[int, int]:
    return space.spec(space.smallest()).params, space.spec(space.largest()).params


@pytest.mark.parametrize("name", NAMES)
def test_parts_grow_and_overlap(name: str) -> None:
    space = find_search_space(name)
    parts = [sizes(space.part(which, 3)) for which in (1, 2, 3)]
    assert parts[0][0] == sizes(space)[0]
    assert parts[2][1] == sizes(space)[1]
    for (low, high), (next_low, next_high) in itertools.pairwise(parts):
        assert low <= next_low < high <= next_high


@pytest.mark.parametrize("name", NAMES)
def test_a_part_is_a_space_like_any_other(name: str) -> None:
    part = find_search_space(name).part(2, 3)
    assert part.name == f"{name}-2-of-3"
    assert search_space_from_dict(part.to_dict(), "the test") == part


def test_every_value_is_in_a_part_and_depths_in_all() -> None:
    space = find_search_space("swin")
    for count in (1, 2, 3, 5):
        parts = [space.part(which, count) for which in range(1, count + 1)]
        for place, gene in enumerate(space.genes):
            kept = [set(part.genes[place].values) for part in parts]
            assert set.union(*kept) == set(gene.values)
            if not gene.name.endswith(("embed", "heads")):
                assert kept == [set(gene.values)] * count


def test_windows_by_hand() -> None:
    space = search_space_from_dict(
        {
            "family": "vit",
            "embed": [16, 24, 32, 40],
            "depth": [1, 2],
            "heads": 2,
            "mlp_ratio": [1, 2],
        },
        "the test",
    )
    found = [dict(space.part(which, 3).lists)["embed"] for which in (1, 2, 3)]
    assert found == [(16, 24), (24, 32), (32, 40)]
    assert space.part(1, 1).to_dict() == {**space.to_dict(), "name": "custom-1-of-1"}


def test_the_whole_autovit_space_holds_the_papers_three() -> None:
    whole = {gene.name: set(gene.values) for gene in find_search_space("autovit-all").genes}
    for name in AUTOVITS:
        for gene in find_search_space(name).genes:
            assert set(gene.values) <= whole[gene.name]
    assert whole["transformer-1.heads"] == set(range(2, 10))


def test_a_space_of_one_width_has_no_parts(refused) -> None:
    record = {"family": "vit", "embed": 16, "depth": [1, 2], "heads": 2, "mlp_ratio": [1, 2]}
    with refused("no parts", "one value for each width"):
        search_space_from_dict(record, "the test").part(1, 3)
