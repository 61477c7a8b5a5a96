"""Targets in words, and what is within reach."""

from __future__ import annotations

import pytest
from vitprof.compress.budget import Budget
from vitprof.compress.groups import Groups
from vitprof.compress.targets import amount, check_reachable, floors_of, parse_targets
from vitprof.errors import UserError

from .conftest import SWIN, VIT


def test_shares_and_units() -> None:
    targets = parse_targets("4ms, 0.54x,0.002s", 10.0)
    assert [(t.text, t.cost) for t in targets] == [
        ("0.54x", pytest.approx(5.4)),
        ("4ms", 4.0),
        ("0.002s", 2.0),
    ]
    assert parse_targets("300M", 1e9, "macs")[0].cost == 3e8
    assert parse_targets("1.5M,200k", 2e6, "params")[1].cost == 2e5


def test_amounts_in_words() -> None:
    assert amount(12.3456, "latency") == "12.35 ms"
    assert amount(1.26e9, "macs") == "1.26 G MACs"
    assert amount(2_690_000, "params") == "2.69 M parameters"


def test_floors_are_groups_and_inside_the_table(linear_table) -> None:
    groups = Groups({"embed": 8, "heads": 1, "qk": 1, "v": 16, "mlp": 16})
    floors = floors_of(VIT, linear_table, groups)
    # The table goes down to 16 of embed and 8 of qk and v; a group of v is more.
    assert floors["embed"] == 16
    assert floors["layers.0.qk"] == 8
    assert floors["layers.0.v"] == 16
    assert floors["layers.2.mlp"] == 16
    assert floors["layers.1.heads"] == 1
    smallest = linear_table.predict_many([VIT])[0]
    check_reachable(VIT, parse_targets("0.5x", smallest), Budget(linear_table), floors)
    with pytest.raises(UserError, match="out of reach"):
        check_reachable(VIT, parse_targets("0.01x", smallest), Budget(linear_table), floors)


def test_a_table_of_something_else_is_refused(linear_table) -> None:
    with pytest.raises(UserError, match="has no"):
        floors_of(SWIN, linear_table, Groups())


def test_groups_in_words() -> None:
    assert Groups.of(None, 12).sizes["heads"] == 2
    assert Groups.of(None, 3).sizes["heads"] == 1
    assert Groups.of("heads=2, mlp=32", 3).sizes == {
        "embed": 16,
        "heads": 2,
        "qk": 8,
        "v": 8,
        "mlp": 32,
        "channels": 16,
    }


@pytest.mark.parametrize(
    ("units", "size", "goes"),
    [
        (192, 16, 16),
        (65, 16, 1),
        (16, 16, 0),
        (12, 16, 0),
        (17, 16, 1),
        (3, 1, 1),
        (1, 1, 0),
    ],
)
def test_what_goes_next_ends_on_multiples(units, size, goes) -> None:
    groups = Groups({"embed": size, "heads": 1, "qk": 8, "v": 8, "mlp": 16})
    assert groups.next_group("embed", units) == goes
    assert groups.next_group("embed", units, floor=units) == 0
