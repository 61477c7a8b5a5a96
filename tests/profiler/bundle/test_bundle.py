"""Bundles: built, read back, measured without compiling; and what is damaged or hostile."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.backends import BackendOptions, OnnxRuntimeBackend
from vitprof.errors import UserError
from vitprof.models import Block, ViTSpec
from vitprof.profiler.bundle import bundle as bundle_module
from vitprof.profiler.bundle import zip_file as bundle_zip
from vitprof.profiler.bundle.bundle import BuildResult, Bundle, build_bundle, expected_size
from vitprof.profiler.bundle.manifest import Stored
from vitprof.profiler.bundle.reading import read_manifest
from vitprof.profiler.measure import measure_table
from vitprof.profiler.plan import Plan, Subject
from vitprof.profiler.target import Target
from vitprof.profiler.workshop import CannotBuildError, Workshop
from vitprof.tables import LatencyTable, Setting

Widths = Callable[..., Plan]
NewBackend = Callable[..., Any]
Refused = Callable[..., Any]
Build = Callable[..., BuildResult]

CPU = Setting("cpu", "onnxruntime", "CPUExecutionProvider")
MANIFEST = "manifest.json"


def tiny(name: str = "tiny") -> ViTSpec:
    return ViTSpec.uniform(8, 2, 1, resolution=4, patch=2, in_channels=1, classes=2, name=name)


def subjects(plan: Plan) -> list[Subject]:
    return list(dict.fromkeys(part.subject for point in plan.points for part in point.parts))


PLANS = {
    "alone": Plan.of_blocks(tiny().blocks(), "alone", [tiny("one")]),
    "in_network": Plan.of_blocks(tiny().blocks(), "in_network"),
    "in_model": Plan.in_model(tiny()),
}


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


# --- damage and malice ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The real artifacts of two small blocks."""
    path = tmp_path_factory.mktemp("bundle") / "b.zip"
    blocks = [Block.of("mlp", embed=8, mlp=width, tokens=2) for width in (8, 16)]
    build_bundle(Plan.of_blocks(blocks), Target(OnnxRuntimeBackend(), CPU), path)
    return path.read_bytes()


def sealed(data: bytes) -> bytes:
    return data[:-64] + hashlib.sha256(data[:-64]).hexdigest().encode()


def changed(data: bytes, **entries: bytes | None) -> bytes:
    """Return the bundle with entries replaced (None: left out), sealed again."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        new.comment = old.comment
        contents = {name: old.read(name) for name in old.namelist()}
        for name, content in (contents | entries).items():
            if content is None:
                continue
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            new.writestr(entry, content)
    return sealed(buffer.getvalue())


def contents_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def stream_of(data: bytes, name: str) -> int:
    """Return a place in the middle of an entry's bytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entry = archive.getinfo(name)
    return entry.header_offset + 30 + len(name) + entry.compress_size // 2


def with_artifact(data: bytes, artifact: bytes) -> bytes:
    """Return the bundle with another first artifact, which its manifest vouches for."""
    manifest = json.loads(contents_of(data)[MANIFEST])
    first, second = manifest["artifacts"]
    first |= {"bytes": len(artifact), "sha256": hashlib.sha256(artifact).hexdigest()}
    sizes = [len(artifact), second["bytes"]]
    manifest["limits"] = {"files": 2, "largest_bytes": max(sizes), "bytes": sum(sizes)}
    entries = {first["file"]: artifact, MANIFEST: json.dumps(manifest).encode()}
    return changed(data, **entries)


@given(st.data())
def test_every_changed_byte_is_one_sentence(
    small_bundle: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.zip"
    position = data.draw(st.integers(0, len(small_bundle) - 1))
    spoilt = bytearray(small_bundle)
    spoilt[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(spoilt)
    with pytest.raises(UserError) as caught:
        Bundle(path)
    assert "\n" not in str(caught.value)


def test_a_changed_byte_of_an_artifact_names_it(
    small_bundle: bytes, path: Path, refused: Refused
) -> None:
    for name in contents_of(small_bundle):
        at = stream_of(small_bundle, name)
        spoilt = bytearray(small_bundle)
        spoilt[at] ^= 1
        path.write_bytes(spoilt)
        with refused("b.zip", name, "damaged"):
            Bundle(path)


@given(st.data())
def test_a_file_that_is_cut_off_is_one_sentence(
    small_bundle: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.zip"
    path.write_bytes(small_bundle[: data.draw(st.integers(0, len(small_bundle) - 1))])
    with pytest.raises(UserError) as caught:
        Bundle(path)
    assert "\n" not in str(caught.value)


FIRST, SECOND = "artifacts/0000.onnx", "artifacts/0001.onnx"


def test_the_small_bundle_is_as_the_tests_think(small_bundle: bytes, path: Path) -> None:
    assert list(contents_of(small_bundle)) == [FIRST, SECOND, MANIFEST]
    path.write_bytes(changed(small_bundle))
    with Bundle(path) as bundle:
        for point in bundle.plan.points:
            (part,) = point.parts
            assert len(bundle.artifact(part.subject).data) > 100


def test_sealed_anew_an_artifact_must_still_be_what_the_manifest_says(
    small_bundle: bytes, path: Path, refused: Refused
) -> None:
    first, second = (contents_of(small_bundle)[name] for name in (FIRST, SECOND))
    path.write_bytes(changed(small_bundle, **{FIRST: first[:-1] + b"x"}))
    with Bundle(path) as bundle, refused("b.zip", FIRST, "SHA-256 differs"):
        bundle.artifact(subjects(bundle.plan)[0])
    for entries, words in (
        ({FIRST: first + b"x"}, [FIRST, f"has {len(first) + 1} bytes and not the {len(first)}"]),
        ({FIRST: second, SECOND: first}, [FIRST, "bytes and not the"]),
        ({FIRST: None}, ["lacks", FIRST]),
        ({"artifacts/0002.onnx": b"x"}, ["artifacts/0002.onnx", "does not list"]),
        ({MANIFEST: b"{}"}, [MANIFEST, "format is None"]),
        ({MANIFEST: None}, ["has no manifest.json"]),
    ):
        path.write_bytes(changed(small_bundle, **entries))
        with refused("b.zip", *words):
            Bundle(path)


def test_what_is_changed_while_it_is_measured_is_noticed(path: Path, refused: Refused) -> None:
    plan = Plan.of_blocks([Block.of("mlp", embed=64, mlp=256, tokens=2)])  # 130 kB of weights
    build_bundle(plan, Target(OnnxRuntimeBackend(), CPU), path)
    with Bundle(path) as bundle:
        (subject,) = subjects(bundle.plan)
        assert len(bundle.artifact(subject).data) > 130_000
        with path.open("r+b") as file:
            file.seek(stream_of(path.read_bytes(), FIRST))
            file.write(b"changed")
        with refused("b.zip", FIRST, "damaged"):
            bundle.artifact(subject)


def test_what_finds_no_room_unpacked_is_refused(
    small_bundle: bytes, path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    path.write_bytes(small_bundle)
    unpacked = json.loads(contents_of(small_bundle)[MANIFEST])["limits"]["bytes"]
    free = [unpacked]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free[0]))
    with Bundle(path) as bundle:
        bundle.check_room()
        free[0] -= 1
        with refused("b.zip", "unpacked", tempfile.gettempdir(), "TMPDIR"):
            bundle.check_room()


def test_a_refused_bundle_is_closed_again(small_bundle: bytes, path: Path) -> None:
    path.write_bytes(small_bundle + b"\0")
    opened: list[Any] = []
    real = bundle_zip._opened
    with pytest.MonkeyPatch.context() as patch, pytest.raises(UserError):
        patch.setattr(bundle_zip, "_opened", lambda where: opened.append(real(where)) or opened[0])
        Bundle(path)
    assert opened[0].closed


def stranger(artifact: bytes, attack: Callable[[Any], None]) -> bytes:
    model = onnx.load_model_from_string(artifact)
    attack(model)
    return model.SerializeToString()


def read_a_file(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def foreign_operator(model: Any) -> None:
    model.graph.node[0].domain = "com.evil"


@pytest.mark.parametrize(
    ("attack", "words"),
    [(read_a_file, ["another file", "/etc/passwd"]), (foreign_operator, ["'com.evil'"])],
)
def test_a_model_that_reaches_out_is_refused_before_the_runtime_sees_it(
    attack: Callable[[Any], None],
    words: list[str],
    small_bundle: bytes,
    path: Path,
    out: Path,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hostile = stranger(contents_of(small_bundle)[FIRST], attack)
    path.write_bytes(with_artifact(small_bundle, hostile))
    loaded: list[bytes] = []
    load = OnnxRuntimeBackend.load

    def watched(self: OnnxRuntimeBackend, artifact: bytes, options: BackendOptions) -> Any:
        loaded.append(artifact)
        return load(self, artifact, options)

    monkeypatch.setattr(OnnxRuntimeBackend, "load", watched)
    with Bundle(path) as bundle, refused("b.zip", FIRST, *words, "is refused"):
        measure_table(bundle.plan, Target(OnnxRuntimeBackend(), CPU), out, artifacts=bundle)
    assert hostile not in loaded


def test_what_is_no_model_is_refused_with_its_name(
    small_bundle: bytes, path: Path, out: Path, refused: Refused
) -> None:
    path.write_bytes(with_artifact(small_bundle, b"\x80\x04\x95 a pickle, say"))
    with Bundle(path) as bundle, refused("b.zip", FIRST, "reading the ONNX model failed"):
        measure_table(bundle.plan, Target(OnnxRuntimeBackend(), CPU), out, artifacts=bundle)


def test_programs_are_given_to_no_runtime_unless_they_are_trusted(
    small_bundle: bytes, path: Path, refused: Refused
) -> None:
    """TensorRT runs what is in an engine."""
    manifest = json.loads(contents_of(small_bundle)[MANIFEST])
    manifest["setting"] |= {"device": "t4", "backend": "tensorrt", "dtype": "fp16"}
    path.write_bytes(changed(small_bundle, **{MANIFEST: json.dumps(manifest).encode()}))
    with Bundle(path) as bundle:
        with refused("b.zip", "engines, which are programs", "`trust`"):
            bundle.check_trust()
        with refused("`trust`"):
            bundle.artifact(subjects(bundle.plan)[0])
    with Bundle(path, trusted=True) as bundle:
        bundle.check_trust()
        assert bundle.artifact(subjects(bundle.plan)[0]).data


def test_what_was_not_compiled_says_why(
    build: Build, path: Path, new_backend: NewBackend, widths: Widths
) -> None:
    build(widths(8), new_backend(build_fault=lambda _: "too wide"))
    with Bundle(path) as bundle, pytest.raises(CannotBuildError, match="too wide"):
        bundle.artifact(subjects(bundle.plan)[0])


@pytest.fixture(autouse=True)
def nothing_is_unpacked(tmp_path: Path) -> Iterator[None]:
    """Whatever a bundle holds, no file appears but the bundle and the table."""
    yield
    found = {entry.name for entry in tmp_path.rglob("*")}
    assert found <= {"b.zip", "again.zip", "lut.csv", "local.csv"}, found


def test_limits_are_the_ones_documented() -> None:
    assert bundle_zip.MOST_ARTIFACTS == 10_000
    assert bundle_zip.LARGEST_ARTIFACT == 2 * 1024**3 - 1
    assert bundle_zip.LARGEST_BUNDLE == 32 * 1024**3
    assert bundle_zip.LARGEST_MANIFEST == 8 * 1024**2


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
