"""Bundles built and measured on a scripted runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_bundle import (
    CPU,
)
from vitprof.backends import OnnxRuntimeBackend
from vitprof.models import Block
from vitprof.profiler.bundle.bundle import BuildResult, Bundle, build_bundle
from vitprof.profiler.measure import measure_table
from vitprof.profiler.plan import Plan
from vitprof.profiler.target import Target
from vitprof.tables import LatencyTable, Setting

NewBackend = Callable[..., Any]
Build = Callable[..., BuildResult]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "b.zip"


@pytest.fixture
def build(path: Path, toy_setting: Setting, new_backend: NewBackend) -> Build:
    """Build a bundle on a scripted runtime."""

    def run(plan: Plan, backend: Any = None, **others: Any) -> BuildResult:
        return build_bundle(plan, Target(backend or new_backend(), toy_setting), path, **others)

    return run


@pytest.fixture
def measure(path: Path, out: Path, toy_setting: Setting, quick: Callable[..., Any]) -> Any:
    """Measure the bundle on a scripted runtime that can compile nothing."""

    def run(backend: Any, **others: Any) -> LatencyTable:
        def compiled(*_: object) -> bytes:
            raise AssertionError("something was compiled")

        backend.build = compiled
        arguments = {"protocol": quick(), "clock": backend.clock} | others
        with Bundle(path) as bundle:
            target = Target(backend, bundle.setting)
            return measure_table(bundle.plan, target, out, artifacts=bundle, **arguments)

    return run


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The real artifacts of two small blocks."""
    path = tmp_path_factory.mktemp("bundle") / "b.zip"
    blocks = [Block.of("mlp", embed=8, mlp=width, tokens=2) for width in (8, 16)]
    build_bundle(Plan.of_blocks(blocks), Target(OnnxRuntimeBackend(), CPU), path)
    return path.read_bytes()


@pytest.fixture
def nothing_is_unpacked(tmp_path: Path) -> Iterator[None]:
    """No file appears but bundles and tables."""
    yield
    found = {entry.name for entry in tmp_path.rglob("*")}
    assert found <= {"b.zip", "again.zip", "lut.csv", "local.csv"}, found
