"""A space of ViTs whose tokens are merged: how many are left is a gene."""

from __future__ import annotations

import numpy as np
import pytest
from vitprof.search.costs import CostModel
from vitprof.spaces.registry import search_space_from_dict

from .small_spaces import table_of

MERGING = {
    "family": "vit",
    "resolution": 16,
    "patch": 4,
    "classes": 3,
    "embed": [8, 16],
    "depth": [2, 4],
    "heads": [1, 2],
    "qk": 4,
    "mlp": [8, 16],
    "kept": [0.5, 0.75, 1],
}


def test_a_space_with_merged_tokens_by_hand() -> None:
    """16 patches and 4 layers: half of the tokens are 2 a layer, a quarter is 1."""
    space = search_space_from_dict(MERGING, "the test")
    assert search_space_from_dict(space.to_dict(), "the test") == space
    one = dict.fromkeys(["layer-1", "layer-2"], 1)
    values = {"embed": 8, "depth": 2, **{f"{n}.heads": 1 for n in one}}
    values |= {f"{n}.{f}": w for n in one for f, w in (("qk", 4), ("v", 4), ("mlp", 8))}
    for kept, merged in ((0.5, 2), (0.75, 1), (1, 0)):
        spec = space.spec(space.candidate_of({**values, "kept": kept}))
        assert spec.merges == (merged, merged)
    assert space.supernet_spec().merges == (0, 0, 0, 0)
    assert space.spec(space.shrunk()).merges == (2, 2, 2, 2)
    assert space.count() == 3 * 2 * (4**2 + 4**4)


def test_sites_of_merged_tokens_hold_all_blocks() -> None:
    space = search_space_from_dict(MERGING, "the test")
    genes = {site.name: site.genes for site in space.sites()}
    assert "kept" in genes["layer-1"]
    assert genes["classifier"] == ("embed", "depth", "kept")
    of_site = {site.name: space.blocks_of_site(site) for site in space.sites()}
    for candidate in space.sample(np.random.default_rng(0), 20):
        spec = space.spec(candidate)
        found = space.blocks_by_site(spec)
        assert [block for blocks in found.values() for block in blocks] == spec.blocks()
        for name, blocks in found.items():
            assert blocks in of_site[name]


def test_costs_of_merged_tokens_are_the_tables() -> None:
    space = search_space_from_dict(MERGING, "the test")
    table = table_of(space, models=4)
    drawn = space.sample(np.random.default_rng(1), 20)
    found = CostModel(space, [table]).of(drawn)
    specs = [space.spec(candidate) for candidate in drawn]
    expected = [table.predict(spec).ms for spec in specs]
    np.testing.assert_allclose(found.latency_ms[:, 0], expected)
    assert list(found.macs) == [spec.macs for spec in specs]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"kept": [0.5, 1.5]}, "at most 1"),
        ({"kept": [0.9, 1]}, "less than a token"),
        ({"kept": 0.05, "depth": 2}, "more than half"),  # 7 of 16, then 7 of 9
        ({"kept": "half"}, "must be a list"),
    ],
)
def test_wrong_shares_of_tokens_are_refused(refused, changed, words) -> None:
    with refused(words):
        search_space_from_dict({**MERGING, **changed}, "the test")
