"""How rows follow their reference: slopes of a simulated machine come back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vitprof.models import Block, ViTSpec
from vitprof.profiler.sampling.exponents import (
    PRIOR_OF_BLOCKS,
    PRIOR_OF_MODELS,
    exponent_of,
    exponents_of,
    kind_of,
    with_exponents,
)
from vitprof.tables import Row

BLOCKS = [Block.of("mlp", embed=8, mlp=8 * n, tokens=4) for n in range(1, 25)]
ATTENTION = [Block.of("attention", embed=8, heads=1, qk=8, v=8 * n, tokens=4) for n in (1, 2, 3, 4)]
MODEL = ViTSpec.uniform(8, 1, 1, resolution=4, patch=2, in_channels=1, classes=2, name="one")


def rows_of(
    subjects: Sequence[Block | ViTSpec],
    exponent: float,
    noise: float,
    seed: int,
    sessions: int = 3,
    wander: float = 0.2,
) -> dict[object, Row]:
    """Rows of a machine whose slowness has this spread; both times are read with noise (ln)."""
    rng = np.random.default_rng(seed)
    rows: dict[object, Row] = {}
    for subject in subjects:
        slowness = rng.uniform(0, wander * 12**0.5, sessions)
        t = exponent * slowness + rng.normal(0, noise, sessions)
        r = slowness + rng.normal(0, noise, sessions)
        row = Row(
            subject,
            "in_model" if isinstance(subject, ViTSpec) else "alone",
            session_ms=tuple(np.exp(t)),
            reference_ms=tuple(np.exp(r)),
            reference=BLOCKS[0],
        )
        rows[row.key] = row
    return rows


@given(exponent=st.floats(0.7, 1.3), seed=st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_a_slope_comes_back_though_both_sides_are_noisy(exponent: float, seed: int) -> None:
    """Least squares would come out 4 to 8 % too low with this noise."""
    rows = rows_of(BLOCKS, exponent, noise=0.04, seed=seed, sessions=5)
    found = exponent_of(list(rows.values()))
    mean, _ = PRIOR_OF_BLOCKS
    # What the prior takes of it, and four standard errors of the slope.
    assert abs(found - exponent) < 0.6 * abs(exponent - mean) + 0.1


def test_the_slope_has_no_bias_over_many_runs() -> None:
    found = [
        exponent_of(list(rows_of(BLOCKS, PRIOR_OF_BLOCKS[0], 0.05, seed).values()))
        for seed in range(60)
    ]
    assert np.mean(found) == pytest.approx(PRIOR_OF_BLOCKS[0], abs=0.01)


@pytest.mark.parametrize(
    ("subjects", "prior"), [(BLOCKS, PRIOR_OF_BLOCKS), ([MODEL], PRIOR_OF_MODELS)]
)
def test_a_machine_that_does_not_change_leaves_what_is_believed(
    subjects: Sequence[Block], prior: tuple[float, float]
) -> None:
    rows = rows_of(subjects, 1.3, noise=0.0, seed=1, wander=0.0)
    assert exponent_of(list(rows.values())) == prior[0]
    one_session = rows_of(subjects, 1.3, noise=0.01, seed=1, sessions=1)
    assert exponent_of(list(one_session.values())) == prior[0]


def test_sessions_of_bad_luck_do_not_turn_the_line() -> None:
    rows = rows_of(BLOCKS, 1.0, noise=0.01, seed=3)
    calm = exponent_of(list(rows.values()))
    unlucky = list(rows.values())
    for n in (0, 7, 14):
        ms = unlucky[n].session_ms
        unlucky[n] = Row(
            unlucky[n].subject,
            session_ms=(1.6 * ms[0], *ms[1:]),
            reference_ms=unlucky[n].reference_ms,
        )
    assert exponent_of(unlucky) == pytest.approx(calm, abs=0.03)


def test_each_kind_and_reference_has_its_own(row_of: Callable[..., Row]) -> None:
    rows = rows_of(BLOCKS, 1.1, 0.005, 1) | rows_of(ATTENTION, 0.9, 0.005, 2)
    rows |= rows_of([MODEL], 0.8, 0.005, 3, sessions=9)
    bare = row_of(Block.of("mlp", embed=8, mlp=4096, tokens=4), 3.0)
    rows[bare.key] = bare
    found = with_exponents(rows)
    assert list(found) == list(rows)
    by_kind = {kind_of(row): row.exponent for row in found.values() if row.reference_ms}
    assert by_kind["mlp"] > 1.03 > by_kind["attention"]
    assert by_kind["model vit"] < PRIOR_OF_MODELS[0]
    assert found[bare.key].exponent == 1.0
    assert len({row.exponent for row in found.values()}) == 4


def test_what_a_table_showed_is_believed_in_place_of_experience(
    row_of: Callable[..., Row],
) -> None:
    other = ViTSpec.uniform(8, 2, 1, resolution=4, patch=2, in_channels=1, classes=2, name="two")
    of_table = [
        Row(MODEL, "in_model", reference_ms=(1.0,), exponent=0.8),
        Row(other, "in_model", reference_ms=(1.0,), exponent=0.9),
        Row(BLOCKS[0], reference_ms=(1.0,), exponent=1.1),
        row_of(BLOCKS[1], 3.0),  # without a reference, and so without an exponent of its own
    ]
    believed = exponents_of(of_table)
    assert believed == pytest.approx({"model vit": 0.85, "mlp": 1.1})
    one_session = rows_of([MODEL, *BLOCKS, *ATTENTION], 1.3, noise=0.01, seed=1, sessions=1)
    by_kind = {kind_of(row): row.exponent for row in with_exponents(one_session, believed).values()}
    assert by_kind == pytest.approx(
        {"model vit": 0.85, "mlp": 1.1, "attention": PRIOR_OF_BLOCKS[0]}
    )


@pytest.mark.parametrize("seed", range(8))
def test_on_a_calm_machine_the_luck_of_sessions_is_not_taken_for_a_slope(seed: int) -> None:
    """Sessions differ by 1.5 % and the reference by 0.3 %: the line through that is steep."""
    rng = np.random.default_rng(seed)
    rows = {
        (block, "alone"): Row(
            block,
            session_ms=tuple(np.exp(rng.normal(0, 0.015, 3))),
            reference_ms=tuple(np.exp(rng.normal(0, 0.003, 3))),
            reference=BLOCKS[0],
        )
        for block in BLOCKS
    }
    # With distances across the line in place of those along it, slopes of up to 5 were believed.
    assert exponent_of(list(rows.values())) == pytest.approx(PRIOR_OF_BLOCKS[0], abs=0.06)
