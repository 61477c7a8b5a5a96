"""Search spaces by name and from files that nobody vouches for."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.errors import UserError
from vitprof.spaces.registry import (
    LARGEST_FILE_BYTES,
    find_search_space,
    search_space_from_dict,
    search_space_names,
)

from .small_spaces import SMALL

pytestmark = pytest.mark.slow

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "spaces" / "autovit-cifar.toml"
DOCS = Path(__file__).parents[2] / "docs" / "search-spaces.md"
TOML = """
family = "vit"
resolution = 32
patch = 8
classes = 3
embed = [24, 16]
depth = 2
heads = [1, 2]
qk = 8
mlp_ratio = [1, 1.5]
"""


def edited(family: str, *path: Any, **changes: Any) -> dict[str, Any]:
    """Return a small space's fields with some changed, of a stage by its path; None removes."""
    fields = copy.deepcopy(SMALL[family])
    part: Any = fields
    for step in path:
        part = part[step]
    part.update(changes)
    for name in [name for name, value in changes.items() if value is None]:
        del part[name]
    return fields


@pytest.mark.parametrize("name", search_space_names())
def test_every_name_has_a_space_that_its_fields_describe(name: str) -> None:
    space = find_search_space(name)
    assert space.name == name
    again = search_space_from_dict(json.loads(json.dumps(space.to_dict())), "the test")
    assert again == space
    assert again.to_dict() == space.to_dict()


def test_small_spaces_are_what_their_fields_describe(small) -> None:
    assert search_space_from_dict(small.to_dict(), "the test") == small


def test_a_toml_file_and_a_json_file_say_the_same(tmp_path: Path) -> None:
    toml, written = tmp_path / "mine.toml", tmp_path / "mine.json"
    toml.write_text(TOML)
    space = find_search_space(str(toml))
    written.write_text(json.dumps(space.to_dict()))
    assert find_search_space(str(written)) == space
    assert space.name == "mine"
    assert {g.name: g.values for g in space.genes}["embed"] == (16, 24)
    assert space.count() == 2 * (2 * 2) ** 2
    named = tmp_path / "named.toml"
    named.write_text('name = "other"\n' + TOML)
    assert find_search_space(str(named)).name == "other"


def test_the_space_for_cifar_is_one() -> None:
    space = find_search_space(str(BENCHMARK))
    spec = space.supernet_spec()
    assert (space.family, spec.resolution, spec.classes) == ("autovit", 32, 10)  # type: ignore[attr-defined]
    drawn = space.sample(np.random.default_rng(0), 50)
    assert all(space.spec(row).params < 3e6 for row in drawn)


def test_the_documented_files_are_spaces(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    families = []
    for example in examples:
        path = tmp_path / "mine.toml"
        path.write_text(example)
        space = find_search_space(str(path))
        families.append(space.family)
        assert space.count() > 1000
        for row in space.sample(np.random.default_rng(0), 20):
            assert space.spec(row).macs > 0
    assert families == ["vit", "bert", "swin", "vgg", "autovit", "efficientvit"]


# --- refused -------------------------------------------------------------------------------------

BAD: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"family": "resnet"}, ("family='resnet'", "vit, autovit, bert, efficientvit, vgg, swin")),
    ({}, ("family=None",)),
    ({"family": ["vit"]}, ("family=",)),
    (edited("vit", name=""), ("name",)),
    (edited("vit", name=7), ("name=7",)),
    (edited("vit", embd=[16]), ("unknown field 'embd'", "'embed'")),
    (edited("vit", embed=None), ("'embed' is missing",)),
    (edited("vit", depth=None), ("'depth' is missing",)),
    (edited("vit", mlp_ratio=None), ("one of mlp and mlp_ratio",)),
    (edited("vit", mlp=[16]), ("one of mlp and mlp_ratio",)),
    (edited("vit", embed=[]), ("embed has no choice",)),
    (edited("vit", embed=[16, 16]), ("embed", "twice")),
    (edited("vit", embed=[-16]), ("embed", "-16")),
    (edited("vit", embed=True), ("embed", "True")),
    (edited("vit", embed=[True]), ("embed", "True")),
    (edited("vit", embed="16"), ("embed", "'16'")),
    (edited("vit", embed=[10**12]), ("embed", "1000000000000")),
    (edited("vit", embed=[10**6]), ("1500000", "65536")),
    (edited("vit", depth=[10**6]), ("depth=1000000",)),
    (edited("vit", heads=list(range(1, 2000))), ("heads", "1999")),
    (edited("vit", patch=7), ("patch", "7")),
    (edited("vit", classes=-1), ("classes=-1",)),
    (edited("autovit", stem_width=None), ("'stem_width' is missing",)),
    (edited("autovit", pool_width=None), ("'pool_width' is missing",)),
    (edited("autovit", mbconv=None), ("'mbconv'",)),
    (edited("autovit", mbconv=[]), ("'mbconv'",)),
    (edited("autovit", transformer={}), ("'transformer'",)),
    (edited("autovit", transformer=[3]), ("transformer 1", "3")),
    (edited("autovit", stages=[1, 3]), ("stages=[1, 3]", "2 that are described")),
    (edited("autovit", widths_never_shrink="no"), ("widths_never_shrink", "'no'")),
    (edited("autovit", activation="sin"), ("activation", "sin")),
    (edited("autovit", "mbconv", 0, depth=None), ("mbconv-1", "'depth' is missing")),
    (edited("autovit", "mbconv", 0, stride=None), ("mbconv-1", "'stride' is missing")),
    (edited("autovit", "mbconv", 0, stride=3), ("stride=3",)),
    (edited("autovit", "mbconv", 0, heads=[1]), ("mbconv-1", "unknown field 'heads'")),
    (edited("autovit", "transformer", 1, ratio=None), ("transformer-2", "'ratio' is missing")),
    (edited("autovit", "transformer", 1, heads=[0]), ("transformer-2.heads", "0")),
    (edited("autovit", resolution=36), ("36",)),
    (edited("efficientvit", stage=None), ("'stage'",)),
    (edited("efficientvit", stage=[]), ("'stage'",)),
    (edited("efficientvit", stage=["a"]), ("stage 1", "'a'")),
    (edited("efficientvit", "stage", 1, heads=None), ("stage-2", "'heads' is missing")),
    (edited("efficientvit", "stage", 1, head=[2]), ("stage-2", "unknown field 'head'")),
    (edited("efficientvit", "stage", 0, embed=[16, 20, 48]), ("embed=20", "multiple of 8")),
    (edited("efficientvit", "stage", 0, embed=[16], heads=[3]), ("no model", "heads divides")),
    (edited("efficientvit", kernels=5), ("kernels=5",)),
    (edited("efficientvit", v_ratio=10**400), ("v_ratio",)),
    (edited("efficientvit", qk=[1.5]), ("qk", "1.5")),
    (edited("swin", stage=None), ("'stage'",)),
    (edited("swin", embed=[16]), ("unknown field 'embed'",)),
    (edited("swin", "stage", 0, heads=None), ("stage-1", "'heads' is missing")),
    (edited("swin", "stage", 0, qk=[0]), ("stage-1.qk", "0")),
    (edited("swin", "stage", 1, embed=[4]), ("no model", "shrink")),
    (edited("swin", window=3), ("window=3",)),
    (edited("bert", vocab=3), ("vocab=3",)),
    (edited("bert", tokens=[8]), ("tokens=(8,)",)),
    (edited("bert", tokens=17), ("tokens=17",)),
    (edited("bert", mlp=None), ("one of mlp and mlp_ratio",)),
    (edited("vgg", hidden=None), ("`dense`", "`hidden`")),
    (edited("vgg", resolution=18), ("resolution=18",)),
    (edited("vgg", "stage", 0, channels=[]), ("stage-1.channels has no choice",)),
    (edited("vgg", "stage", 0, width=[4]), ("stage-1", "unknown field 'width'")),
]


@pytest.mark.parametrize(("fields", "words"), BAD)
def test_what_is_no_space_is_one_sentence(refused, fields, words: tuple[str, ...]) -> None:
    with refused("the file", *words):
        search_space_from_dict(fields, "the file")


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(-2, 70) | st.floats() | st.none(), max_size=3),
    st.just({}),
    st.just([{}]),
    st.just(10**5000),
    st.just([10**5000]),
)


@given(st.sampled_from(list(SMALL)), st.data(), JUNK)
def test_any_junk_is_refused_or_makes_models(family: str, data: st.DataObject, junk: Any) -> None:
    fields = copy.deepcopy(SMALL[family])
    part: Any = fields
    while isinstance(part, dict | list) and part:
        key = data.draw(st.sampled_from(sorted(part) if isinstance(part, dict) else [0]))
        inner = part[key]
        if data.draw(st.booleans()) or not isinstance(inner, dict | list) or not inner:
            part[key] = junk
            break
        part = inner
    try:
        space = search_space_from_dict(fields, "the file")
    except UserError as error:
        assert "\n" not in str(error)
        return
    for row in space.sample(np.random.default_rng(0), 3):
        assert space.spec(row).macs > 0


def test_an_unknown_name_is_answered_with_the_nearest(refused) -> None:
    with refused("'autovit-xss'", "did you mean 'autovit-xs'", "vitprof space lists"):
        find_search_space("autovit-xss")


def test_a_folder_without_a_supernet_says_what_is_missing(refused, tmp_path) -> None:
    with refused(str(tmp_path), "no supernet.json", "once its training is done"):
        find_search_space(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.toml", "embed = [16", "not valid TOML"),
        ("a.toml", b"\xff\xfe", "not UTF-8"),
        ("a.toml", "embed = " + "9" * 5000, "not valid TOML"),
        ("a.toml", "x = " + "[" * 5000, "nested too deeply"),
        ("a.toml", "embed = 1\nembed = 2", "not valid TOML"),
        ("a.toml", "", "family=None"),
        ("a.toml", "#" * (LARGEST_FILE_BYTES + 1), "is larger than"),
        ("a.json", "[]", "not a JSON object"),
        ("a.json", "{", "not valid JSON"),
    ],
)
def test_a_file_that_is_no_space_is_one_sentence(refused, tmp_path, name, content, words) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with refused(str(path), words):
        find_search_space(str(path))


@pytest.mark.parametrize("name", ["gone.toml", "gone.json", "folder.toml", "folder.json"])
def test_a_file_that_cannot_be_read_is_one_sentence(refused, tmp_path: Path, name: str) -> None:
    if name.startswith("folder"):
        (tmp_path / name).mkdir()
    with refused(str(tmp_path / name)):
        find_search_space(str(tmp_path / name))


def test_a_supernets_folder_stands_for_its_space(tmp_path, refused) -> None:
    space = find_search_space("autovit-xxs")
    (tmp_path / "supernet.json").write_text(json.dumps({"space": space.to_dict()}))
    assert find_search_space(str(tmp_path)) == space
    (tmp_path / "supernet.json").write_text("{}")
    with refused("supernet.json", "which space"):
        find_search_space(str(tmp_path))
