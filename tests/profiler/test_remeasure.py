"""Measuring models as their table was: in rounds, and only when the device is free."""

from __future__ import annotations

import fcntl
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from vitprof.models import ViTSpec, create_spec
from vitprof.profiler.place.environment import fingerprint
from vitprof.profiler.remeasure import measure_like, verified_ms
from vitprof.profiler.target import Target, target_of
from vitprof.tables import LatencyTable, Setting
from vitprof.tables.setting import PartialSetting

Refused = Callable[..., Any]


@pytest.fixture
def table() -> LatencyTable:
    target = target_of(PartialSetting())
    return LatencyTable([], target.setting, fingerprint(target), source="lut.csv")


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VITPROF_LOCK_DIR", str(tmp_path))
    path = tmp_path / "host.lock"
    path.write_text("")
    return path


def test_the_end_of_long_work_waits_until_the_device_is_free(
    table: LatencyTable, lock: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        threading.Timer(0.5, lambda: fcntl.flock(held, fcntl.LOCK_UN)).start()
        with caplog.at_level("INFO", logger="vitprof"):
            measured, _ = verified_ms(table, [create_spec("vit-micro-8")], "this test")
    assert measured[0] > 0
    assert "waiting until it ends" in caplog.text


def test_who_only_measures_does_not_wait(table: LatencyTable, lock: Path, refused: Refused) -> None:
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with refused("this machine", "is being measured by another process"):
            verified_ms(table, [create_spec("vit-micro-8")], "this test", wait=None)


# --- rounds, on a machine whose truth is known ----------------------------------------------------


def tiny_vit(depth: int) -> ViTSpec:
    return ViTSpec.uniform(
        8, depth, 1, resolution=4, patch=2, in_channels=1, classes=2, name=f"depth-{depth}"
    )


SPECS = [tiny_vit(depth) for depth in range(1, 7)]
MOODY = SPECS[2]


@pytest.fixture
def empty(toy_setting: Setting) -> LatencyTable:
    return LatencyTable([], toy_setting, source="toy.csv")


@pytest.fixture
def moody(new_backend: Callable[..., Any], run_of: Callable[..., Any]) -> Any:
    """A runtime on which the sessions of one model differ by 20 %."""

    def runs(artifact: dict[str, int], rng: random.Random) -> list[Any]:
        luck = rng.choice([1.0, 1.2]) if artifact["params"] == MOODY.params else 1.0
        return [run_of(luck * artifact["params"] / 1e3)]

    return new_backend(runs_of=runs)


def test_what_is_still_unsure_gets_further_sessions(empty: LatencyTable, moody: Any) -> None:
    told: list[tuple[str, int, int, str]] = []
    measured = measure_like(
        empty,
        [*SPECS, SPECS[0]],
        Target(moody, empty.setting),
        lambda *said: told.append(said),
        clock=moody.clock,
    )
    rows = measured.rows
    assert [row.subject for row in rows] == [*SPECS, SPECS[0]]
    others = [row for row in rows if row.subject != MOODY]
    assert {row.sessions for row in others} == {5}
    assert rows[2].sessions == 15
    for row in others:
        assert row.latency_ms == pytest.approx(row.subject.params / 1e3)
    done = [said[1] for said in told]
    assert done == sorted(done)
    assert len({said[2] for said in told}) == 1
    assert done[-1] == told[-1][2] > done[-2]


def test_what_others_are_compared_with_is_in_every_round(empty: LatencyTable, moody: Any) -> None:
    target = Target(moody, empty.setting)
    rows = measure_like(empty, SPECS, target, clock=moody.clock, beside=SPECS[0]).rows
    assert [row.sessions for row in rows] == [15, 5, 15, 5, 5, 5]
    # While its own latency is unsure, ratios are: all go on.
    rows = measure_like(empty, SPECS, target, clock=moody.clock, beside=MOODY).rows
    assert [row.sessions for row in rows] == [15] * len(SPECS)


def test_time_ends_the_rounds_but_for_the_first(empty: LatencyTable, moody: Any) -> None:
    target = Target(moody, empty.setting)
    rows = measure_like(empty, SPECS, target, time_s=1e-9, clock=moody.clock).rows
    assert [row.sessions for row in rows] == [1] * len(SPECS)
    assert all(executable.closed for executable in moody.opened)
    started = moody.clock.wall()
    measure_like(empty, SPECS, target, time_s=1e-9, clock=moody.clock)
    round_s = (moody.clock.wall() - started) / 1e9
    rows = measure_like(empty, SPECS, target, time_s=3.5 * round_s, clock=moody.clock).rows
    assert {row.sessions for row in rows} == {3}


def test_a_model_that_fails_does_not_take_the_others_along(empty: LatencyTable, moody: Any) -> None:
    moody.build_fault = lambda artifact: (
        "no kernel" if artifact["params"] == SPECS[1].params else ""
    )
    rows = measure_like(empty, SPECS, Target(moody, empty.setting), clock=moody.clock).rows
    assert [row.verdict for row in rows].count("failed") == 1
    assert rows[1].error == "no kernel"
    assert rows[0].sessions == 5


def test_interrupted_it_ends(empty: LatencyTable, moody: Any) -> None:
    def interrupt() -> None:
        if len(moody.opened) > 3 * len(SPECS):
            raise KeyboardInterrupt

    moody.on_run = interrupt
    with pytest.raises(KeyboardInterrupt):
        measure_like(empty, SPECS, Target(moody, empty.setting), clock=moody.clock)
    assert all(executable.closed for executable in moody.opened)
