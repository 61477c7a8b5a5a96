"""Bundles: built, read back, measured without compiling; tables that go on with them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from tiny_bundle import (
    CPU,
    MANIFEST,
    changed,
    contents_of,
    subjects,
    tiny,
)
from vitprof.backends import OnnxRuntimeBackend
from vitprof.profiler.bundle import bundle as bundle_module
from vitprof.profiler.bundle.bundle import BuildResult, Bundle, build_bundle, expected_size
from vitprof.profiler.bundle.manifest import Stored
from vitprof.profiler.bundle.reading import read_manifest
from vitprof.profiler.measure import measure_table
from vitprof.profiler.plan import Plan
from vitprof.profiler.target import Target
from vitprof.profiler.workshop import Workshop
from vitprof.tables import LatencyTable, Setting

pytestmark = pytest.mark.usefixtures("nothing_is_unpacked")

Widths = Callable[..., Plan]
NewBackend = Callable[..., Any]
Refused = Callable[..., Any]
Build = Callable[..., BuildResult]


PLANS = {
    "alone": Plan.of_blocks(tiny().blocks(), "alone", [tiny("one")]),
    "in_network": Plan.of_blocks(tiny().blocks(), "in_network"),
    "in_model": Plan.in_model(tiny()),
}


# --- building and measuring -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", PLANS)
def test_a_bundle_is_measured_without_compiling_as_the_plan_would_be(
    kind: str,
    build: Build,
    measure: Any,
    new_backend: NewBackend,
    toy_setting: Setting,
    quick: Any,
    out: Path,
    tmp_path: Path,
) -> None:
    plan = PLANS[kind]
    built = build(plan)
    assert (built.failed, built.plan) == ({}, plan)
    protocol = quick(correct_drift=True)
    table = measure(new_backend(), protocol=protocol)
    here = new_backend()
    target = Target(here, toy_setting)
    local = measure_table(plan, target, tmp_path / "local.csv", protocol=protocol, clock=here.clock)
    assert [row.key for row in table.rows] == [row.key for row in local.rows]
    assert [row.session_ms for row in table.rows] == [row.session_ms for row in local.rows]
    assert table.references.blocks == local.references.blocks is not None
    assert table.environment == local.environment
    assert table.header.built["version"] == "1.0"
    assert local.header.built is None
    read = LatencyTable.read_csv(out)
    assert read.header.built == table.header.built
    assert read.setting == toy_setting


def test_a_real_bundle_gives_the_artifacts_that_are_built_here(path: Path) -> None:
    target, plan = Target(OnnxRuntimeBackend(), CPU), PLANS["in_network"]
    seen: list[tuple[object, ...]] = []
    built = build_bundle(plan, target, path, on_progress=lambda *counts: seen.append(counts))
    assert built.bytes == path.stat().st_size
    assert [counts[:3] for counts in seen] == [("building", n, 4) for n in (1, 2, 3, 4)]
    about = str(expected_size(plan, CPU)).split(" (")[0]
    assert all(str(detail).endswith(f" MB of {about}") for *_, detail in seen)
    assert str(seen[-1][-1]).startswith("points, 0.0")
    workshop = Workshop(target)
    with Bundle(path) as bundle:
        assert (bundle.setting, bundle.plan) == (CPU, plan)
        assert bundle.reference == next(b for b in tiny().blocks() if b.op == "mlp")
        assert set(bundle.built) >= {"vitprof", "system", "python", "torch", "onnxruntime"}
        assert not set(bundle.built) & set(CPU.as_dict())
        for subject in subjects(plan):
            artifact = bundle.artifact(subject)
            assert artifact.data == workshop.build(subject)
            onnx.checker.check_model(onnx.load_model_from_string(artifact.data))
            assert artifact.name.startswith(f"{path}, artifacts/")
        sizes = {len(bundle.artifact(subject).data) for subject in subjects(plan)}
    assert built.report()["unpacked_bytes"] == built.unpacked_bytes >= sum(sizes)


def test_the_same_build_gives_the_same_bytes(path: Path, tmp_path: Path) -> None:
    for where in (path, tmp_path / "again.zip"):
        build_bundle(PLANS["alone"], Target(OnnxRuntimeBackend(), CPU), where)
    assert path.read_bytes() == (tmp_path / "again.zip").read_bytes()


def test_the_reference_is_the_bundles_own(
    build: Build, measure: Any, path: Path, new_backend: NewBackend, widths: Widths, quick: Any
) -> None:
    """Another vitprof might choose another one, which the bundle lacks."""
    build(widths(8, 16, 24))
    manifest = json.loads(contents_of(path.read_bytes())[MANIFEST])
    chosen = manifest["reference"]
    manifest["reference"] = manifest["points"][0]["block"]
    assert chosen != manifest["reference"]
    path.write_bytes(changed(path.read_bytes(), **{MANIFEST: json.dumps(manifest).encode()}))
    table = measure(new_backend(), protocol=quick(correct_drift=True))
    assert table.references.blocks.as_dict_with_op() == manifest["reference"]
    assert measure(new_backend(), fresh=True).references.blocks is None, "as the protocol says"


def test_a_bundle_of_version_1_is_measured(
    build: Build, measure: Any, path: Path, new_backend: NewBackend, widths: Widths
) -> None:
    """Its artifacts are not compressed."""
    build(widths(8, 16))
    manifest = json.loads(contents_of(path.read_bytes())[MANIFEST])
    manifest["version"] = 1
    path.write_bytes(changed(path.read_bytes(), **{MANIFEST: json.dumps(manifest).encode()}))
    assert [row.verdict for row in measure(new_backend()).rows] == ["stable"] * 2


def test_equal_artifacts_are_stored_once(build: Build, path: Path) -> None:
    build(Plan.of_blocks(tiny().blocks(), "alone", [tiny("one"), tiny("two")]))
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 4 + 1 + 1
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        manifest = json.loads(archive.read(MANIFEST))
    assert len(manifest["artifacts"]) == 4 + 2
    assert manifest["limits"]["files"] == 5


def test_what_cannot_be_compiled_is_a_failed_row_on_the_target(
    build: Build, measure: Any, new_backend: NewBackend, widths: Widths, width_of: Any
) -> None:
    params = widths(16).points[0].subject.params

    def fault(artifact: dict[str, int]) -> str:
        return "no kernel\nfor \x1b[2Jthis" if artifact["params"] == params else ""

    built = build(widths(8, 16, 24), new_backend(build_fault=fault))
    name = str(widths(16).points[0])
    assert list(built.failed) == [name]
    assert built.report()["failed"] == [name]
    table = measure(new_backend())
    assert [row.verdict for row in table.rows] == ["stable", "failed", "stable"]
    assert table.rows[1].error == "no kernel for [2Jthis"


def test_a_bundle_of_which_nothing_could_be_compiled_says_so_for_every_point(
    build: Build, measure: Any, new_backend: NewBackend, widths: Widths
) -> None:
    build(widths(8, 16), new_backend(build_fault=lambda _: "broken"))
    table = measure(new_backend())
    assert [(row.verdict, row.error) for row in table.rows] == [("failed", "broken")] * 2


def test_an_interrupted_build_leaves_what_stood_there(
    build: Build, path: Path, new_backend: NewBackend, widths: Widths
) -> None:
    build(widths(8))
    before = path.read_bytes()

    def fault(artifact: dict[str, int]) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(widths(8, 16), new_backend(build_fault=fault))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    build(widths(8, 16))
    with Bundle(path) as bundle:
        assert len(bundle.plan.points) == 2


def test_what_is_no_bundle_is_never_written_over(
    build: Build, path: Path, widths: Widths, refused: Refused
) -> None:
    path.write_text("my notes")
    with refused("b.zip", "is not written over"):
        build(widths(8))
    assert path.read_text() == "my notes"


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("MOST_POINTS", 2, "3 points and a bundle holds 2"),
        ("MOST_ARTIFACTS", 2, "3 artifacts and a bundle holds 2"),
        ("LARGEST_BUNDLE", (8 << 20) + 80, "bytes and a bundle holds 80"),
        ("LARGEST_MANIFEST", 900, "bytes of points and a bundle holds 900"),
    ],
)
def test_a_plan_too_large_for_a_bundle_is_refused_and_nothing_is_written(
    limit: str,
    value: int,
    words: str,
    build: Build,
    path: Path,
    widths: Widths,
    monkeypatch: pytest.MonkeyPatch,
    refused: Refused,
) -> None:
    monkeypatch.setattr(bundle_module, limit, value)
    with refused(words):
        build(widths(8, 16, 24))
    assert list(path.parent.iterdir()) == []


def test_an_artifact_too_large_for_a_bundle_fails(
    build: Build, widths: Widths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_module, "LARGEST_ARTIFACT", 10)
    (reason,) = build(widths(8)).failed.values()
    assert "a bundle takes 1 to 10" in reason


# --- going on with a table ------------------------------------------------------------------------


def test_an_interrupted_measuring_goes_on_with_the_sessions_that_lack(
    build: Build, measure: Any, new_backend: NewBackend, widths: Widths, quick: Any
) -> None:
    build(widths(8, 16, 24, 32))

    def stop(_stage: str, begun: int, *_: object) -> None:
        if begun >= 7:
            raise KeyboardInterrupt

    first, second = new_backend(), new_backend()
    with pytest.raises(KeyboardInterrupt):
        measure(first, protocol=quick(group=1), on_progress=stop)
    table = measure(second, protocol=quick(group=1))
    assert (len(first.opened), len(second.opened)) == (7, 4 * 3 - 7)
    assert [row.sessions for row in table.rows] == [3] * 4


def test_further_points_come_from_a_bundle_that_was_built_alike(
    build: Build, measure: Any, new_backend: NewBackend, widths: Widths, refused: Refused
) -> None:
    build(widths(8, 16))
    measure(new_backend())
    build(widths(8, 24))
    assert len(measure(new_backend()).rows) == 3
    build(widths(8, 32), new_backend(version="2.0"))
    with refused("lut.csv", "from a bundle built otherwise", "'1.0' and '2.0'", "`fresh`"):
        measure(new_backend())


def test_a_table_measured_here_takes_no_rows_of_a_bundle(
    build: Build,
    measure: Any,
    new_backend: NewBackend,
    widths: Widths,
    toy_setting: Setting,
    quick: Any,
    out: Path,
    refused: Refused,
) -> None:
    here = new_backend()
    measure_table(widths(8), Target(here, toy_setting), out, protocol=quick(), clock=here.clock)
    build(widths(16))
    with refused("lut.csv", "or from none"):
        measure(new_backend())
    assert len(measure(new_backend(), fresh=True).rows) == 1
    with refused("lut.csv", "from a bundle"):
        measure_table(widths(8), Target(here, toy_setting), out, protocol=quick(), clock=here.clock)


def test_a_bundle_without_the_tables_reference_is_refused(
    build: Build,
    measure: Any,
    new_backend: NewBackend,
    widths: Widths,
    quick: Any,
    refused: Refused,
) -> None:
    protocol = quick(correct_drift=True)
    build(widths(8))
    measure(new_backend(), protocol=protocol)
    build(widths(16))
    with refused("b.zip", "has no artifact of mlp(embed=8, mlp=8", "`fresh`"):
        measure(new_backend(), protocol=protocol)


# --- outputs --------------------------------------------------------------------------------------


def test_what_measures_elsewhere_compares_outputs_with_what_the_builder_computed(
    build: Build, measure: Any, new_backend: NewBackend
) -> None:
    build(PLANS["alone"])
    table = measure(new_backend(off=-1.0))
    assert {row.verdict for row in table.rows} == {"failed"}
    assert all("its outputs are wrong: they are 2 of their size" in row.error for row in table.rows)


def test_a_bundle_of_an_older_vitprof_tells_no_outputs_and_is_measured(
    build: Build, measure: Any, new_backend: NewBackend, path: Path
) -> None:
    build(PLANS["alone"])
    with Bundle(path) as bundle:
        manifest = bundle._manifest
    assert all(one.expected for one in manifest.files.values())
    older = {
        subject: replace(one, expected=None) if isinstance(one, Stored) else one
        for subject, one in manifest.artifacts.items()
    }
    text = replace(manifest, artifacts=older).to_json()
    assert '"expected"' not in text
    read = read_manifest(text.encode(), "it")
    assert all(one.expected is None for one in read.files.values())
