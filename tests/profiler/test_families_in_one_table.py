"""One table that several families are measured into, one after another and interrupted between."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vitprof.models import Block, Spec, ViTSpec, create_spec
from vitprof.profiler.measure import measure_table
from vitprof.profiler.plan import Plan
from vitprof.profiler.sampling.reference import STANDARD
from vitprof.profiler.target import Target
from vitprof.tables import LatencyTable, Setting
from vitprof.tables.references import References

MLP = Block.of("mlp", embed=8, mlp=48, tokens=2)
TOY = {"resolution": 4, "patch": 2, "in_channels": 1, "classes": 2}
VITS = [ViTSpec.uniform(8, depth, 1, **TOY, name=f"vit-{depth}") for depth in (1, 2)]
EFFICIENTVIT = create_spec("efficientvit-m0")
AUTOVIT = create_spec("autovit-xxs")


STEM = EFFICIENTVIT.blocks()[0]
VIT_PLAN = Plan.of_blocks([MLP, *VITS[0].blocks()], models=VITS)
EFFICIENTVIT_PLAN = Plan.of_blocks([STEM], models=[EFFICIENTVIT])
AUTOVIT_PLAN = Plan.of_blocks([AUTOVIT.blocks()[-1]], models=[AUTOVIT])


@pytest.fixture
def go_on(
    out: Path,
    toy_setting: Setting,
    quick: Callable[..., Any],
    new_backend: Callable[..., Any],
    run_of: Callable[..., Any],
) -> Callable[..., LatencyTable | None]:
    """Measure a plan into the table at `out`: go_on(plan, slow=1.0, runs=None).

    The machine is `slow` times slower than usual. After `runs` runs Ctrl-C ends it.
    """

    def measure(plan: Plan, slow: float = 1.0, runs: float = math.inf) -> LatencyTable | None:
        count = 0

        def interrupt() -> None:
            nonlocal count
            count += 1
            if count > runs:
                raise KeyboardInterrupt

        def runs_of(artifact: dict[str, int], rng: random.Random) -> list[Any]:
            ms = artifact["params"] / 1e5 if artifact["whole"] else 1.0
            return [run_of(slow * (1 + ms))]

        backend = new_backend(on_run=interrupt, runs_of=runs_of)
        protocol = quick(correct_drift=True, group=1)
        try:
            target = Target(backend, toy_setting)
            return measure_table(plan, target, out, protocol=protocol, clock=backend.clock)
        except KeyboardInterrupt:
            return None

    return measure


def reference_of(subject: Block | Spec) -> Block | Spec:
    """Return what each row of these plans is to be corrected by."""
    if isinstance(subject, Block) or subject.family == "vit":
        return MLP
    return EFFICIENTVIT if subject.family == "efficientvit" else AUTOVIT


def check(table: LatencyTable) -> None:
    """Every row has its reference, and is at that one's undisturbed speed."""
    fast = table.header.reference_ms("undisturbed")
    for row in table.rows:
        assert row.reference == reference_of(row.subject), row.name
        times = zip(row.session_ms, row.reference_ms, strict=True)
        expected = np.median(
            [ms * (fast[row.reference] / took) ** row.exponent for ms, took in times]
        )
        assert row.latency_ms == pytest.approx(expected, rel=1e-4), row.name


def test_a_second_and_a_third_family_interrupted_between_keep_their_references(
    go_on: Callable[..., LatencyTable | None], out: Path
) -> None:
    first = go_on(VIT_PLAN)
    assert first is not None
    assert "references" not in first.header.entries(first.rows), "of one family, as ever"
    assert go_on(EFFICIENTVIT_PLAN, slow=1.1, runs=40) is None
    assert LatencyTable.read_csv(out).unfinished
    assert go_on(AUTOVIT_PLAN, slow=1.2, runs=40) is None
    assert LatencyTable.read_csv(out).unfinished
    for plan in (EFFICIENTVIT_PLAN, AUTOVIT_PLAN, VIT_PLAN):
        table = go_on(plan)
        assert table is not None
        check(table)
        read = LatencyTable.read_csv(out)
        check(read)
        assert read.header == table.header
    assert {row.subject for row in table.model_rows} == {*VITS, EFFICIENTVIT, AUTOVIT}
    typical = table.header.reference_ms("typical")
    assert set(typical) == {MLP, EFFICIENTVIT, AUTOVIT}
    assert typical[EFFICIENTVIT] == pytest.approx(1 + EFFICIENTVIT.params / 1e5, rel=0.15)
    assert typical[AUTOVIT] == pytest.approx(1 + AUTOVIT.params / 1e5, rel=0.25)
    for model in (*VITS, EFFICIENTVIT, AUTOVIT):
        assert table.references.of(model) == reference_of(model)


def test_a_family_with_mlps_after_one_without_follows_the_blocks_reference(
    go_on: Callable[..., LatencyTable | None], out: Path
) -> None:
    """Today's fault: the first family's models would be corrected by the second's block."""
    before = go_on(EFFICIENTVIT_PLAN)
    assert before is not None
    assert before.references == References(STANDARD, EFFICIENTVIT, {"efficientvit": EFFICIENTVIT})
    assert go_on(VIT_PLAN, slow=1.5, runs=60) is None
    table = go_on(VIT_PLAN)
    assert table is not None
    for row in table.model_rows:
        own = EFFICIENTVIT if row.subject == EFFICIENTVIT else STANDARD
        assert row.reference == own
    [old] = before.model_rows
    [new] = (row for row in table.model_rows if row.subject == EFFICIENTVIT)
    assert new.latency_ms == pytest.approx(old.latency_ms)
    assert new.session_ms == old.session_ms


def test_going_on_with_one_family_keeps_the_old_keys(
    go_on: Callable[..., LatencyTable | None], out: Path
) -> None:
    assert go_on(EFFICIENTVIT_PLAN, runs=30) is None
    assert go_on(Plan.of_blocks([STEM])) is not None
    table = go_on(EFFICIENTVIT_PLAN)
    assert table is not None
    said = table.header.entries(table.rows)
    assert said["model_reference"] == EFFICIENTVIT.to_dict()
    assert "references" not in said
    assert "model_drift" in said
