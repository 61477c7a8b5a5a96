from __future__ import annotations

import json
from pathlib import Path

import pytest
from vitprof.models import ViTLayer, ViTSpec, create_spec, spec_names


# Touvron et al. 2021, tables 1 and 5; Dosovitskiy et al. 2020, table 1.
@pytest.mark.parametrize(
    ("name", "gmacs", "million_params"),
    [
        ("deit-tiny", 1.3, 5.7),
        ("deit-small", 4.6, 22.1),
        ("deit-base", 17.6, 86.6),
        ("vit-tiny", 1.3, 5.7),
        ("vit-small", 4.6, 22.1),
        ("vit-base", 17.6, 86.6),
        ("vit-large", 61.6, 304.3),
    ],
)
def test_published_sizes(name, gmacs, million_params):
    spec = create_spec(name)
    assert round(spec.macs / 1e9, 1) == gmacs
    assert round(spec.params / 1e6, 1) == million_params


@pytest.mark.parametrize("size", ["tiny", "small", "base"])
def test_distilled_has_one_token_and_one_head_more(size):
    plain, distilled = create_spec(f"deit-{size}"), create_spec(f"deit-{size}-distilled")
    assert distilled.tokens == plain.tokens + 1 == 198
    more = 2 * plain.embed + (plain.embed + 1) * 1000  # the token, its position, its head
    assert distilled.params == plain.params + more


def test_small_models():
    assert create_spec("vit-tiny-32").params == 2_693_578
    micro = create_spec("vit-micro-8")
    assert (micro.in_channels, micro.tokens, micro.classes) == (1, 17, 10)
    assert micro.layers == (ViTLayer(4, 16, 16, 256),) * 4


def test_every_name_makes_the_spec_of_that_name():
    assert len(spec_names()) == len(set(spec_names())) >= 12
    assert [create_spec(name).name for name in spec_names()] == spec_names()


def test_a_spec_is_returned_unchanged():
    spec = ViTSpec.uniform(8, 1, 2)
    assert create_spec(spec) is spec


def test_a_spec_file(tmp_path):
    spec = ViTSpec.uniform(8, 1, 2, name="mine")
    path = tmp_path / "file.json"
    path.write_text(spec.to_json())
    assert create_spec(path) == create_spec(str(path)) == spec


def test_an_unknown_name_names_the_nearest(refused):
    with refused("'deit-tinny'", "did you mean 'deit-tiny'"):
        create_spec("deit-tinny")


@pytest.mark.parametrize("path", ["nowhere/model", "model.json", Path("model")])
def test_a_path_that_does_not_exist_is_said(refused, path):
    with refused(str(path), "file or directory"):
        create_spec(path)


def test_other_wrong_arguments(refused, tmp_path):
    with refused("config.json", str(tmp_path)):
        create_spec(tmp_path)
    with refused("not 3"):
        create_spec(3)  # type: ignore[arg-type]
    with refused("unknown model"):
        create_spec("x" * 5000)
    with refused("unknown model"):
        create_spec("a\0b")
    (tmp_path / "config.json").write_text(json.dumps({"num_classes": 10}))
    with refused("'family'", "'model_type'"):
        create_spec(tmp_path)
