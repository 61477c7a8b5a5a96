"""A table measured on a real Ray cluster of several nodes, one of which dies on the way.

What the nodes measure is scripted, so that each stops where the test wants it to.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vitprof.errors import UnfinishedError
from vitprof.profiler.fleet import members as fleet_members
from vitprof.profiler.fleet.fleet import Fleet
from vitprof.profiler.measure import measure_table
from vitprof.profiler.target import Target
from vitprof.ray_connection import ray_connection
from vitprof.tables import LatencyTable, Setting

pytestmark = pytest.mark.slow

# 24 points in groups of 2: on two nodes chunks of 4, on one of 8.
WIDTHS = tuple(range(8, 8 * 25, 8))
SETTING = Setting("cpu", "scripted")

OpenFleet = Callable[..., Any]


class Gates:
    """Where nodes and the test wait for each other: files in a folder that all of them see."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, name: str) -> None:
        (self.folder / name).touch()

    def wait(self, name: str) -> None:
        """Wait for a gate to open, or for the end of the test."""
        while self.folder.exists() and not (self.folder / name).exists():
            time.sleep(0.02)


@pytest.fixture
def gates(tmp_path: Path) -> Iterator[Gates]:
    folder = tmp_path / "gates"
    folder.mkdir()
    yield Gates(folder)
    folder.rename(tmp_path / "over")


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture(scope="module")
def cluster(ray_nodes: Any) -> Iterator[Any]:
    """The cluster, with this process connected to it all along."""
    with ray_connection(ray_nodes.address):
        yield ray_nodes


@pytest.fixture
def open_fleet(cluster: Any, new_backend: Any, notes: list[str]) -> Iterator[OpenFleet]:
    """Return a fleet of scripted runtimes: open_fleet(script).

    `script` is called on a node with its name, and says what its ScriptedBackend takes.
    """
    from ray import cloudpickle

    # Nodes know vitprof and no test module.
    by_value = [sys.modules[__name__], sys.modules[new_backend.__module__]]
    for module in by_value:
        cloudpickle.register_pickle_by_value(module)

    def of(
        script: Callable[[str], dict[str, Any]] = lambda _: {}, setting: Setting = SETTING
    ) -> Fleet:
        def open_backend(_: Setting) -> tuple[Any, Any]:
            backend = new_backend(**script(Path(os.environ["VITPROF_LOCK_DIR"]).name))
            return backend, backend.clock

        return Fleet(cluster.address, setting, on_note=notes.append, open_backend=open_backend)

    yield of
    for module in by_value:
        cloudpickle.unregister_pickle_by_value(module)


def after(sessions: int, then: Callable[[], None]) -> dict[str, Any]:
    """Return a runtime that does something in every run beyond its first so many sessions."""
    seen: list[int] = []

    def loaded(_: dict[str, int]) -> str:
        seen.append(1)
        return ""

    return {"load_fault": loaded, "on_run": lambda: then() if len(seen) > sessions else None}


def shares(table: LatencyTable) -> dict[str, int]:
    """Return the sessions that each node measured, by its short id."""
    return {share["node"]: share["sessions"] for share in table.header.fleet}


def told(notes: list[str]) -> list[str]:
    """Return the notes but for a busy machine's, and for locks left by nodes killed before."""
    return [note for note in notes if "load average" not in note and "taken over" not in note]


def assert_every_point_once(out: Path, table: LatencyTable) -> None:
    assert [row.subject["mlp"] for row in table.rows] == list(WIDTHS)
    read = LatencyTable.read_csv(out)
    assert not read.unfinished
    assert [row.key for row in read.rows] == [row.key for row in table.rows]
    assert max(Counter(row.key for row in read.rows).values()) == 1
    for row in read.rows:
        truth = 0.5 + row.subject.params / 1e4
        assert row.verdict == "stable"
        assert row.latency_ms == pytest.approx(truth, rel=0.011)


def test_nodes_share_the_points_and_the_table_is_like_one_measured_here(
    cluster, open_fleet, widths, quick, new_backend, out: Path, notes, gates: Gates
) -> None:
    """Each waits for the other to have begun, so both have a part in it."""

    def script(node: str) -> dict[str, Any]:
        def on_run() -> None:
            gates.open(node)
            gates.wait({"a": "b", "b": "a"}[node])

        return {"on_run": on_run}

    cluster.add("a", "b")
    protocol = quick(group=2, correct_drift=True)
    progress: list[tuple[object, ...]] = []
    with open_fleet(script) as fleet:
        table = fleet.measure_table(
            widths(*WIDTHS[:20]),
            out,
            protocol=protocol,
            on_progress=lambda *counts: progress.append(counts),
        )
        assert len(table.rows) == 20
        assert (progress[0], progress[-1]) == (
            ("measuring", 0, 60, "0/20 points"),
            ("measuring", 60, 60, "20/20 points"),
        )
        table = fleet.measure_table(widths(*WIDTHS), out, protocol=protocol)
    assert {row.sessions for row in table.rows} == {3}
    assert all(len(row.reference_ms) == 3 for row in table.rows)
    for row in table.rows:
        assert row.latency_ms == pytest.approx(0.5 + row.subject.params / 1e4, rel=0.04)
    assert table.setting == replace(SETTING, provider="scripted")
    assert table.header.of_blocks.drift.typical_ms > 0
    assert set(shares(table)) == {cluster.id_of(name)[:8] for name in "ab"}
    assert sum(share["sessions"] for share in table.header.fleet) == 3 * len(WIDTHS)
    assert told(notes) == []
    here = new_backend()
    again = measure_table(
        widths(*WIDTHS), Target(here, table.setting), out, protocol=protocol, clock=here.clock
    )
    assert here.opened == []
    assert [row.key for row in again.rows] == [row.key for row in table.rows]
    assert again.header.fleet == table.header.fleet


def test_points_of_a_killed_node_go_to_the_others_none_twice_and_none_missing(
    cluster, open_fleet, widths, quick, out: Path, notes, gates: Gates
) -> None:
    """a begins when b has told its first rows; b dies while it runs its second group."""

    def in_second_group() -> None:
        gates.open("b is at it")
        gates.wait("never")

    def script(node: str) -> dict[str, Any]:
        return after(2, in_second_group) if node == "b" else after(0, lambda: gates.wait("a"))

    cluster.add("a", "b")
    ids = {name: cluster.id_of(name)[:8] for name in "ab"}
    done_at: list[int] = []

    def kill_b(_stage: str, done: int, _all: int, _detail: str) -> None:
        done_at.append(done)
        if len(done_at) == 2:
            gates.open("a")
        elif len(done_at) == 3:
            gates.wait("b is at it")
            cluster.kill("b")

    with open_fleet(script) as fleet:
        table = fleet.measure_table(
            widths(*WIDTHS), out, protocol=quick(sessions=1, group=2), on_progress=kill_b
        )
    assert done_at[:3] == [0, 2, 4]
    assert_every_point_once(out, table)
    assert shares(table) == {ids["b"]: 2, ids["a"]: len(WIDTHS) - 2}
    (note,) = told(notes)
    assert note.startswith("lost: node ")
    assert f"({ids['b']}), whose worker is gone; its 2 unfinished points go to the others." in note


def test_without_any_node_left_it_is_said_what_is_missing_and_the_same_call_goes_on(
    cluster, open_fleet, widths, quick, out: Path, notes, gates: Gates
) -> None:
    cluster.add("a")
    cluster.drop("b")
    protocol = quick(sessions=1, group=2)

    def kill_a(_stage: str, done: int, _all: int, _detail: str) -> None:
        if done:
            cluster.kill("a")

    def script(_: str) -> dict[str, Any]:
        return after(2, lambda: gates.wait("never"))

    with open_fleet(script) as fleet, pytest.raises(UnfinishedError) as lost:
        fleet.measure_table(widths(*WIDTHS), out, protocol=protocol, on_progress=kill_a)
    assert (lost.value.done, lost.value.missing) == (2, 22)
    assert "22 of 24 points are not measured" in str(lost.value)
    assert "unfinished points have no other node" in notes[-1]
    before = LatencyTable.read_csv(out)
    assert before.unfinished
    assert len(before.rows) == 2

    cluster.add("b")
    with open_fleet() as fleet:
        table = fleet.measure_table(widths(*WIDTHS), out, protocol=protocol)
    assert_every_point_once(out, table)
    assert shares(table) == {cluster.id_of("b")[:8]: 22}
    after_ms = {row.key: row.session_ms for row in table.rows}
    assert all(after_ms[row.key] == row.session_ms for row in before.rows)


@pytest.mark.parametrize("how", ["error", "exit"])
def test_a_worker_that_breaks_is_like_a_lost_node_and_says_why(
    how: str, cluster, open_fleet, widths, quick, out: Path, notes, gates: Gates
) -> None:
    def break_down() -> None:
        gates.open("a")
        if how == "exit":
            os._exit(3)
        raise OSError("no space left")

    def script(node: str) -> dict[str, Any]:
        return after(2, break_down) if node == "b" else after(0, lambda: gates.wait("a"))

    cluster.add("a", "b")
    with open_fleet(script) as fleet:
        table = fleet.measure_table(widths(*WIDTHS), out, protocol=quick(sessions=1, group=2))
    assert_every_point_once(out, table)
    (note,) = told(notes)
    assert note.startswith(f"lost: node {cluster.ip} ({cluster.id_of('b')[:8]}), ")
    assert ("no space left" if how == "error" else "whose worker is gone") in note
    assert "its 2 unfinished points go to the others" in note


def test_a_node_unlike_the_others_and_one_that_is_busy_are_not_used_and_it_is_said(
    cluster, open_fleet, widths, quick, new_backend, out: Path, notes, refused
) -> None:
    """The table was begun by a runtime of version 2.0, which only b has."""

    def script(node: str) -> dict[str, Any]:
        return {"version": "2.0" if node == "b" else "1.0"}

    cluster.add("a", "b")
    protocol = quick(sessions=1)
    here = new_backend(version="2.0")
    setting = replace(SETTING, provider="scripted")
    measure_table(widths(8), Target(here, setting), out, protocol=protocol, clock=here.clock)
    with open_fleet(script) as fleet:
        table = fleet.measure_table(widths(*WIDTHS), out, protocol=protocol)
    assert_every_point_once(out, table)
    assert shares(table) == {cluster.id_of("b")[:8]: len(WIDTHS) - 1}
    (note,) = told(notes)
    assert note.startswith(f"not used: node {cluster.ip} ({cluster.id_of('a')[:8]}) differs")
    assert "runtime.version" in note

    with (cluster.folder / "b" / "host.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with open_fleet(script) as fleet, refused("runtime.version"):
            fleet.measure_table(widths(*WIDTHS, 8 * 25), out, protocol=protocol)
    assert f"({cluster.id_of('b')[:8]}): this machine is being measured by" in notes[-1]
    assert not LatencyTable.read_csv(out).unfinished


def test_a_fleet_of_another_version_is_refused(
    cluster, open_fleet, refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.add("a")
    monkeypatch.setattr(fleet_members, "__version__", "0.0.0")
    with refused("can measure 'cpu' now", "it has vitprof ", "this is 0.0.0"), open_fleet():
        pytest.fail("two versions measure one table")


def test_devices_that_others_use_are_waited_for_only_so_long(
    cluster, open_fleet, refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.add("a", "b")
    with open_fleet():
        monkeypatch.setattr(fleet_members, "SECONDS_TO_START", 1.0)
        with refused("on 2 of the cluster's 2 devices no worker", "vitprof:cpu"), open_fleet():
            pytest.fail("two workers on one device")


def test_a_gpu_is_found_by_rays_label_and_locked_as_a_gpu(
    cluster, open_fleet, widths, quick, out: Path, refused
) -> None:
    cluster.add("a")
    cluster.add("t4", num_gpus=1, **{"accelerator_type:T4": 1})
    setting = Setting("t4", "scripted", dtype="fp16")
    with open_fleet(setting=setting) as fleet:
        table = fleet.measure_table(widths(8, 16), out, protocol=quick(sessions=1))
        assert list(shares(table)) == [cluster.id_of("t4")[:8]]
        assert [path.name[:4] for path in (cluster.folder / "t4").iterdir()] == ["gpu-"]
    for_real = Fleet(cluster.address, replace(setting, backend="tensorrt"))
    with refused("can measure 't4' now", cluster.ip, "NVIDIA Tesla T4"), for_real:
        pytest.fail("this machine has no T4")


def test_a_cluster_without_the_device_is_refused(cluster, open_fleet, refused) -> None:
    with refused("no node with accelerator_type:A100"), open_fleet(setting=Setting("a100", "cuda")):
        pytest.fail("there is no A100")


def test_over_its_budget_every_point_still_has_a_session(
    cluster, open_fleet, widths, quick, out: Path
) -> None:
    cluster.add("a")
    with open_fleet() as fleet:
        table = fleet.measure_table(widths(8, 16, 24), out, protocol=quick(), budget_s=0.0)
    assert [row.sessions for row in table.rows] == [1, 1, 1]
