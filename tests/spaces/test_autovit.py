"""AutoViT's three search spaces and the modules of its latency table, as the paper has them."""

from __future__ import annotations

import pytest
from vitprof.spaces.autovit import latency_table_modules
from vitprof.spaces.registry import find_search_space

# Kong et al. 2025, table 1: a condition on a candidate, not the range of what the choices give.
PARAMS = {"xxs": (1.0e6, 1.8e6), "xs": (1.6e6, 2.6e6), "s": (4.0e6, 7.2e6)}


@pytest.mark.parametrize("name", PARAMS)
def test_search_spaces_are_those_of_table_1(name: str) -> None:
    space = find_search_space(f"autovit-{name}")
    smallest, largest = space.spec(space.smallest()), space.spec(space.largest())
    assert (len(smallest.transformers), len(largest.transformers)) == (3, 4)  # type: ignore[attr-defined]
    low, high = PARAMS[name]
    assert smallest.params < high
    assert largest.params > low
    for gene in space.genes:
        if gene.name.endswith(".width"):
            assert len(gene.values) == 2 and gene.values[0] < gene.values[1]


def test_the_latency_table_has_the_papers_46_modules() -> None:
    modules = latency_table_modules()
    assert len(modules) == len(set(modules)) == 46
    ops = [module.op for module in modules]
    assert [ops.count(op) for op in ("conv", "mbconv", "mobilevit")] == [2, 4, 40]
