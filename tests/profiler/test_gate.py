"""What a session must keep before its times are shown, and what its row tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from vitprof.models import Block, create_spec
from vitprof.profiler.gate import why_more_threads, why_other_precision, why_too_coarse
from vitprof.profiler.measure import measure_models, measure_table
from vitprof.profiler.plan import Plan
from vitprof.profiler.target import Target
from vitprof.profiler.workshop import Workshop
from vitprof.tables import LatencyTable, Setting

from .conftest import ScriptedExecutable, ScriptedRun

Measure = Callable[..., LatencyTable]


class Telling(ScriptedExecutable):
    """A session of a runtime that gives 12 of 16 operators to its delegate, in fp32."""

    def delegated_share(self) -> float:
        return 0.75

    def effective_dtype(self) -> str:
        return "fp32"


class InBf16(ScriptedExecutable):
    def effective_dtype(self) -> str:
        return "bf16"


@pytest.fixture
def measure(out: Path, quick: Callable[..., Any]) -> Measure:
    def run(plan: Plan, backend: Any, **setting: Any) -> LatencyTable:
        target = Target(backend, Setting("cpu", "scripted", **setting))
        return measure_table(plan, target, out, protocol=quick(), clock=backend.clock)

    return run


def test_outputs_of_the_module_are_measured(
    measure: Measure, new_backend: Any, widths: Callable[..., Plan], out: Path
) -> None:
    measure(widths(8, 16), new_backend())
    rows = LatencyTable.read_csv(out).rows
    assert [row.verdict for row in rows] == ["stable", "stable"]
    assert [row.effective_dtype for row in rows] == ["", ""]
    assert [row.delegated for row in rows] == [None, None]


@pytest.mark.parametrize(("off", "said"), [(1.01, "0.01 of their size"), (-1.0, "2 of their size")])
def test_wrong_outputs_are_failed_rows_that_say_how_far(
    off: float, said: str, measure: Measure, new_backend: Any, widths: Callable[..., Plan]
) -> None:
    table = measure(widths(8, 16), new_backend(off=off))
    assert [row.verdict for row in table.rows] == ["failed", "failed"]
    for row in table.rows:
        assert said in row.error
        assert row.latency_ms != row.latency_ms  # no time is shown


def test_a_tolerance_is_of_the_precision(
    measure: Measure, new_backend: Any, widths: Callable[..., Plan]
) -> None:
    table = measure(widths(8), new_backend(off=1.01), dtype="fp16")
    assert table.rows[0].verdict == "stable"


def test_whole_models_pass_the_gate_too(new_backend: Any, quick: Callable[..., Any]) -> None:
    backend = new_backend(off=0.0)
    target = Target(backend, Setting("cpu", "scripted"))
    found = measure_models(
        [create_spec("deit-tiny")], target, protocol=quick(), clock=backend.clock
    )
    assert "1 of their size" in found.rows[0].error


def test_a_batch_is_compared_by_its_first_image(
    measure: Measure, new_backend: Any, widths: Callable[..., Plan]
) -> None:
    assert measure(widths(8), new_backend(), batch=3).rows[0].verdict == "stable"


def test_what_a_delegate_runs_and_the_precision_are_in_the_row_and_its_file(
    measure: Measure, new_backend: Any, widths: Callable[..., Plan], out: Path
) -> None:
    measure(widths(8), new_backend(executable=Telling))
    (row,) = LatencyTable.read_csv(out).rows
    assert (row.delegated, row.effective_dtype) == (0.75, "fp32")


def test_a_less_exact_precision_than_asked_for_is_a_failed_row(
    measure: Measure, new_backend: Any, widths: Callable[..., Plan]
) -> None:
    (row,) = measure(widths(8), new_backend(executable=InBf16)).rows
    assert row.verdict == "failed"
    assert row.error.startswith("the runtime computes in bf16, which is less exact than the fp32")


def test_a_more_exact_one_is_said_in_row_and_warning(
    measure: Measure,
    new_backend: Any,
    widths: Callable[..., Plan],
    caplog: pytest.LogCaptureFixture,
) -> None:
    table = measure(widths(8, 16), new_backend(executable=Telling), dtype="fp16")
    assert [row.effective_dtype for row in table.rows] == ["fp32", "fp32"]
    assert caplog.text.count("computes in fp32 where fp16 was asked for") == 1


@pytest.mark.parametrize(
    ("threads", "cpu", "warned"), [(1, 2.0, True), (1, 1.04, False), (2, 1.9, False)]
)
def test_how_many_cores_were_busy_is_in_the_row(
    threads: int,
    cpu: float,
    warned: bool,
    measure: Measure,
    new_backend: Any,
    widths: Callable[..., Plan],
    out: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = new_backend(runs_of=lambda artifact, rng: [ScriptedRun(2.0, cpu_ms=2.0 * cpu)])
    measure(widths(8, 16), backend, threads=threads)
    assert [row.cores for row in LatencyTable.read_csv(out).rows] == [cpu, cpu]
    said = caplog.text
    assert said.count("cores were busy") == int(warned)
    if warned:
        assert "2.00 cores were busy where `threads` is 1: scripted runs threads" in said


def test_a_run_shorter_than_the_clocks_take_tells_no_cores(
    measure: Measure, new_backend: Any, widths: Callable[..., Plan]
) -> None:
    backend = new_backend(runs_of=lambda artifact, rng: [ScriptedRun(0.1, cpu_ms=0.2)])
    assert measure(widths(8), backend).rows[0].cores is None


def test_kernels_have_no_module_to_be_compared_with(new_backend: Any) -> None:
    workshop = Workshop(Target(new_backend(), Setting("cpu", "scripted")))
    assert workshop.expected((Block.of("mlp", embed=8, mlp=8, tokens=2),)) is None


@pytest.mark.parametrize(
    ("asked", "told", "coarse", "other"),
    [
        ("fp32", "fp32", False, False),
        ("fp32", "bf16", True, True),
        ("fp16", "bf16", True, True),
        ("bf16", "fp32", False, True),
        ("fp32", "", False, False),
        ("fp32", "dynamic", False, True),
        ("int8", "fp32", False, False),
        ("int8-static", "bf16", False, False),
    ],
)
def test_precisions(asked: str, told: str, coarse: bool, other: bool) -> None:
    assert (why_too_coarse(asked, told) is not None) == coarse
    assert (why_other_precision(asked, told) is not None) == other


def test_a_remedy_for_more_threads_names_the_cores() -> None:
    assert why_more_threads(None, 1, "it") is None
    assert "taskset -c 0-1" in str(why_more_threads(3.0, 2, "it"))
