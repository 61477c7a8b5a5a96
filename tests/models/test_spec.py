from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.models import Block, Spec, ViTSpec

GOOD = {"family": "vit", "embed": 12, "depth": 2, "heads": 3, "patch": 4, "resolution": 8}


@given(data=st.data())
def test_json_round_trip_is_exact(any_vits, data):
    spec = data.draw(any_vits)
    assert Spec.from_json(spec.to_json()) == spec
    assert Spec.from_dict(spec.to_dict()) == spec


def test_json_file_round_trip(tmp_path):
    spec = ViTSpec.uniform(12, 2, 3, name="größe", norm_eps=1e-12)
    path = tmp_path / "spec.json"
    path.write_text(spec.to_json(), encoding="utf-8")
    assert Spec.from_json(path) == Spec.from_json(str(path)) == spec


def test_json_is_pretty_and_plain_json():
    text = ViTSpec.uniform(12, 2, 3).to_json()
    assert json.loads(text)["layers"][1] == {"heads": 3, "qk": 4, "v": 4, "mlp": 48}
    assert text.count("\n") > 10
    assert max(map(len, text.splitlines())) < 80


def test_a_file_without_a_name_gives_its_own(tmp_path):
    path = tmp_path / "small.json"
    path.write_text(json.dumps(GOOD))
    assert Spec.from_json(path).name == "small"
    assert Spec.from_json(json.dumps(GOOD)).name == "custom"


def test_a_byte_order_mark_is_allowed(tmp_path):
    path = tmp_path / "small.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode())
    assert Spec.from_json(path).embed == 12


def test_sums_are_those_of_the_blocks():
    spec = ViTSpec.uniform(12, 2, 3)
    assert spec.macs == sum(block.macs for block in spec.blocks())
    assert spec.params == sum(block.params for block in spec.blocks())


LAYER = {"heads": 3, "qk": 4, "v": 4, "mlp": 48}
EXPLICIT = {"family": "vit", "embed": 12, "patch": 4, "resolution": 8}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"embd": 3}, ["'embd'", "'embed'"]),
        ({"embed": "12"}, ["embed='12'", "65536"]),
        ({"embed": True}, ["embed=True"]),
        ({"embed": 12.0}, ["embed=12.0"]),
        ({"embed": None}, ["embed=None"]),
        ({"embed": 0}, ["embed=0"]),
        ({"embed": -4}, ["embed=-4"]),
        ({"embed": 65_537}, ["embed=65537"]),
        ({"embed": 10**4000}, ["embed=1000"]),
        ({"embed": [12]}, ["embed=[12]"]),
        ({"embed": {"a": 1}}, ["embed="]),
        ({"depth": 0}, ["depth=0", "1024"]),
        ({"depth": 1025}, ["depth=1025"]),
        ({"heads": -1}, ["heads=-1"]),
        ({"heads": 4097}, ["heads=4097", "4096"]),
        ({"heads": 5}, ["heads=5", "embed=12", "divide"]),
        ({"qk": 0}, ["qk=0"]),
        ({"v": 4097}, ["v=4097"]),
        ({"mlp": 65_537}, ["mlp=65537"]),
        ({"classes": -1}, ["classes=-1"]),
        ({"classes": 262_145}, ["classes=262145"]),
        ({"in_channels": 0}, ["in_channels=0"]),
        ({"patch": 0}, ["patch=0"]),
        ({"patch": 3}, ["resolution=8", "patch=3", "multiple"]),
        ({"resolution": 4100}, ["resolution=4100", "4096"]),
        ({"resolution": 4096, "patch": 1}, ["tokens", "larger patch"]),
        ({"distilled": 1}, ["distilled=1", "true or false"]),
        ({"distillation_head": True}, ["distillation_head", "distilled"]),
        ({"norm_eps": 0}, ["norm_eps=0"]),
        ({"norm_eps": "1e-6"}, ["norm_eps='1e-6'"]),
        ({"norm_eps": True}, ["norm_eps=True"]),
        ({"attention_scale_dim": 0}, ["attention_scale_dim=0"]),
        ({"name": 3}, ["name=3"]),
        ({"name": "a\nb"}, ["name=", "printable"]),
        ({"name": ""}, ["name=''"]),
        ({"layers": [LAYER]}, ["'layers'", "'depth'", "both"]),
        ({"family": "vti"}, ["'vti'", "'vit'"]),
        ({"family": ["vit"]}, ["['vit']"]),
    ],
)
def test_a_wrong_field_is_named(refused, tmp_path, change, words):
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps({**GOOD, **change}))
    with refused("wrong.json", *words):
        Spec.from_json(path)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([], ["depth=0"]),
        ([LAYER] * 1025, ["depth=1025"]),
        ({"0": LAYER}, ["layers=", "list"]),
        ([LAYER, 3], ["layers[1]", "3"]),
        ([LAYER, {**LAYER, "qk": 0}], ["layers[1]", "qk=0"]),
        ([LAYER, {**LAYER, "mpl": 0}], ["layers[1]", "'mpl'", "'mlp'"]),
        ([{"heads": 3, "qk": 4, "v": 4}], ["layers[0]", "'mlp'", "missing"]),
        ([{"heads": 3, "mlp": 4}], ["layers[0]", "'qk'", "missing"]),
        ([{**LAYER, "heads": True}], ["layers[0]", "heads=True"]),
    ],
)
def test_a_wrong_layer_is_named(refused, layers, words):
    with refused(*words):
        Spec.from_json(json.dumps({**EXPLICIT, "layers": layers}))


@pytest.mark.parametrize("field", ["family", "embed", "depth", "heads"])
def test_a_missing_field_is_named(refused, field):
    with refused(f"'{field}'"):
        Spec.from_json(json.dumps({name: GOOD[name] for name in GOOD if name != field}))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["empty"]),
        (b"  \n", ["empty"]),
        (b"\x80\x02}q\x00\xff", ["binary"]),
        (b"\x00\x00\x00", ["JSON"]),
        (b"[1, 2]", ["[1, 2]", "not a JSON object"]),
        (b"null", ["None", "not a JSON object"]),
        (b'{"family": "vit",\n "embed": }', ["line 2, column 11"]),
        (b'{"family": "vit"', ["not valid JSON"]),
        (b'{"embed": NaN}', ["NaN"]),
        (b'{"embed": -Infinity}', ["-Infinity"]),
        (b'{"embed": 1e999, "family": "vit", "depth": 1, "heads": 1}', ["'1e999'", "64 bits"]),
        (b'{"embed": ' + b"1" * 5000 + b"}", ["thousands of digits"]),
        (b'{"embed": 3, "embed": 4}', ["'embed'", "twice"]),
        (b'{"a":' * 200_000, ["deep"]),
        (b"[" * 200_000, ["deep"]),
        (b" " * (10 * 2**20 + 1), ["larger than 10 MiB"]),
    ],
    ids=lambda value: repr(value[:12]) if isinstance(value, bytes) else "",
)
def test_a_file_that_is_no_json_object(refused, tmp_path, content, words):
    path = tmp_path / "wrong.json"
    path.write_bytes(content)
    with refused("wrong.json", *words):
        Spec.from_json(path)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nowhere/spec.json", ["nowhere/spec.json", "does not exist"]),
        ("", ["is a folder"]),
        ("/dev/null", ["/dev/null", "is a device"]),
        ("x" * 5000, ["check the path"]),
        ("a\0b", ["check the path"]),
    ],
)
def test_a_path_that_cannot_be_read(refused, path, words):
    with refused(*words):
        Spec.from_json(path)
    with refused(*words):
        Spec.from_json(Path(path))


@dataclass(frozen=True, kw_only=True)
class PlainSpec(Spec):
    """A family that has no checks of its own."""

    family: ClassVar[str] = "plain"

    widths: tuple[int, ...]
    depth: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_whole_numbers()

    def blocks(self) -> list[Block]:
        return []


def test_fields_of_a_family_without_checks_of_its_own_are_checked(refused) -> None:
    spec = PlainSpec.from_fields({"widths": [1, 2], "name": "x"})
    assert spec == PlainSpec(name="x", widths=(1, 2))
    for record, word in (
        ({}, "widths"),
        ({"widths": [1], "width": 3}, "width"),
        ({"widths": []}, "widths"),
        ({"widths": 5}, "widths"),
        ({"widths": [1, "2"]}, "widths"),
        ({"widths": [0]}, "widths"),
        ({"widths": [1], "depth": True}, "depth"),
        ({"widths": [1], "depth": 10**9}, "depth"),
    ):
        with refused(word):
            PlainSpec.from_fields(record)
