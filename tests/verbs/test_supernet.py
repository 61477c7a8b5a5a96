"""`vitprof.supernet` on digits, and searching what it trained."""

from __future__ import annotations

import json

import pytest
import vitprof
from vitprof import UserError
from vitprof.spaces.registry import search_space_from_dict

from ..spaces.small_spaces import table_of

pytestmark = pytest.mark.slow

FIELDS = {
    "family": "vit",
    "name": "tiny",
    "embed": [16, 24],
    "depth": [1, 2],
    "heads": [1, 2],
    "qk": 8,
    "mlp": [16, 32],
    "resolution": 8,
    "patch": 2,
}
QUICK = {"augment": "none", "autocast": "fp32"}


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    space = search_space_from_dict(FIELDS, "the test")
    out = tmp_path_factory.mktemp("supernet") / "net"
    return vitprof.supernet(space, "digits", out=out, epochs=4, batch=64, sandwich=1, **QUICK)


def test_its_subnets_are_judged(net) -> None:
    frame = net.to_frame().set_index("which")
    assert list(frame.index) == ["largest", "median", "smallest"]
    assert frame.loc["largest", "params"] == net.spec.params
    assert net.spec.classes == 10
    assert net.held_out == 143
    assert json.loads((net.path / "report.json").read_text()) == net.report()
    assert "tiny: 40 models" in repr(net)
    assert "<table" in net._repr_html_()


def test_its_subnets_are_searched(net, tmp_path) -> None:
    found = vitprof.search_models(
        supernet=net.path,
        data="digits",
        tables=[table_of(net.space)],
        max_params="4k",
        images=60,
        algorithm="exhaustive",
    )
    assert found.best.params <= 4000
    assert found.best.accuracy == found.best.figure == max(found.evaluated["figure"])
    assert found.weights is not None
    assert found.report()["top1"] == pytest.approx(found.weights.tested.top(1), abs=1e-6)
    found.save(tmp_path / "found")
    assert vitprof.evaluate(tmp_path / "found" / "best", "digits").top1 == pytest.approx(
        found.report()["top1"], abs=1e-6
    )


SPACES = {
    # Half of the tokens are merged away, or none.
    "vit": {**FIELDS, "depth": 2, "kept": [0.5, 1]},
    # A model with fewer heads than the most: the supernet is wider than all of its models.
    "efficientvit": {
        "resolution": 32,
        "kernels": [1],
        "qk": 4,
        "ffn_ratio": [1, 2],
        "stage": [{"embed": [16, 24, 32], "depth": [1, 2], "heads": [1, 2]}],
    },
    "swin": {
        "resolution": 8,
        "patch": 1,
        "window": 4,
        "stage": [
            {"embed": [16, 24], "depth": [1, 2], "heads": [1, 2], "qk": 8, "mlp_ratio": 1},
            {"embed": [24, 32], "depth": 1, "heads": [2], "qk": 8, "mlp_ratio": [1, 2]},
        ],
    },
}


@pytest.mark.parametrize("family", list(SPACES))
@pytest.mark.few("vit")
def test_other_spaces_are_trained_and_searched_under_a_latency(family, tmp_path) -> None:
    space = search_space_from_dict({"family": family, **SPACES[family]}, "the test")
    plan = {"epochs": 3, "batch": 64, "learning_rate": 4e-3, "sandwich": 0, **QUICK}
    net = vitprof.supernet(space, "digits", out=tmp_path / "net", **plan)
    assert max(net.to_frame()["top1"]) > 0.18  # 0.1 by chance
    table = table_of(net.space)
    low, high = (
        table.predict(net.space.spec(end)).ms for end in (net.space.smallest(), net.space.largest())
    )
    limit = (low + high) / 2
    found = vitprof.search_models(
        supernet=net.path,
        data="digits",
        tables=[table],
        max_latency=limit,
        images=60,
        algorithm="exhaustive",
    )
    assert found.best.latency_ms[0] <= limit
    assert found.best.accuracy == max(found.evaluated["figure"])
    found.save(tmp_path / "found")
    assert vitprof.evaluate(tmp_path / "found" / "best", "digits").top1 == pytest.approx(
        found.report()["top1"], abs=1e-6
    )


def test_what_cannot_be_is_one_sentence_in_words_of_python(net, tmp_path) -> None:
    with pytest.raises(UserError, match="`distill_in_place` needs"):
        vitprof.supernet(net.space, "digits", out=tmp_path / "out", distill_in_place=True)
    with pytest.raises(UserError, match="finished run; give another `out`"):
        vitprof.supernet(net.space, "digits", out=net.path, epochs=4)


def test_images_on_disk_train_the_same_supernet(tmp_path) -> None:
    """Read as they come by two processes, or kept in memory: the same weights."""
    import numpy as np
    from PIL import Image
    from safetensors.numpy import load_file

    draw = np.random.default_rng(0)
    for number in range(48):
        place = tmp_path / "photos" / f"class{number % 2}" / f"{number:02}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 255, (8, 8, 3), np.uint8)).save(place)
    space = search_space_from_dict({**FIELDS, "classes": 2}, "the test")
    weights = []
    for keep, workers in (("memory", None), ("disk", 2)):
        made = vitprof.supernet(
            space,
            tmp_path / "photos",
            out=tmp_path / keep,
            epochs=2,
            batch=8,
            validation=8,
            keep=keep,
            workers=workers,
            **QUICK,
        )
        weights.append(load_file(made.path / "model.safetensors"))
    assert all(np.allclose(weights[0][name], weights[1][name], atol=1e-5) for name in weights[0])
