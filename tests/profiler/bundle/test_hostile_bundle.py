"""Bundles that are damaged, or made by somebody hostile."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_bundle import (
    CPU,
    MANIFEST,
    changed,
    contents_of,
    stream_of,
    subjects,
    with_artifact,
)
from vitprof.backends import BackendOptions, OnnxRuntimeBackend
from vitprof.errors import UserError
from vitprof.models import Block
from vitprof.profiler.bundle import zip_file as bundle_zip
from vitprof.profiler.bundle.bundle import BuildResult, Bundle, build_bundle
from vitprof.profiler.measure import measure_table
from vitprof.profiler.plan import Plan
from vitprof.profiler.target import Target
from vitprof.profiler.workshop import CannotBuildError

pytestmark = pytest.mark.usefixtures("nothing_is_unpacked")

Widths = Callable[..., Plan]
NewBackend = Callable[..., Any]
Refused = Callable[..., Any]
Build = Callable[..., BuildResult]


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


def test_limits_are_the_ones_documented() -> None:
    assert bundle_zip.MOST_ARTIFACTS == 10_000
    assert bundle_zip.LARGEST_ARTIFACT == 2 * 1024**3 - 1
    assert bundle_zip.LARGEST_BUNDLE == 32 * 1024**3
    assert bundle_zip.LARGEST_MANIFEST == 8 * 1024**2
