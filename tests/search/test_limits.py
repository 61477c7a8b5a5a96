"""Limits as they are written, what keeps them, and the nearest where nothing does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pytest
from vitprof.errors import UserError
from vitprof.search.costs import CostModel
from vitprof.search.feasible import feasible, nearest
from vitprof.search.limit import Limit
from vitprof.search.limits import Limits
from vitprof.spaces.space import SearchSpace

from ..spaces.small_spaces import every, table_of


@pytest.mark.parametrize(
    ("unit", "text", "most"),
    [
        ("ms", "10ms", 10),
        ("ms", "0.5s", 500),
        ("ms", " 250 us ", 0.25),
        ("ms", ".5ms", 0.5),
        ("params", "1.8M", 1.8e6),
        ("params", "900k", 9e5),
        ("params", "1200", 1200),
        ("macs", "300M", 3e8),
        ("macs", "1.2G", 1.2e9),
        ("bytes", "64MiB", 64 * 2**20),
        ("bytes", "64MB", 64e6),
        ("bytes", "1.5GiB", 1.5 * 2**30),
    ],
)
def test_units(unit: str, text: str, most: float) -> None:
    assert Limit.of(unit, text).most == pytest.approx(most)


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("ms", "10 M"),
        ("ms", "-1ms"),
        ("ms", "0ms"),
        ("ms", ""),
        ("ms", "nanms"),
        ("params", "1.8ms"),
        ("params", "1.8m"),
        ("macs", "1.2.3G"),
        ("bytes", "64M"),
    ],
)
def test_what_is_no_limit_is_refused(refused, unit: str, text: str) -> None:
    with refused(repr(text), "is not a", "write it as"):
        Limit.of(unit, text)


def test_limits_as_they_are_written() -> None:
    found = Limits.of(["5ms", 2], "1.8M", None, "64MiB", tables=2)
    expected = (Limit("ms", 5), Limit("ms", 2, 1), Limit("params", 1.8e6), Limit("bytes", 2**26))
    assert found.each == expected
    assert Limits.of(5).each == (Limit("ms", 5),)
    assert not Limits.of()


def test_a_wrong_limit_is_named(refused) -> None:
    with refused("`max_params`", "'many' is not a number"):
        Limits.of(5, "many")
    with refused("1 `max_latency` for 2 `tables`"):
        Limits.of("5ms", tables=2)


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


@dataclass(frozen=True)
class Limited:
    """A space under limits, by its cost model."""

    costs: CostModel
    limits: Limits

    def kept(self, population: np.ndarray) -> np.ndarray:
        return self.limits.kept(self.costs, population)

    def excess(self, population: np.ndarray) -> np.ndarray:
        return self.limits.excess(self.costs, population)

    def amounts(self, population: np.ndarray) -> np.ndarray:
        return self.limits.amounts(self.costs, population)

    def feasible(self) -> np.ndarray:
        return feasible(self.costs.space, self.costs, self.limits, np.random.default_rng(0))

    def nearest(self, draws: int) -> np.ndarray:
        rng = np.random.default_rng(1)
        return nearest(self.costs.space, self.costs, self.limits, rng, draws)

    def at(self, most: Iterable[float]) -> Limited:
        """Return the same limits with other amounts."""
        pairs = zip(self.limits.each, most, strict=True)
        each = tuple(Limit(one.unit, float(amount), one.table) for one, amount in pairs)
        return Limited(self.costs, Limits(each))


def limits_at(space: SearchSpace, share: float, *units: str) -> Limited:
    """Return limits at these quantiles of what all models cost; ms by two tables."""
    tables = {"ms": 0, "ms too": 1}
    asked = tuple(
        Limit(unit[:2] if unit in tables else unit, 1.0, tables.get(unit, 0)) for unit in units
    )
    costs = CostModel(space, [table_of(space), table_of(space, seed=1)])
    limited = Limited(costs, Limits(asked))
    return limited.at(np.quantile(limited.amounts(every(space)), share, axis=0))


ALL = ("ms", "ms too", "params", "macs")


def test_every_limit_is_kept(small: SearchSpace) -> None:
    limited = limits_at(small, 0.6, *ALL)
    population = every(small)
    kept = limited.kept(population)
    assert 0 < kept.sum() < len(population)
    for row, fine in zip(population, kept, strict=True):
        spec = small.spec(row)
        costs = [
            *(table.predict(spec).ms for table in limited.costs.tables),
            spec.params,
            spec.macs,
        ]
        pairs = zip(costs, limited.limits.each, strict=True)
        assert fine == all(cost <= one.most for cost, one in pairs)
    excess = limited.excess(population)
    assert ((excess == 0) == kept).all()


def test_excess_is_of_the_worst_limit(small_autovit: SearchSpace) -> None:
    limited = limits_at(small_autovit, 0.3, "params", "macs")
    (row,) = small_autovit.largest()[None]
    spec = small_autovit.spec(row)
    params, macs = (one.most for one in limited.limits.each)
    expected = max(spec.params / params, spec.macs / macs) - 1
    assert limited.excess(row[None])[0] == pytest.approx(expected)


def test_without_limits_everything_is_kept(small: SearchSpace) -> None:
    limited = Limited(CostModel(small), Limits())
    population = every(small)
    assert limited.kept(population).all()
    assert not limited.excess(population).any()
    assert limited.amounts(population).shape == (len(population), 0)
    assert limited.kept(limited.feasible()[None]).all()


@pytest.mark.parametrize("units", [("ms",), ("params", "macs"), ALL])
def test_one_that_keeps_them_is_found_however_rare(small: SearchSpace, units) -> None:
    """The limits are the costs of the cheapest by one count, which few others keep."""
    loose = limits_at(small, 0.5, *units)
    population = every(small)
    cheapest = population[np.argmin(loose.excess(population) + loose.amounts(population)[:, 0])]
    tight = loose.at(loose.amounts(cheapest[None])[0])
    found = tight.feasible()
    assert tight.kept(found[None])[0]
    assert small.allowed(found[None])[0]


@pytest.mark.parametrize("draws", [30, 20_000])
@pytest.mark.parametrize("units", [("ms",), ("params",), ("ms", "ms too"), ALL])
def test_the_nearest_is_the_nearest_of_all(
    small: SearchSpace, units: tuple[str, ...], draws: int
) -> None:
    """Where all are drawn, and where few are and it is found one gene at a time."""
    least = limits_at(small, 0.0, *units)
    tight = least.at(0.7 * one.most for one in least.limits.each)
    best = tight.excess(every(small)).min()
    assert best > 0
    assert tight.excess(tight.nearest(draws)[None])[0] == pytest.approx(best)


def test_what_cannot_be_kept_is_said_with_by_how_much(small_autovit: SearchSpace) -> None:
    limited = limits_at(small_autovit, 0.0, "params")
    least = limited.limits.each[0].most
    half = Limited(limited.costs, Limits((Limit("params", least / 2), Limit("macs", 1e15))))
    with pytest.raises(UserError) as error:
        half.feasible()
    said = str(error.value)
    assert "no model of the space 'small' keeps the limits" in said
    assert f"{Limit('params', least).in_words()} (100.0% over" in said
    assert re.search(r"MACs \(within 1e\+06 G MACs\)", said)
    assert "\n" not in said
