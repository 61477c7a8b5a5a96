"""Families are found by name: vitprof's own, and one of another wheel, which all commands know."""

from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from vitprof.models import (
    AXES,
    Block,
    Spec,
    create_block,
    create_model,
    create_spec,
    find_op,
    plugin_axes,
    plugin_ops,
    spec_names,
)
from vitprof.models.families.family import Family
from vitprof.models.families.registry import (
    BUILT_IN,
    built_in,
    families,
    families_with,
    family_names,
    find_family,
)
from vitprof.models.modules.spec_model import SpecModel

Install = Callable[..., None]
PLACES = [
    field.name
    for field in dataclasses.fields(Family)
    if field.name not in ("name", "title", "package", "takes", "api", "hugging_face")
]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_place_of_a_record_is_there(name: str) -> None:
    family = built_in(name)
    assert family.name == name
    assert family.load("spec").family == name
    for place in PLACES:
        if getattr(family, place) is not None:
            assert family.load(place) is not None
    for place in family.hugging_face.values():
        assert callable(family.at(place))
    assert issubclass(family.load("module"), SpecModel)
    assert {op.name for op in family.load("ops")} >= set(family.load("blocks"))


def test_another_wheels_family_is_as_good_as_our_own(install_toy: Install, tmp_path) -> None:
    axes = AXES
    install_toy()
    assert family_names() == [*BUILT_IN, "toy"]
    assert [family.name for family in families()] == [*BUILT_IN, "toy"]
    assert spec_names()[-2:] == ["toy-small", "toy-large"]
    spec = create_spec("toy-large")
    assert (spec.family, spec.params) == ("toy", 3 * 16 + 16 * 10)
    assert Spec.from_json(spec.to_json()) == spec
    (tmp_path / "spec.json").write_text(spec.to_json())
    assert create_spec(tmp_path) == spec

    model = create_model(spec)
    assert model.spec == spec
    assert sum(p.numel() for p in model.parameters()) == spec.params
    images = torch.randn(2, 3, 16, 16)
    x = images
    for step, block in zip(model.chain(), spec.blocks(), strict=True):
        assert x.shape[1:] == block.input_shape
        x = step(x)
    torch.testing.assert_close(x, model(images))

    assert find_op("toy_mixer").axes == ("reach", "out_channels", "resolution")
    assert list(plugin_ops()) == ["toy_stem", "toy_mixer", "toy_head"]
    assert (plugin_axes(), AXES) == (("reach",), axes)
    block = Block.of("toy_mixer", reach=3, out_channels=4, resolution=8)
    assert create_block(block)(torch.randn(1, *block.input_shape)).shape[1:] == block.output_shape


def test_its_weights_and_config_are_read(install_toy: Install, tmp_path) -> None:
    install_toy()
    model = create_model("toy-small")
    weights = {f"toy.{name}": weight for name, weight in model.state_dict().items()}
    torch.save(weights, tmp_path / "model.pt")
    read = create_model("toy-small", checkpoint=tmp_path / "model.pt")
    for name, weight in read.state_dict().items():
        torch.testing.assert_close(weight, model.state_dict()[name])
    (tmp_path / "config.json").write_text('{"model_type": "toy", "hidden_size": 24}')
    assert create_spec(tmp_path / "config.json").to_dict()["width"] == 24


def test_what_a_family_has_not_is_refused_in_words(install_toy: Install, refused) -> None:
    from vitprof.models.ablations import choices_of
    from vitprof.models.inheritance.inherited import inherited
    from vitprof.models.removal import removable
    from vitprof.models.structures.prunable import prunable_of

    install_toy()
    spec = create_spec("toy-small")
    with refused("toy-small", "'toy'", "vit and bert and vgg and swin"):
        prunable_of(spec)
    with refused("'toy'", "vit, autovit, efficientvit"):
        removable(spec)
    with refused("'toy'", "autovit, efficientvit, swin, vit"):
        inherited(spec, spec)
    with refused("'toy'", "efficientvit"):
        choices_of(spec)
    assert "toy" not in families_with("structures")


@pytest.mark.parametrize(
    ("changes", "name", "reason"),
    [
        ([('name="toy"', 'name="other"')], "toy", "it calls itself 'other'"),
        ([('= "toy"', '= "tox"')], "toy", "its spec says that the family is 'tox'"),
        ([("package=__name__", "package=__name__, api=2")], "toy", "made for version 2"),
        ([('":ToySpec"', '"nowhere:ToySpec"')], "toy", "cannot be imported (ModuleNotFoundError"),
        ([('"toy_mixer"', '"attention"')], "toy", "vitprof has an op 'attention' itself"),
        ([('"toy_mixer"', '"softmax"')], "toy", "vitprof has an op 'softmax' itself"),
        ([("from vitprof.models import", "from vitprof.none import")], "toy", "cannot be imported"),
        (
            [("def known() -> list[ToySpec]:", "def known():\n    return 1 / 0")],
            "toy",
            "looking into it fails (ZeroDivisionError",
        ),
        (
            [("return [ToySpec(name", "return [3, ToySpec(name")],
            "toy",
            "model of it is not a ToySpec",
        ),
        ([], "swin", "vitprof has a family of this name itself"),
    ],
)
def test_an_unfit_family_is_left_out_with_one_sentence(
    changes, name: str, reason: str, install_toy: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install_toy(*changes, name=name)
    with caplog.at_level(logging.WARNING, "vitprof"):
        assert [family.name for family in families()] == list(BUILT_IN)
        assert "toy-small" not in spec_names()
        assert create_spec("swin-tiny").family == "swin"
    (message,) = (record.getMessage() for record in caplog.records)
    assert message.startswith(f"the family '{name}' of the wheel 'toy-vision' is left out: ")
    assert reason in message
    assert message.endswith(".")
    assert "\n" not in message


def test_modules_that_cannot_be_imported_are_said_where_they_are_needed(
    install_toy: Install, refused
) -> None:
    install_toy(('"toy_modules:Toy"', '"toy_modules:Tox"'))
    assert create_spec("toy-small").macs > 0
    with refused("'toy_modules:Tox' of the family 'toy'", "AttributeError"):
        create_model("toy-small")


def test_an_unknown_family_names_the_nearest(install_toy: Install, refused) -> None:
    install_toy()
    with refused("unknown family 'toi'", "'toy'"):
        find_family("toi")
    with refused("unknown op 'toy_mixr'", "'toy_mixer'"):
        find_op("toy_mixr")
    with refused("unknown model 'toy-smal'", "'toy-small'"):
        create_spec("toy-smal")


def test_our_own_models_look_at_no_other_wheel() -> None:
    code = (
        "import sys, vitprof\n"
        "spec = vitprof.create_spec('efficientvit-m0')\n"
        "assert vitprof.Spec.from_json(spec.to_json()) == spec\n"
        "assert [block.macs for block in spec.blocks()]\n"
        "print('importlib.metadata' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
