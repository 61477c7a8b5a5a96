"""A bundle's manifest: what was written comes back, and anything else is one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.backends.agreement import SUMS, OutputSketch
from vitprof.errors import UserError
from vitprof.models import Block, ViTSpec
from vitprof.profiler.bundle import reading as bundle_reading
from vitprof.profiler.bundle.manifest import Manifest, Stored
from vitprof.profiler.bundle.reading import read_manifest
from vitprof.profiler.plan import Plan
from vitprof.tables import Setting

Refused = Callable[..., Any]
WHERE = "b.zip, manifest.json"


def block(width: int) -> Block:
    return Block.of("mlp", embed=8, mlp=width, tokens=2)


def spec(name: str = "tiny") -> ViTSpec:
    return ViTSpec.uniform(8, 2, 1, resolution=4, patch=2, in_channels=1, classes=2, name=name)


EXPECTED = (OutputSketch((1, 5, 8), tuple(n / 4 for n in range(SUMS))),)


def manifest_of(plan: Plan, reference: Block | None) -> Manifest:
    """Return a manifest whose second artifact could not be compiled."""
    subjects = dict.fromkeys(part.subject for point in plan.points for part in point.parts)
    if reference is not None:
        subjects[(reference,)] = None
    return Manifest(
        Setting("cpu", "onnxruntime", "CPUExecutionProvider", batch=3),
        {"onnxruntime": "1.2", "opset": 17, "spinning": False, "gpu": None},
        plan,
        reference,
        {
            subject: "no kernel"
            if nth == 1
            else Stored(f"artifacts/{nth:04}.onnx", 10 + nth, 64 * f"{nth % 10}", EXPECTED)
            for nth, subject in enumerate(subjects)
        },
    )


PLANS = {
    "alone": Plan.of_blocks([block(8), block(16)], "alone", [spec("one"), spec("two")]),
    "in_network": Plan.of_blocks([block(8), block(16)], "in_network"),
    "in_model": Plan.in_model(spec()),
}


@pytest.mark.parametrize("kind", PLANS)
def test_what_is_written_comes_back(kind: str) -> None:
    plan = PLANS[kind]
    reference = next(p.subject for p in plan.points if p.subject.op == "mlp")  # type: ignore[union-attr]
    assert isinstance(reference, Block)
    written = manifest_of(plan, reference)
    read = read_manifest(written.to_json().encode(), WHERE)
    assert read == written
    assert list(read.artifacts) == list(written.artifacts)
    assert [point.parts for point in read.plan.points] == [point.parts for point in plan.points]


@pytest.fixture
def record() -> dict[str, Any]:
    """A manifest of two blocks and two models as JSON values, to be spoiled."""
    return json.loads(manifest_of(PLANS["alone"], block(8)).to_json())


def read(record: object) -> Manifest:
    return read_manifest(json.dumps(record).encode(), WHERE)


def spoilt(record: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Set what stands at "points.0.block.mlp"; the value REMOVE takes it out."""
    *outer, last = path.split(".")
    place: Any = record
    for name in outer:
        place = place[int(name) if isinstance(place, list) else name]
    key: Any = int(last) if isinstance(place, list) else last
    if value is REMOVE:
        del place[key]
    else:
        place[key] = value
    return record


REMOVE = object()
OTHER_BLOCK = {"op": "mlp", "embed": 8, "mlp": 24, "tokens": 2}
STEM = {
    "op": "patch_embed",
    "embed": 8,
    "in_channels": 1,
    "resolution": 4,
    "kernel": 2,
    "prefix": 1,
}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("format", "vitprof-table", ["format", "vitprof-table"]),
        ("format", REMOVE, ["format"]),
        ("version", 3, ["bundle format 3", "reads 1 and 2", "same vitprof"]),
        ("version", True, ["bundle format True"]),
        ("version", "1", ["bundle format '1'"]),
        ("vitprof", 1, ["vitprof=1"]),
        ("vitprof", "0.1\n", ["vitprof"]),
        ("points", [], ["points", "0 entries"]),
        ("points", {}, ["points"]),
        ("points", REMOVE, ["'points' is missing"]),
        ("more", 1, ["unknown field 'more'"]),
        ("setting.device", REMOVE, ["device"]),
        ("setting.more", 1, ["unknown field 'more'"]),
        ("setting.batch", 0, ["batch", "from 1"]),
        ("setting.batch", 1.5, ["batch", "1.5"]),
        ("setting.batch", 10**30, ["batch"]),
        ("setting.device", "cpu\x1b[2J", ["device"]),
        ("setting.device", "", ["device"]),
        ("setting", [], ["setting is []"]),
        ("built.x", [1], ["built has [1] for x"]),
        ("built.x", 1e300, ["built has"]),
        ("built.x", "a\x1b[2Jb", ["x="]),
        ("built.x\n", "1", ["a name in built"]),
        ("built", {str(n): n for n in range(65)}, ["built has 65 entries"]),
        ("limits.bytes", 1, ["limits"]),
        ("limits", None, ["limits"]),
        ("reference", OTHER_BLOCK, ["reference block has no artifact"]),
        ("reference", "mlp", ["a block is 'mlp'"]),
        ("points.0.block.op", "mpl", ["unknown op 'mpl'", "did you mean 'mlp'"]),
        ("points.0.block.op", ["mlp"], ["op"]),
        ("points.0.block.op", "mlp\n", ["op"]),
        ("points.0.block.op", REMOVE, ["op"]),
        ("points.0.block.mlp", 0, ["mlp=0"]),
        ("points.0.block.mlp", 1e3, ["mlp=1000.0"]),
        ("points.0.block.mlp", True, ["mlp=True"]),
        ("points.0.block.mlp", 10**9, ["mlp=1000000000"]),
        ("points.0.block.mlp", REMOVE, ["lacks its dim 'mlp'"]),
        ("points.0.block.cls", 1, ["unknown field 'cls'"]),
        ("points.0.block", [], ["a block is []"]),
        ("points.0.block", OTHER_BLOCK, ["a part of mlp(embed=8, mlp=24", "has no artifact"]),
        ("points.0.context", "in_vivo", ["context is 'in_vivo'"]),
        ("points.0.context", ["alone"], ["context"]),
        ("points.0.context", "in_network", ["has no artifact"]),
        ("points.0.context", "in_model", ["stands in a model"]),
        ("points.0.context", REMOVE, ["context is None"]),
        ("points.0.more", 1, ["unknown field 'more'"]),
        ("points.0", 5, ["a point is 5"]),
        ("points.0", {"context": "alone"}, ["is not a point"]),
        ("points.0", {"block": STEM, "context": "in_network"}, ["cannot be repeated"]),
        ("points.2.context", "alone", ["is not a point"]),
        ("points.2.model", "deit-tiny", ["a model is 'deit-tiny'"]),
        ("points.2.model.family", "vti", ["unknown family 'vti'"]),
        ("points.2.model.embed", -1, ["embed=-1"]),
        ("points.2.model.layers", [{}] * 2000, ["a model"]),
        ("points.2.model.name", "other", ["a part of model other", "has no artifact"]),
        ("artifacts", [], ["artifacts", "0 entries"]),
        ("artifacts.0", REMOVE, ["has no artifact"]),
        ("artifacts.0.of", [], ["a chain of blocks"]),
        ("artifacts.0.of", [OTHER_BLOCK] * 5000, ["a chain of blocks"]),
        ("artifacts.0.of", 3, ["a chain of blocks"]),
        ("artifacts.0.of", REMOVE, ["'of' is missing"]),
        (
            "artifacts.0.file",
            "../../etc/passwd",
            ["'../../etc/passwd'", "not a name of an artifact"],
        ),
        ("artifacts.0.file", "/etc/passwd", ["not a name of an artifact"]),
        ("artifacts.0.file", "manifest.json", ["not a name of an artifact"]),
        ("artifacts.0.file", 7, ["not a name of an artifact"]),
        ("artifacts.0.file", "artifacts/0002.onnx", ["two sizes or hashes"]),
        ("artifacts.0.bytes", 0, ["bytes=0"]),
        ("artifacts.0.bytes", 2**31, ["bytes=2147483648"]),
        ("artifacts.0.bytes", "10", ["bytes='10'"]),
        ("artifacts.0.bytes", 11, ["limits"]),
        ("artifacts.0.sha256", "0" * 63, ["not a SHA-256"]),
        ("artifacts.0.sha256", "A" * 64, ["not a SHA-256"]),
        ("artifacts.0.sha256", None, ["not a SHA-256"]),
        ("artifacts.0.expected", 3, ["expected of artifacts/0000.onnx"]),
        ("artifacts.0.expected.0", [], ["an output is []"]),
        ("artifacts.0.expected.0.shape", [1, -1], ["a size=-1"]),
        ("artifacts.0.expected.0.shape", [1] * 9, ["a shape", "9 entries"]),
        ("artifacts.0.expected.0.sums", [1.0], ["sums", "1 entries"]),
        ("artifacts.0.expected.0.sums.0", "1", ["'1' is not a sum of outputs"]),
        ("artifacts.0.expected.0.sums.0", 1e300, ["is not a sum of outputs"]),
        ("artifacts.0.expected.0.sums.0", True, ["True is not a sum of outputs"]),
        ("artifacts.0.expected.0.more", 1, ["unknown field 'more'"]),
        ("artifacts.0.error", "both", ["unknown field"]),
        ("artifacts.1.error", "", ["is no reason"]),
        ("artifacts.1.error", 3, ["is no reason"]),
        ("artifacts.1.error", "x" * 501, ["is no reason"]),
        ("artifacts.1.error", "a\x1b[2J", ["is no reason"]),
    ],
)
def test_a_spoilt_entry_is_one_sentence(
    path: str, value: object, words: list[str], record: dict[str, Any], refused: Refused
) -> None:
    read(record)
    with refused(WHERE, *words):
        read(spoilt(record, path, value))


def test_version_1_is_read(record: dict[str, Any]) -> None:
    assert read({**record, "version": 1}) == read(record)


def test_nothing_stands_twice_and_nothing_is_left_over(
    record: dict[str, Any], refused: Refused
) -> None:
    for name, words in (("points", "a point appears twice"), ("artifacts", "is listed twice")):
        with refused(WHERE, words):
            read({**record, name: [*record[name], record[name][0]]})
    stray = {"of": [OTHER_BLOCK], "error": "no kernel"}
    with refused(WHERE, "belongs to no point"):
        read({**record, "artifacts": [*record["artifacts"], stray]})


def test_a_block_to_be_left_out_must_be_in_its_model(refused: Refused) -> None:
    record = json.loads(manifest_of(PLANS["in_model"], None).to_json())
    nth = next(n for n, p in enumerate(record["points"]) if p["context"] == "in_model")
    with refused(WHERE, "is not a block of the model"):
        read(spoilt(record, f"points.{nth}.block", OTHER_BLOCK))
    with refused(WHERE, "cannot be repeated or left out"):
        stem = next(p["block"] for p in record["points"] if p["block"]["op"] == "patch_embed")
        read(spoilt(record, f"points.{nth}.block", stem))


@pytest.mark.parametrize(
    ("limit", "words"),
    [("MOST_POINTS", "points: 4 entries"), ("MOST_ARTIFACTS", "lists 3 files; 1 may be")],
)
def test_numbers_have_limits(
    limit: str,
    words: str,
    record: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    refused: Refused,
) -> None:
    monkeypatch.setattr(bundle_reading, limit, 1)
    with refused(WHERE, words):
        read(record)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"/etc/passwd",
        b"\xff\xfe",
        b"{",
        b'{"format": "vitprof-bundle", "format": "vitprof-bundle"}',
        b'{"format": NaN}',
        b'{"format": "vitprof-bundle", "version": ' + b"9" * 5000 + b"}",
        b'{"a":' * 100_000,
    ],
    ids=lambda data: data[:30],
)
def test_what_is_no_json_object_is_one_sentence(data: bytes, refused: Refused) -> None:
    with refused(WHERE):
        read_manifest(data, WHERE)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def places(value: Any, path: str = "") -> list[str]:
    """Return the path of every entry within JSON values."""
    found = []
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        found += [f"{path}{key}", *places(value[key], f"{path}{key}.")]
    return found


@given(st.data())
def test_whatever_an_entry_is_replaced_by_nothing_but_a_sentence_comes_of_it(
    data: st.DataObject,
) -> None:
    kind = data.draw(st.sampled_from(sorted(PLANS)))
    record = json.loads(manifest_of(PLANS[kind], None).to_json())
    path = data.draw(st.sampled_from(places(record)))
    value = data.draw(anything | st.just(REMOVE))
    try:
        found = read(spoilt(record, path, value))
    except UserError as error:
        assert str(error).startswith(WHERE)
        assert "\n" not in str(error)
    else:  # a version, a reason, a hash, or a field that is the default where it lacks
        assert read_manifest(found.to_json().encode(), WHERE) == found
