"""Equation 7 on models whose modules' worth is planted, and tables that no machine measured."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from vitprof.models import Block, Spec
from vitprof.models.removal import RemovableModule, removable, without
from vitprof.search.impact.impact import Impact, by_worth, module_impacts
from vitprof.search.impact.plot import impact_figure
from vitprof.search.supernet.recalibration import recalibrate
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.training.data.images import Images, Normalisation
from vitprof.training.evaluate import evaluate
from vitprof.training.inputs import model_inputs

NORM = Normalisation((0.5,), (0.25,))
NORM_OF_THREE = Normalisation((0.5,) * 3, (0.25,) * 3)
TableOf = Callable[..., LatencyTable]


@pytest.fixture(scope="module")
def table_of(row_of: Callable[..., Row], setting: Setting) -> TableOf:
    """Return a table of a model and of all that is left of it: 1 ms a MMAC, but for some blocks."""

    def made(spec: Spec, **ms_by_op: Callable[[Block], float]) -> LatencyTable:
        specs = [spec, *(module.left for module in removable(spec))]
        blocks = dict.fromkeys(block for each in specs for block in each.blocks())
        rows = [
            row_of(block, ms_by_op.get(block.op, lambda block: block.macs / 1e6)(block))
            for block in blocks
        ]
        return LatencyTable(rows, setting)

    return made


def images_for(spec: Spec, labels: Sequence[int] | None = None, count: int = 40) -> Images:
    rng = np.random.default_rng(0)
    shape = (count, spec.in_channels, spec.resolution, spec.resolution)
    pixels = rng.integers(0, 256, shape).astype(np.uint8)
    given = np.zeros(count, int) if labels is None else np.asarray(labels)
    return Images(pixels, given, tuple(str(n) for n in range(spec.classes)))


def answered_by(model: nn.Module) -> Images:
    """Return images whose classes are what the model says: it is always right."""
    images = images_for(model.spec)
    with torch.no_grad():
        said = model(model_inputs(images, NORM)).argmax(dim=1)
    return replace(images, labels=said.numpy())


def test_impacts_are_the_difference_that_each_module_makes(specs, randomised, table_of) -> None:
    model = randomised(specs["vit"])
    # An MLP that adds nothing is worth nothing.
    nn.init.zeros_(model.blocks[1].mlp.fc2.weight)
    nn.init.zeros_(model.blocks[1].mlp.fc2.bias)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    images, table, seen = answered_by(model), table_of(model.spec), []
    impacts = module_impacts(
        model,
        table,
        images,
        NORM,
        on_progress=lambda _, done, total, __: seen.append((done, total)),
    )
    modules = removable(model.spec)
    assert {impact.name for impact in impacts} == {module.name for module in modules}
    for impact in impacts:
        left = without(model, impact.module)
        right = evaluate(left, images, NORM).correct[1] / 40
        assert (impact.accuracy, impact.accuracy_without) == (1.0, right)
        macs = model.spec.macs - left.spec.macs
        assert impact.ms_saved == pytest.approx(macs / 1e6)
        assert impact.points_per_ms == pytest.approx(100 * (1 - right) / (macs / 1e6))
    assert impacts[0].name == "layers.1.mlp"
    assert impacts[0].points_lost == 0
    assert impacts[-1].points_lost > 20
    ratios = [impact.points_per_ms for impact in impacts]
    assert ratios == sorted(ratios)
    assert seen == [(n, len(modules) + 1) for n in range(1, len(modules) + 2)]
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_batch_norms_are_calibrated_once_a_module_is_gone(specs, randomised, table_of) -> None:
    model = randomised(specs["autovit"])
    table, calibration = table_of(model.spec), images_for(model.spec, count=64)
    images = answered_by(model)
    plain = {i.name: i for i in module_impacts(model, table, images, NORM)}
    impacts = module_impacts(model, table, images, NORM, calibration)
    for impact in impacts:
        assert impact.accuracy == 1.0  # the model itself keeps the statistics it has
        left = without(model, impact.module)
        for part in left.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.train().momentum = 1.0  # the only batch counts alone
        with torch.no_grad():
            left(model_inputs(calibration, NORM))
        assert impact.accuracy_without == evaluate(left, images, NORM).correct[1] / 40
    assert any(i.accuracy_without != plain[i.name].accuracy_without for i in impacts)


def recalibrated(model: nn.Module, images: Images, norm: Normalisation, batch: int) -> nn.Module:
    fresh = copy.deepcopy(model)
    recalibrate(fresh, images, norm, batch)
    return fresh


def test_calibrated_statistics_are_those_of_the_images(specs, randomised) -> None:
    model = randomised(specs["autovit"])
    images = images_for(model.spec, count=32)
    fresh = recalibrated(model, images, NORM, batch=16)
    convolved = model.blocks[0].conv.conv(model_inputs(images, NORM)).detach()
    norm = fresh.blocks[0].conv.bn
    torch.testing.assert_close(norm.running_mean, convolved.mean(dim=(0, 2, 3)))
    halves = [half.var(dim=(0, 2, 3)) for half in convolved.split(16)]
    torch.testing.assert_close(norm.running_var, (halves[0] + halves[1]) / 2)
    assert not norm.training
    assert norm.momentum == model.blocks[0].conv.bn.momentum
    assert not torch.equal(norm.running_mean, model.blocks[0].conv.bn.running_mean)


def test_one_image_left_over_is_no_batch(specs, randomised) -> None:
    """Batch norm behind the mean over the map would find one value, and fail."""
    model = randomised(specs["efficientvit"])
    three = recalibrated(model, images_for(model.spec, count=3), NORM_OF_THREE, batch=2)
    two = recalibrated(model, images_for(model.spec, count=2), NORM_OF_THREE, batch=2)
    for name, tensor in two.state_dict().items():
        if name.startswith("head"):
            assert torch.isfinite(tensor).all()
            assert tensor.shape == three.state_dict()[name].shape


def test_a_module_that_saves_no_time_says_so(specs, randomised, table_of) -> None:
    model = randomised(specs["autovit"])
    ms = {3: 5.0, 2: 6.0, 1: 6.0}  # by the layers of a stage
    table = table_of(model.spec, mobilevit=lambda block: ms[block["depth"]])
    impacts = {i.name: i for i in module_impacts(model, table, images_for(model.spec), NORM)}
    slower, same = impacts["transformers.0.layers.1"], impacts["transformers.1.layers.0"]
    assert slower.ms_saved == pytest.approx(-1.0)
    assert same.ms_saved == pytest.approx(0.0)
    assert slower.points_per_ms is same.points_per_ms is None
    assert (slower.ratio_in_words, same.ratio_in_words) == ("costs time", "saves no time")
    assert list(impacts)[-5:] == [name for name in impacts if name.startswith("transformers")]


def test_the_order_is_free_ones_by_time_then_equation_7_then_those_that_save_none(specs) -> None:
    module = removable(specs["vit"])[0]

    def impact(name: str, lost: float, saved: float) -> Impact:
        named = RemovableModule(name, module.kind, module.left, module.weights)
        return Impact(named, 0.9, 0.9 - lost / 100, 10.0, 10.0 - saved)

    given = [
        impact("not a time", 0.0, 0.0),
        impact("dear", 8.0, 1.0),
        impact("cheap", 1.0, 1.0),
        impact("gains, little time", -2.0, 0.1),
        impact("slower", -5.0, -1.0),
        impact("gains, much time", -1.0, 3.0),
    ]
    assert [each.name for each in by_worth(given)] == [
        "gains, much time",
        "gains, little time",
        "cheap",
        "dear",
        "slower",
        "not a time",
    ]


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        (lambda block: block.op == "classifier", ("small-vit:", "'classifier'")),
        (lambda block: block["depth"] == 1, ("small-autovit without transformers.1.layers.0:",)),
    ],
)
def test_a_table_that_lacks_something_is_refused_before_any_test(
    specs, randomised, table_of, refused, lacking, words
) -> None:
    family = words[0].split("-")[1].split(":")[0].split(" ")[0]
    model = randomised(specs[family])
    whole = table_of(model.spec)
    axis_known = [row for row in whole.rows if family == "vit" or row.subject.op == "mobilevit"]
    gone = {row.key for row in axis_known if lacking(row.subject)}
    assert gone
    table = whole.with_rows(row for row in whole.rows if row.key not in gone)
    tested = []
    with refused("does not cover", *words):
        module_impacts(
            model,
            table,
            images_for(model.spec),
            NORM,
            on_progress=lambda *done: tested.append(done),
        )
    assert not tested


def test_the_picture_is_drawn(specs, randomised, table_of, tmp_path: Path) -> None:
    model = randomised(specs["autovit"])
    impacts = module_impacts(model, table_of(model.spec), images_for(model.spec), NORM)
    for name in ("impact.png", "impact.svg"):
        impact_figure(impacts, model.spec, 40).savefig(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 5000
    text = (tmp_path / "impact.svg").read_text()
    for said in ("transformers.0.layers.1", "mbconvs.1.2", "small-autovit"):
        assert said in text
