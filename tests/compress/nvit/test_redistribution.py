"""Widths before and after, and what a unit matters and costs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from vitprof.compress.budget import Budget
from vitprof.compress.cutting import prunable_of
from vitprof.compress.nvit.redistribution import (
    by_kind,
    sensitivities,
    sensitivities_to_csv,
    to_csv,
    widths,
)
from vitprof.compress.nvit.redistribution_plot import (
    draw_redistribution,
    plot_redistribution,
)

from ..conftest import SWIN, VGG, VIT


def test_widths_layer_by_layer() -> None:
    after = prunable_of(VIT).with_units(VIT, {"embed": 32, "layers.1.mlp": 32, "layers.2.heads": 2})
    found = {w.structure: w for w in widths(VIT, after)}
    assert len(found) == 1 + 3 * 4
    assert (found["embed"].before, found["embed"].after) == (64, 32)
    assert (found["layers.1.mlp"].before, found["layers.1.mlp"].after) == (64, 32)
    assert found["layers.2.heads"].layer == "layers.2"
    lines = to_csv(list(found.values())).splitlines()
    assert lines[0] == "structure,kind,before,after,share"
    assert lines[1] == "embed,embed,64,32,0.5000"


def test_a_units_latency_is_what_the_model_takes_less(linear_table) -> None:
    importance = {s.name: torch.ones(s.units) for s in prunable_of(VIT).structures(VIT, True)}
    sizes = {"embed": 16, "heads": 1, "qk": 8, "v": 8, "mlp": 16}
    floors = {f"layers.{n}.heads": 4 for n in range(3)}
    lines = sensitivities(VIT, importance, Budget(linear_table), sizes, floors)
    assert [each.structure for each in lines][:3] == ["embed", "layers.0.heads", "layers.0.qk"]
    text = sensitivities_to_csv(lines).splitlines()
    assert text[0] == "structure,kind,units,importance,latency_ms"
    assert text[2] == "layers.0.heads,heads,4,1,"
    assert len(text) == len(lines) + 1 == 1 + 1 + 3 * 4
    found = {each.kind: each for each in by_kind(lines)}
    assert found["heads"].latency_ms is None
    assert found["mlp"].units == 3 * 64
    assert found["mlp"].importance == 1
    # An MLP's neuron is 2 * tokens * embed MACs, at 1 ms a MMAC.
    assert found["mlp"].latency_ms == pytest.approx(2 * 17 * 64 / 1e6, rel=1e-3)


@pytest.mark.parametrize("spec", [VIT, SWIN, VGG], ids=["vit", "swin", "vgg"])
def test_the_picture_is_drawn(spec, linear_table, tmp_path) -> None:
    from PIL import Image

    path: Path = tmp_path / "shape.png"
    plot_redistribution(widths(spec, spec), [], linear_table.setting, path)
    with Image.open(path) as image:
        assert image.width > 400


def test_only_what_changed_has_a_panel_and_the_rest_is_named(linear_table, tmp_path) -> None:
    changes = {"layers.1.mlp": 32, "layers.2.heads": 2}
    shape = widths(VIT, prunable_of(VIT).with_units(VIT, changes))
    figure = draw_redistribution(shape, [])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["heads", "MLP"]
    assert figure.get_supxlabel() == "unchanged: QK a head, V a head, EMB"


def test_the_mean_of_a_kind_is_over_its_units(linear_table) -> None:
    importance = {"layers.0.mlp": torch.ones(64), "layers.1.heads": torch.arange(4.0)}
    sizes = {"embed": 16, "heads": 1, "qk": 8, "v": 8, "mlp": 16}
    lines = sensitivities(VIT, importance, Budget(linear_table), sizes, {})
    assert [(x.structure, x.importance) for x in lines] == [
        ("layers.0.mlp", 1.0),
        ("layers.1.heads", 1.5),
    ]
    assert [(x.kind, x.units, x.importance) for x in by_kind([*lines, *lines[:1]])] == [
        ("heads", 4, 1.5),
        ("mlp", 128, 1.0),
    ]
