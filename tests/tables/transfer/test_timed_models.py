"""Whole models on a made-up phone, from others: multiples, coverage, gaps, anchors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vitprof.errors import UserError
from vitprof.tables.transfer.timed_models import anchors, predict_models
from vitprof.tables.transfer.timings import Timings

FAMILIES = ("vit", "swin", "mit", "levit")


def phones(seed: int, count: int = 7, models: int = 40) -> Timings:
    """Phones whose speeds differ by family and size, and by 2 % for each model."""
    rng = np.random.default_rng(seed)
    names = [f"{FAMILIES[n % 4]}-{n}" for n in range(models)]
    flops = np.exp(rng.uniform(20, 25, models))
    of_family = rng.normal(0, 0.15, (4, count))[np.arange(models) % 4]
    slope = rng.normal(0, 0.05, count) * (np.log(flops)[:, None] - 22)
    level = rng.uniform(-3, 3, count)
    own = rng.normal(0, 0.02, (models, count)) + rng.normal(0, 0.3, (models, 1))
    ms = np.exp(np.log(flops / 1e8)[:, None] + level + of_family + slope + own)
    return Timings(names, [f"p{n}|1|float" for n in range(count)], ms, {"flops": flops}, "p.csv")


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-3, 1e3), count=st.integers(3, 12))
def test_a_multiple_of_the_only_other_phone_is_recovered_exactly(scale: float, count: int) -> None:
    others = phones(1, count=1)
    true = scale * others.ms[:, 0]
    timed = np.where(np.arange(len(true)) < count, true, np.nan)
    found, _ = predict_models(others, timed)
    assert [one.ms for one in found] == pytest.approx(true, rel=1e-6)
    assert [one.transferred for one in found] == [n >= count for n in range(len(true))]


def test_ten_timed_models_tell_the_others_and_intervals_cover() -> None:
    errors, covered, naive = [], [], []
    for seed in range(20):
        every = phones(seed)
        target, others = every.ms[:, 0], every.without([every.settings[0]])
        chosen = anchors(others, 10)
        is_timed = np.isin(others.models, chosen)
        found, _ = predict_models(others, np.where(is_timed, target, np.nan))
        for one, true in zip(found, target, strict=True):
            if one.transferred:
                errors.append(abs(one.ms / true - 1))
                covered.append(one.low_ms <= true <= one.high_ms)
        ratio = np.log(target) - np.log(others.ms).mean(axis=1)
        naive.append(np.abs(np.expm1(ratio[~is_timed] - ratio[is_timed].mean())).mean())
    assert np.mean(errors) < 0.04 < np.mean(naive)
    assert 0.9 <= np.mean(covered) <= 0.99


def test_gaps_of_other_phones_are_filled() -> None:
    every = phones(3)
    holes = every.ms.copy()
    holes[np.random.default_rng(0).random(holes.shape) < 0.1] = np.nan
    target = every.ms[:, 0]
    holed = Timings(every.models, every.settings, holes, every.sizes, every.source)
    others = holed.without([every.settings[0]])
    timed = np.where(np.isin(others.models, anchors(others, 10)), target, np.nan)
    found, _ = predict_models(others, timed)
    assert np.mean([abs(one.ms / ms - 1) for one, ms in zip(found, target, strict=True)]) < 0.06


def test_anchors_begin_alike_and_those_timed_do_not_come_back() -> None:
    others = phones(4)
    ten = anchors(others, 10)
    assert anchors(others, 5) == ten[:5]
    assert anchors(others, 5, timed=ten[:5]) == ten[5:]


def test_what_cannot_be() -> None:
    others = phones(5)
    with pytest.raises(UserError, match="2 timed models are fewer than the 3 unknowns"):
        predict_models(others, np.where(np.arange(40) < 2, 1.0, np.nan))
    with pytest.raises(UserError, match="2 timed models are fewer"):
        anchors(others, 2)
    none = others.ms.copy()
    none[3] = np.nan
    with pytest.raises(UserError, match="no other phone timed levit-3"):
        anchors(Timings(others.models, others.settings, none, {}, "p.csv"), 5)
    with pytest.raises(UserError, match="transfer needs 4 models and one setting"):
        anchors(others.without(others.settings), 5)
