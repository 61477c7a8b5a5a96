"""A setting names itself, and where two differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from vitprof.tables import Setting
from vitprof.tables.setting import SETTING_COLUMNS


def test_a_setting_survives_its_dict(setting: Setting) -> None:
    assert tuple(setting.as_dict()) == SETTING_COLUMNS
    assert Setting.from_dict(setting.as_dict(), "here") == setting
    assert Setting.from_dict(setting.as_dict() | {"batch": "8"}, "here").batch == 8


@pytest.mark.parametrize("name", SETTING_COLUMNS)
def test_a_missing_part_is_named(
    name: str, setting: Setting, refused: Callable[..., object]
) -> None:
    values = {key: value for key, value in setting.as_dict().items() if key != name}
    with refused("lut.csv, line 2", name):
        Setting.from_dict(values, "lut.csv, line 2")


def test_the_difference_names_every_part_that_differs(setting: Setting) -> None:
    assert setting.difference(replace(setting)) == ""
    other = replace(setting, provider="", threads=4)
    assert setting.difference(other) == (
        "provider CPUExecutionProvider against -, threads 1 against 4"
    )
