"""A real table of the smallest model, measured once by the verb."""

from __future__ import annotations

from pathlib import Path

import pytest
import vitprof


@pytest.fixture(scope="session")
def plan() -> vitprof.Plan:
    return vitprof.plan(model="vit-micro-8", points=24, whole_models=3)


@pytest.fixture(scope="session")
def measured_once(
    tmp_path_factory: pytest.TempPathFactory, plan: vitprof.Plan
) -> tuple[vitprof.LatencyTable, list[tuple[str, int, int, str]]]:
    """The table, and what was told of the progress."""
    told: list[tuple[str, int, int, str]] = []
    table = vitprof.measure(
        plan,
        out=tmp_path_factory.mktemp("verbs") / "small.csv",
        sessions=1,
        progress=lambda *said: told.append(said),
    )
    return table, told


@pytest.fixture
def table(
    measured_once: tuple[vitprof.LatencyTable, object], tmp_path: Path
) -> vitprof.LatencyTable:
    """A copy of that table for this test alone."""
    path = tmp_path / "small.csv"
    path.write_bytes(Path(measured_once[0].source).read_bytes())
    return vitprof.LatencyTable.read_csv(path)
