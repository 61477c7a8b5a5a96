"""Limits as they are written, what keeps them, and the nearest where nothing does."""

from __future__ import annotations

import re

import numpy as np
import pytest
from vitprof.errors import UserError
from vitprof.search.costs import CostModel
from vitprof.search.limits import Limit, Limits
from vitprof.spaces.space import SearchSpace

from ..spaces.small_spaces import every, table_of


@pytest.mark.parametrize(
    ("unit", "text", "most"),
    [
        ("ms", "10ms", 10), ("ms", "0.5s", 500), ("ms", " 250 us ", 0.25), ("ms", ".5ms", 0.5),
        ("params", "1.8M", 1.8e6), ("params", "900k", 9e5), ("params", "1200", 1200),
        ("macs", "300M", 3e8), ("macs", "1.2G", 1.2e9),
        ("bytes", "64MiB", 64 * 2**20), ("bytes", "64MB", 64e6), ("bytes", "1.5GiB", 1.5 * 2**30),
    ],
)  # fmt: skip
def test_units(unit: str, text: str, most: float) -> None:
    assert Limit.of(unit, text).most == pytest.approx(most)


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("ms", "10"), ("ms", "10 M"), ("ms", "-1ms"), ("ms", "0ms"), ("ms", ""), ("ms", "ms"),
        ("ms", "1e3ms"), ("ms", "nanms"), ("ms", "1ms2"), ("params", "1.8ms"), ("params", "1.8m"),
        ("macs", "1.2.3G"), ("bytes", "64"), ("bytes", "64M"),
    ],
)  # fmt: skip
def test_what_is_no_limit_is_refused(refused, unit: str, text: str) -> None:
    with refused(repr(text), "is no limit", "write it as"):
        Limit.of(unit, text)


def test_a_number_too_large_for_a_float_is_refused(refused) -> None:
    with refused("is no limit"):
        Limit.of("macs", "9" * 400)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (Limit("ms", 9.8), "9.8 ms"),
        (Limit("params", 1.8e6), "1.8 M parameters"),
        (Limit("params", 900), "900 parameters"),
        (Limit("params", 0), "0 parameters"),
        (Limit("macs", 3e8), "300 M MACs"),
        (Limit("macs", 2e9), "2 G MACs"),
        (Limit("bytes", 2**25), "32 MiB of memory"),
    ],
)
def test_limits_in_words(limit: Limit, words: str) -> None:
    assert limit.in_words() == words


def limits_at(space: SearchSpace, share: float, *units: str) -> Limits:
    """Return limits at these quantiles of what all models cost; ms by two tables."""
    model = CostModel(space, [table_of(space), table_of(space, seed=1)])
    tables = {"ms": 0, "ms too": 1}
    asked = tuple(Limit(unit[:2] if unit in tables else unit, 1.0, tables.get(unit, 0))
                  for unit in units)  # fmt: skip
    costs = Limits(asked, model).costs(every(space))
    most = np.quantile(costs, share, axis=0)
    return Limits(
        tuple(Limit(a.unit, float(m), a.table) for a, m in zip(asked, most, strict=True)), model
    )


ALL = ("ms", "ms too", "params", "macs")


def test_every_limit_is_kept(small: SearchSpace) -> None:
    limits = limits_at(small, 0.6, *ALL)
    population = every(small)
    kept = limits.kept(population)
    assert 0 < kept.sum() < len(population)
    for row, fine in zip(population, kept, strict=True):
        spec = small.spec(row)
        costs = [
            *(table.predict(spec).ms for table in limits.model.tables), spec.params, spec.macs,
        ]  # fmt: skip
        assert fine == all(c <= one.most for c, one in zip(costs, limits.limits, strict=True))
    excess = limits.excess(population)
    assert ((excess == 0) == kept).all()


def test_excess_is_of_the_worst_limit(small_autovit: SearchSpace) -> None:
    limits = limits_at(small_autovit, 0.3, "params", "macs")
    (row,) = small_autovit.largest()[None]
    spec = small_autovit.spec(row)
    params, macs = (one.most for one in limits.limits)
    expected = max(spec.params / params, spec.macs / macs) - 1
    assert limits.excess(row[None])[0] == pytest.approx(expected)


def test_without_limits_everything_is_kept(small: SearchSpace) -> None:
    limits = Limits((), CostModel(small))
    population = every(small)
    assert limits.kept(population).all()
    assert not limits.excess(population).any()
    assert limits.costs(population).shape == (len(population), 0)
    assert limits.kept(limits.check_feasible(np.random.default_rng(0))[None]).all()


@pytest.mark.parametrize("units", [("ms",), ("params", "macs"), ALL])
def test_one_that_keeps_them_is_found_however_rare(small: SearchSpace, units) -> None:
    """The limits are the costs of the cheapest by one count, which few others keep."""
    loose = limits_at(small, 0.5, *units)
    population = every(small)
    cheapest = population[np.argmin(loose.excess(population) + loose.costs(population)[:, 0])]
    costs = loose.costs(cheapest[None])[0]
    exact = tuple(
        Limit(a.unit, float(c), a.table) for a, c in zip(loose.limits, costs, strict=True)
    )
    tight = Limits(exact, loose.model)
    found = tight.check_feasible(np.random.default_rng(0))
    assert tight.kept(found[None])[0]
    assert small.allowed(found[None])[0]


@pytest.mark.parametrize("draws", [30, 20_000])
@pytest.mark.parametrize("units", [("ms",), ("params",), ("ms", "ms too"), ALL])
def test_the_nearest_is_the_nearest_of_all(
    small: SearchSpace, units: tuple[str, ...], draws: int
) -> None:
    """Where all are drawn, and where few are and it is found one gene at a time."""
    limits = limits_at(small, 0.0, *units)
    tight = Limits(
        tuple(Limit(one.unit, 0.7 * one.most, one.table) for one in limits.limits), limits.model
    )
    best = tight.excess(every(small)).min()
    assert best > 0
    found = tight.nearest(np.random.default_rng(1), draws=draws)
    assert tight.excess(found[None])[0] == pytest.approx(best)


def test_what_cannot_be_kept_is_said_with_by_how_much(small_autovit: SearchSpace) -> None:
    limits = limits_at(small_autovit, 0.0, "params")
    least = limits.limits[0].most
    half = Limits((Limit("params", least / 2), Limit("macs", 1e15)), limits.model)
    with pytest.raises(UserError) as error:
        half.check_feasible(np.random.default_rng(0))
    said = str(error.value)
    assert "no model of the space small keeps the limits" in said
    assert f"{Limit('params', least).in_words()} (100.0% over" in said
    assert re.search(r"MACs \(within 1e\+06 G MACs\)", said)
    assert "\n" not in said
