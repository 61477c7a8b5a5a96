"""What candidates cost, against each model's own counts and the table's own prediction."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from vitprof.models import Block
from vitprof.search.costs import CostModel
from vitprof.spaces.registry import find_search_space, search_space_from_dict, search_space_names
from vitprof.spaces.space import SearchSpace
from vitprof.tables import LatencyTable

from ..spaces.small_spaces import SMALL, every, table_of


def drawn(space: SearchSpace, count: int, seed: int = 0) -> np.ndarray:
    ends = [space.smallest(), space.largest()]
    return np.concatenate([ends, space.sample(np.random.default_rng(seed), count)])


@pytest.mark.parametrize("name", search_space_names())
@pytest.mark.few("autovit-s", "swin", "bert", "vgg", "autoformer-*")
def test_candidates_cost_what_their_specs_do(name: str) -> None:
    space = find_search_space(name)
    tables = [table_of(space), table_of(space, seed=1, models=4)]
    assert not tables[0].calibrations
    assert tables[1].offset_ms(space.family) != 0
    population = drawn(space, 40)
    costs = CostModel(space, tables).of(population)
    specs = [space.spec(row) for row in population]
    assert costs.params.tolist() == [spec.params for spec in specs]
    assert costs.macs.tolist() == [spec.macs for spec in specs]
    predicted = [[table.predict(spec).ms for table in tables] for spec in specs]
    assert costs.latency_ms == pytest.approx(np.array(predicted), rel=0, abs=1e-9)
    assert len(costs) == len(population)
    assert costs[3:5].macs.tolist() == costs.macs.tolist()[3:5]


def test_so_does_every_model_of_a_small_space(small: SearchSpace) -> None:
    """Also where stages are absent, and where not all heads divide a width."""
    table = table_of(small, models=5)
    population = every(small)
    costs = CostModel(small, [table]).of(population)
    specs = [small.spec(row) for row in population]
    assert costs.params.tolist() == [spec.params for spec in specs]
    assert costs.macs.tolist() == [spec.macs for spec in specs]
    predicted = [table.predict(spec).ms for spec in specs]
    assert costs.latency_ms[:, 0] == pytest.approx(predicted, rel=0, abs=1e-9)


def test_without_a_table_there_are_no_milliseconds(small: SearchSpace) -> None:
    costs = CostModel(small).of(drawn(small, 5))
    assert costs.latency_ms.shape == (7, 0)
    assert (costs.macs > 0).all()


def test_its_blocks_are_those_of_all_models(small: SearchSpace) -> None:
    blocks = small.blocks()
    assert len(set(blocks)) == len(blocks)
    assert {b for row in every(small) for b in small.spec(row).blocks()} <= set(blocks)


def without(table: LatencyTable, keep) -> LatencyTable:
    return table.with_rows([row for row in table.block_rows if keep(row.subject)])


def test_a_table_that_does_not_cover_the_space_is_one_sentence(refused, small_autovit) -> None:
    table = table_of(small_autovit)

    def narrow(block: Block) -> bool:
        return block.op != "mobilevit" or block["embed"] != 32

    with refused(
        "search space small is not covered",
        "embed=32",
        "mobilevit",
        "from 16 to 24",
        "measure `space` small",
    ) as _:
        CostModel(small_autovit, [table, without(table, narrow)])
    with refused("not covered", "expansion"):
        CostModel(
            small_autovit, [without(table, lambda b: b.op != "mbconv" or b["expansion"] == 1)]
        )
    with refused("not covered", "mbpool"):
        CostModel(small_autovit, [without(table, lambda b: b.op != "mbpool")])


def test_no_guess_is_offered_for_a_search(small_autovit: SearchSpace) -> None:
    table = table_of(small_autovit)
    with pytest.raises(Exception, match="not covered") as error:
        CostModel(small_autovit, [without(table, lambda b: b.op != "conv" or b["stride"] == 9)])
    assert "extrapolate" not in str(error.value)
    assert "--partial" not in str(error.value)


def test_a_site_of_too_many_choices_is_refused(refused) -> None:
    fields = {**SMALL["vit"], "heads": list(range(1, 501)), "qk": list(range(1, 501))}
    with refused("layer-1", "more than 200000", "heads"):
        CostModel(search_space_from_dict(fields, "the test"))


def test_two_hundred_thousand_candidates_take_little_memory() -> None:
    space = find_search_space("autovit-xxs")
    model = CostModel(space, [table_of(space)])
    population = space.sample(np.random.default_rng(0), 200_000)
    model.of(population[:10])
    tracemalloc.start()
    costs = model.of(population)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(costs) == 200_000
    # Some columns of floats; never a matrix of candidates by blocks, nor a Python object each.
    assert peak < 200_000 * 8 * 16


@pytest.mark.few("swin", "vit", "bert", "vgg")
def test_memory_is_that_of_the_worst_block_and_all_weights(small: SearchSpace) -> None:
    peak_memory = pytest.importorskip("vitprof.models.peak_memory")
    population = every(small)
    for batch in (1, 3):
        found = CostModel(small, batch=batch).peak_bytes(population)
        expected = [
            4 * spec.params + max(peak_memory.activation_bytes(b, batch) for b in spec.blocks())
            for spec in map(small.spec, population)
        ]
        assert found.tolist() == expected
