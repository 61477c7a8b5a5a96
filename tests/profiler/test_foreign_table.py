"""A table of kernels, measured by the real runtime, and what it answers for foreign models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from small_onnx.foreign_spec import residual_net, residual_spec
from vitprof import predict
from vitprof.backends import OnnxRuntimeBackend
from vitprof.errors import UserError
from vitprof.foreign.rules import Rules
from vitprof.models import Block
from vitprof.models.families.foreign.spec import ForeignSpec
from vitprof.profiler.channels_per_block import channels_per_block
from vitprof.profiler.measure import measure_models, measure_table
from vitprof.profiler.plan_for import plan_for_models
from vitprof.profiler.sampling.protocol import Protocol
from vitprof.profiler.sampling.sampling_plan import SamplingPlan
from vitprof.profiler.target import Target
from vitprof.tables import LatencyTable, Row, Setting

QUICK = SamplingPlan(warmup_ms=0.0, timed_ms=0.0, min_runs=2, max_runs=2, runs_per_turn=2)
PROTOCOL = Protocol(
    sessions=1,
    model_sessions=1,
    extra_sessions=0,
    model_extra_sessions=0,
    extra_share=0.0,
    reference_sessions=1,
    sampling=QUICK,
    kernel_sessions=1,
    kernel_sampling=QUICK,
)
TARGET = Target(OnnxRuntimeBackend(), Setting("cpu", "onnxruntime", "CPUExecutionProvider"))
RULES = Rules(channels_per_block())  # a table's graphs are fused as on the machine it is of
MODELS = [residual_spec(*size, RULES) for size in ((16, 1), (32, 2), (48, 3), (64, 2))]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> LatencyTable:
    out = tmp_path_factory.mktemp("kernels") / "kernels.csv"
    measure_table(plan_for_models(MODELS), TARGET, out, protocol=PROTOCOL)
    return LatencyTable.read_csv(out)


def test_every_kernel_and_model_is_in_the_file(table: LatencyTable) -> None:
    assert not [row for row in table.rows if row.verdict == "failed"]
    assert {row.subject for row in table.model_rows} == set(MODELS)
    assert table.header.observed is not None
    assert table.header.observed["channels_per_block"] == channels_per_block()
    assert set(table.calibrations) == {"foreign"}
    again = LatencyTable.read_csv(table.source)
    assert again.to_text() == table.to_text()


def test_a_model_that_was_never_seen_is_predicted(table: LatencyTable, tmp_path: Path) -> None:
    path = tmp_path / "unseen.onnx"
    path.write_bytes(residual_net(40, 2))
    answer = predict(path, table)
    assert answer.ms > 0 and answer.priced["blocks"] == 0
    assert sum(answer.priced.values()) == pytest.approx(1.0)
    assert answer.unknown == () and not answer.missing
    many = table.predict_many([residual_spec(40, 2, RULES), MODELS[0]])
    assert many[0] == pytest.approx(answer.ms)


def test_what_no_kernel_was_measured_for_is_never_free(table: LatencyTable) -> None:
    without = table.with_rows(
        row
        for row in table.rows
        if row.is_model or row.subject.op != "kernel_pool"  # type: ignore[union-attr]
    )
    with pytest.raises(UserError, match=r"kernel_pool.*--kernels"):
        without.predict(MODELS[0])
    partial = without.predict(MODELS[0], partial=True)
    assert [block.op for block in partial.missing] == ["kernel_pool"]


def test_a_function_that_was_not_measured_is_missing(table: LatencyTable) -> None:
    one = Block.of(
        "kernel_resize", height=8, width=8, in_channels=8, stride=2, function=3, blocked=1
    )
    kept = [row for row in table.rows if row.is_model or row.subject != one]
    kept.append(Row(replace_function(one, 1), latency_ms=0.1, low_ms=0.1, high_ms=0.1))
    spec = ForeignSpec.of([*MODELS[0].blocks(), one], name="cubic")
    without = table.with_rows(
        row
        for row in kept
        if row.is_model or row.subject.op != "kernel_resize" or row.subject["function"] != 3
    )
    with pytest.raises(UserError, match="kernel_resize cubic"):
        without.predict(spec)
    assert without.predict(spec, partial=True).missing == [one]


def replace_function(block: Block, function: int) -> Block:
    return Block.of(block.op, **{**block.as_dict(), "function": function})


def test_a_run_that_was_interrupted_goes_on(table: LatencyTable, tmp_path: Path) -> None:
    out = tmp_path / "kernels.csv"
    plan = plan_for_models(MODELS)
    measure_table(replace(plan, points=plan.points[:5]), TARGET, out, protocol=PROTOCOL)
    whole = measure_table(plan, TARGET, out, protocol=PROTOCOL)
    assert {row.key for row in whole.rows} == {row.key for row in table.rows}


def test_a_foreign_model_is_measured_at_its_own_batch_only() -> None:
    row = measure_models([MODELS[0]], TARGET, protocol=PROTOCOL).rows[0]
    assert row.verdict != "failed" and row.latency_ms > 0
    four = Target(TARGET.backend, replace(TARGET.setting, batch=4))
    failed = measure_models([MODELS[0]], four, protocol=PROTOCOL).rows[0]
    assert failed.verdict == "failed" and "not 4" in failed.error


def test_a_spec_without_its_file_is_predicted_but_not_run(table: LatencyTable) -> None:
    known = next(row.subject for row in table.model_rows)
    assert isinstance(known, ForeignSpec) and known.source is None
    assert table.predict(known).ms > 0
    failed = measure_models([known], TARGET, protocol=PROTOCOL).rows[0]
    assert failed.verdict == "failed" and "give its file" in failed.error


def test_a_familys_model_is_priced_by_kernels_where_there_are_no_blocks(
    table: LatencyTable,
) -> None:
    answer = predict("vit-micro-8", table, partial=True)
    assert answer.model == "vit-micro-8" and answer.ms > 0
    assert answer.priced["blocks"] == 0
