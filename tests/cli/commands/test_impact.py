"""`vitprof impact` through the command, on a tiny model with random weights and the digits."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from vitprof.models import AutoViTSpec, MBConvStage, Spec, TransformerStage, ViTSpec, create_model
from vitprof.models.removal import removable
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.training.data.datasets import load_dataset
from vitprof.training.model_folder import write_model

pytestmark = pytest.mark.slow

VIT = ViTSpec.uniform(
    16, 2, 2, mlp=32, resolution=8, patch=2, classes=10, in_channels=1, name="digits-vit"
)
AUTOVIT = AutoViTSpec(
    mbconvs=(MBConvStage(8, 2, 1, 1),),
    transformers=(TransformerStage(8, 8, 2, 2, 4, 4, 8, 1),),
    pool_width=16,
    stem_width=8,
    resolution=8,
    classes=10,
    in_channels=1,
    name="digits-autovit",
)


def folder_of(spec: Spec, folder: Path) -> Path:
    torch.manual_seed(0)
    write_model(create_model(spec), folder, load_dataset("digits").normalisation)
    return folder


def table_of(spec: Spec, row_of, setting: Setting, path: Path) -> Path:
    specs = [spec, *(module.left for module in removable(spec))]
    blocks = dict.fromkeys(block for each in specs for block in each.blocks())
    rows: list[Row] = [row_of(block, block.macs / 1e6 + 0.01) for block in blocks]
    LatencyTable(rows, setting).to_csv(path)
    return path


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, row_of, setting) -> dict[str, Path]:
    """Folders of models by name, and their tables by name.csv."""
    folder = tmp_path_factory.mktemp("impact")
    found = {}
    for spec in (VIT, AUTOVIT):
        found[spec.name] = folder_of(spec, folder / spec.name)
        path = folder / f"{spec.name}.csv"
        found[path.name] = table_of(spec, row_of, setting, path)
    return found


def arguments(given: dict[str, Path], name: str = "digits-vit") -> tuple[object, ...]:
    return ("impact", "--model", given[name], "--table", given[f"{name}.csv"], "--data", "digits")


def test_json_csv_and_picture_agree(run, given, tmp_path: Path) -> None:
    out, plot = tmp_path / "impact.csv", tmp_path / "impact.png"
    answer = run(*arguments(given), "--out", out, "--plot", plot, "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    assert (found["model"], found["images"], len(found["modules"])) == ("digits-vit", 359, 6)
    assert plot.read_bytes().startswith(b"\x89PNG")
    lines = list(csv.DictReader(out.open()))
    assert [line["module"] for line in lines] == [each["module"] for each in found["modules"]]
    for line, each in zip(lines, found["modules"], strict=True):
        assert float(line["points_per_ms"]) == pytest.approx(each["points_per_ms"], abs=1e-5)
        assert float(line["latency_ms"]) == pytest.approx(found["latency_ms"], abs=1e-5)
        assert each["points_lost"] == pytest.approx(
            100 * (found["top1"] - each["top1_without"]), abs=1e-3
        )
        assert each["points_lost"] / each["ms_saved"] == pytest.approx(
            each["points_per_ms"], rel=1e-3, abs=1e-3
        )
    asked = run(
        "predict", "--table", given["digits-vit.csv"], "--model", given["digits-vit"], "--json"
    )
    assert asked.json["latency_ms"] == pytest.approx(found["latency_ms"])
    told = run("eval", "--model", given["digits-vit"], "--data", "digits", "--json")
    assert told.json["top1"] == pytest.approx(found["top1"])


def test_people_are_told_which_images_and_what_one_of_them_is(run, given) -> None:
    answer = run(*arguments(given), "--images", "50")
    assert answer.code == 0, answer.err
    assert "of 50 images of digits (test)" in answer.out
    for name in ("layers.0.attention", "layers.1.mlp", "layers.1 "):
        assert name in answer.out
    assert "one image is 2 points" in answer.err
    assert "batch norms" not in answer.err


def test_some_images_are_always_the_same(run, given) -> None:
    first, second = (run(*arguments(given), "--images", "50", "--json").out for _ in range(2))
    assert first == second


def test_batch_norms_get_statistics_of_training_images(run, given) -> None:
    answer = run(*arguments(given, "digits-autovit"), "--images", "50")
    assert answer.code == 0, answer.err
    assert "mbconvs.0.1" in answer.out
    assert "transformers.0.layers.1" in answer.out
    assert "statistics of 512 images of digits (train)" in answer.err
    without = run(*arguments(given, "digits-autovit"), "--calibration-images", "0")
    assert "statistics" not in without.err


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"--table": "digits-autovit.csv"}, "does not cover digits-vit"),
        ({"--model": "swin-tiny"}, "supported are vit, autovit, efficientvit"),
        ({"--model": "bert-tiny"}, "model of texts"),
        ({"--model": "vit-micro-8"}, "no weights"),
        ({"--out": "nowhere/impact.csv"}, "cannot be written"),
        ({"--plot": "impact.txt"}, "not a picture"),
        ({"--calibration-images": "1"}, "at least 2"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(run, given, changed, words: str) -> None:
    options: dict[str, object] = {
        "--model": given["digits-vit"],
        "--table": given["digits-vit.csv"],
        "--data": "digits",
        **{key: given.get(value, value) for key, value in changed.items()},
    }
    answer = run("impact", *(word for pair in options.items() for word in pair))
    assert (answer.code, answer.is_one_sentence) == (2, True), answer.err
    assert words in answer.err


def test_a_table_without_what_is_left_names_the_module(run, given, tmp_path: Path) -> None:
    table = LatencyTable.read_csv(given["digits-autovit.csv"])
    rows = [r for r in table.rows if r.subject.op != "mobilevit" or r.subject["depth"] > 1]
    path = tmp_path / "lut.csv"
    table.with_rows(rows).to_csv(path)
    answer = run("impact", "--model", given["digits-autovit"], "--table", path, "--data", "digits")
    assert (answer.code, answer.is_one_sentence) == (2, True), answer.err
    assert "digits-autovit without transformers.0.layers.0" in answer.err
