"""Transfer between made-up devices: exact scales, others, coverage, and what cannot be."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vitprof.errors import UserError
from vitprof.tables import LatencyTable, Row
from vitprof.tables.merge import merge_tables
from vitprof.tables.transfer.probes import question_of
from vitprof.tables.transfer.transferred import transferred_table


def transferred(sources, target, subjects, count=10, noise=0.0, **more):
    """Transfer from tables of these subjects to a device, of which the probes are measured."""
    question = question_of([one.table(subjects, noise) for one in sources], **more)
    probes = target.table([key[0] for key in question.choose(count)], noise)
    return transferred_table(question, probes, "new.csv")


@settings(max_examples=10, deadline=None)
@given(scale=st.floats(1e-3, 1e3), count=st.integers(5, 10))
def test_an_exact_multiple_of_its_source_is_recovered_exactly(
    scale, count, plain, blocks, models
) -> None:
    subjects = [*blocks, *models]
    target = plain("b", scale)
    found = transferred([plain("a")], target, subjects, count)
    for row in found.table.rows:
        true = target.row(row.subject).latency_ms
        assert row.latency_ms == pytest.approx(true, rel=1e-4)
        assert row.low_ms <= true * (1 + 1e-4)
        assert row.high_ms >= true * (1 - 1e-4)


def test_among_several_the_source_that_it_is_a_multiple_of_is_found(
    device, plain, blocks, models, unseen, mape
) -> None:
    subjects = [*blocks, *models]
    sources = [device(n, own_sd=0.05) for n in range(4)]
    like = sources[2]
    target = plain(
        like.name, 7 * like.scale, like.factors, like.start, like.slow, like.whole, like.own_sd
    )
    found = transferred(sources, target, subjects, goals=unseen)
    assert max(found.weights, key=lambda name: found.weights[name]) == f"{like.name}.csv"
    assert sum(found.weights.values()) == pytest.approx(1)
    assert mape(found.table, unseen, target) < 0.02


def test_ten_probes_tell_whole_models_and_intervals_cover(
    device, blocks, models, unseen, mape
) -> None:
    """Of twelve devices with noise on all: errors of 1 to 2 %, and 90 % or more covered."""
    subjects = [*blocks, *models]
    errors, rows_covered, models_covered = [], [], []
    for seed in range(12):
        target = device(100 + seed, own_sd=0.03)
        sources = [device(3 * seed + n, own_sd=0.03) for n in range(3)]
        found = transferred(sources, target, subjects, noise=0.01, goals=unseen[:8])
        errors.append(mape(found.table, unseen, target))
        rows_covered += [
            row.low_ms <= target.row(row.subject).latency_ms <= row.high_ms
            for row in found.table.rows
            if row.verdict == "transferred"
        ]
        for spec in unseen:
            answer = found.table.predict(spec)
            models_covered.append(answer.low_ms <= target.model_ms(spec) <= answer.high_ms)
    assert np.mean(errors) < 0.02
    assert max(errors) < 0.05
    assert 0.9 <= np.mean(rows_covered) <= 0.995
    assert np.mean(models_covered) >= 0.9


def test_it_says_what_was_measured_and_what_told(device, blocks, models, unseen, tmp_path) -> None:
    subjects = [*blocks, *models]
    found = transferred([device(1), device(2)], device(3), subjects, goals=unseen)
    table = found.table
    assert Counter(row.verdict for row in table.rows) == {
        "transferred": len(subjects) - sum(row.verdict == "stable" for row in table.rows),
        "stable": 10,
    }
    assert [row for row in table.rows if row.verdict == "stable"] != []
    assert table.setting.device == "device-3"
    said = table.header.transfer
    assert said is not None
    assert [one["table"] for one in said["sources"]] == ["device-1.csv", "device-2.csv"]
    assert len(said["probes"]) == len(found.probes) == 10
    answer = table.predict(unseen[0])
    assert 0.2 < answer.transferred_share <= 1
    assert "transferred from other tables, not measured" in answer.how
    assert table.assessment.transferred == len(subjects) - 10
    assert table.assessment.expected_error >= round(found.expected_error, 6)
    table.to_csv(tmp_path / "new.csv")
    read = LatencyTable.read_csv(tmp_path / "new.csv")
    assert read.header.transfer == said
    assert read.predict(unseen[0]).high_ms == pytest.approx(answer.high_ms, rel=1e-4)


def test_measured_rows_take_the_place_of_transferred_ones(device, blocks, models) -> None:
    subjects, target = [*blocks, *models], device(3)
    told = transferred([device(1)], target, subjects).table
    part = target.table(blocks[:40])
    merged = merge_tables([told, part], force=True)
    left = {row.subject for row in merged.rows if row.verdict == "transferred"}
    assert left == {row.subject for row in told.rows if row.verdict == "transferred"} - {
        row.subject for row in part.rows
    }
    assert merged.header.transfer == told.header.transfer
    assert merge_tables([told, target.table(subjects)], force=True).header.transfer is None


def test_too_few_probes_are_refused(device, blocks, models) -> None:
    subjects = [*blocks, *models]
    question = question_of([device(1).table(subjects)])
    assert question.unknowns == ["patch_embed", "attention", "mlp", "classifier", "whole models"]
    with pytest.raises(UserError, match="4 probes are fewer than the 5 unknowns"):
        transferred_table(question, device(2).table(models[:4]), "new.csv")


def test_probes_of_another_op_set_are_refused(device, blocks) -> None:
    mlps = [block for block in blocks if block.op == "mlp"]
    others = [block for block in blocks if block.op == "attention"]
    question = question_of([device(1).table(mlps)])
    with pytest.raises(UserError, match=r"none of the 64 points of device-2\.csv"):
        transferred_table(question, device(2).table(others), "new.csv")


def test_a_measured_op_that_no_source_has_stays_as_measured(device, blocks) -> None:
    mlps = [block for block in blocks if block.op == "mlp"]
    question = question_of([device(1).table(mlps)])
    beside = [block for block in blocks if block.op == "classifier"]
    probes = device(2).table([*mlps[:5], *beside])
    found = transferred_table(question, probes, "new.csv")
    kept = [row for row in found.table.rows if row.subject in beside]
    assert [row.verdict for row in kept] == ["stable"] * len(beside)


def test_failed_probes_are_no_probes(device, blocks) -> None:
    mlps = [block for block in blocks if block.op == "mlp"]
    question = question_of([device(1).table(mlps)])
    probes = device(2).table(mlps[:3])
    failed = Row(mlps[4], verdict="failed", error="no memory")
    found = transferred_table(question, probes.with_rows([*probes.rows, failed]), "new.csv")
    row = next(row for row in found.table.rows if row.subject == mlps[4])
    assert row.verdict == "transferred"
    assert math.isfinite(row.latency_ms)
