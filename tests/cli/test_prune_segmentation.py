"""`vitprof prune --method optin` of a Mask2Former, from a folder of images to dense folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from vitprof.compress.segmentation.mask2former import load_mask2former
from vitprof.models import create_model, create_spec
from vitprof.spaces.swin import SwinSlabs
from vitprof.tables import LatencyTable, Row, Setting

pytestmark = pytest.mark.slow

torch.set_num_threads(1)  # quicker for models as small as these


@pytest.fixture(scope="module")
def model(tmp_path_factory, write_mask2former_folder) -> Path:
    folder = tmp_path_factory.mktemp("model") / "m2f"
    write_mask2former_folder(folder)
    return folder


@pytest.fixture(scope="module")
def table(tmp_path_factory, model) -> Path:
    path = tmp_path_factory.mktemp("table") / "lut.csv"
    rows = [
        Row(
            block,
            latency_ms=ms,
            low_ms=ms,
            high_ms=ms,
            min_ms=ms,
            p10_ms=ms,
            p90_ms=ms,
            p99_ms=ms,
            session_ms=(ms,) * 3,
            samples=9,
        )
        for block in SwinSlabs.covering(create_spec(model)).blocks()
        for ms in [block.macs / 1e6 + 0.01]
    ]
    LatencyTable(rows, Setting("cpu", "onnxruntime", "CPUExecutionProvider")).to_csv(path)
    return path


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Ten images with masks of the model's four classes, and pixels that do not count."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name, shape, values in (("images", (40, 70, 3), 256), ("masks", (40, 70), 4)):
        (folder / name).mkdir()
        for nth in range(10):
            pixels = rng.integers(0, values, shape, dtype=np.uint8)
            if name == "masks":
                pixels[:5] = 255
            Image.fromarray(pixels).save(folder / name / f"{nth}.png")
    return folder


ONE_SHOT = ("--method", "optin", "--score-images", "2", "--reconstruct", "4", "--groups", "mlp=4")


def test_one_target_writes_everything_into_the_folder(run, model, table, images, tmp_path) -> None:
    import onnxruntime

    out = tmp_path / "out"
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target",
        "0.9x",
        *ONE_SHOT,
        "--data",
        images,
        "--out",
        out,
        "--json",
    )
    assert answer.code == 0, answer.err
    found = answer.json
    assert found["predicted_ms"] <= found["target_ms"]
    assert found["measured_ms"] is None
    assert found["params"] < found["base"]["params"]
    assert 0 < found["agreement_accuracy"] <= 1
    assert 0 < found["agreement_miou"] <= 1
    assert 0 < found["miou"] < 1
    assert 0 < found["base"]["miou"] < 1
    assert {path.name for path in out.iterdir()} == {
        "base.json",
        "config.json",
        "model.safetensors",
        "model.onnx",
        "preprocessor_config.json",
        "redistribution.csv",
        "redistribution.png",
        "report.json",
        "run.json",
        "spec.json",
    }
    assert json.loads((out / "report.json").read_text())["miou"] == pytest.approx(
        found["miou"], abs=1e-5
    )
    asked = run("predict", "--table", table, "--model", out, "--json")
    assert asked.json["latency_ms"] == found["predicted_ms"]
    # The ONNX file is the pruned backbone, and transformers' model has it.
    batch = torch.randn(1, 3, 64, 64)
    swin = create_model(out, checkpoint=out)
    session = onnxruntime.InferenceSession(out / "model.onnx", providers=["CPUExecutionProvider"])
    given = session.run(None, {"input": batch.numpy()})[0]
    torch.testing.assert_close(torch.from_numpy(given), swin(batch).detach(), rtol=1e-3, atol=1e-4)
    full = load_mask2former(out)
    own = full.model.pixel_level_module.encoder.swin.encoder.layers[2].blocks[1].mlp.fc1
    assert own.out_features == swin.spec.stages[2].layers[1].mlp
    assert full(batch).class_queries_logits.shape == (1, 5, 5)


@pytest.mark.long
def test_several_targets_without_masks_and_in_macs(run, model, table, images, tmp_path) -> None:
    out = tmp_path / "out"
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--target-macs",
        "0.92x,0.87x",
        *ONE_SHOT,
        "--score",
        "magnitude",
        "--data",
        images / "images",
        "--out",
        out,
    )
    assert answer.code == 0, answer.err
    assert "the decoders are in no table" in answer.err
    report = json.loads((out / "report.json").read_text())
    assert [each["target"] for each in report["models"]] == ["0.92x", "0.87x"]
    for each in report["models"]:
        assert each["miou"] is None
        assert each["macs"] <= float(each["target"][:-1]) * report["base"]["macs"]
        assert (Path(each["out"]) / "report.json").is_file()
        load_mask2former(each["out"])
    # What is pruned can be pruned further; the finished run cannot be done over.
    again = run(
        "prune",
        "--model",
        out / "0.92x",
        "--table",
        table,
        "--target-macs",
        "0.96x",
        *ONE_SHOT,
        "--score",
        "random",
        "--data",
        images,
        "--out",
        tmp_path / "further",
        "--json",
    )
    assert again.code == 0, again.err
    assert again.json["base"]["macs"] == report["models"][0]["macs"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--merge-tokens",), "--merge-tokens has no effect on a Mask2Former"),
        (("--order", "heads"), "--order has no effect"),
        (("--credit", "macs"), "--credit has no effect"),
        (("--checkpoint", "x"), "--checkpoint has no effect"),
        (("--method", "nvit"), "pruned by --method optin"),
        (("--score", "taylor"), "has no --score taylor"),
        (("--epochs", "3"), "--epochs belongs to --method nvit"),
        (("--score-images", "9"), "use fewer"),
        (("--target", "0.01x"), "out of reach"),
        (("--resolution", "65"), "64 or 96"),
        (("--resolution", "96"), "resolution"),
        (("--only", "stages.7."), "nothing of m2f may shrink"),
        (("--data", "/nowhere"), "is not a folder"),
        (("--groups", "mlp=x"), "not a size"),
    ],
    ids=str,
)
def test_bad_input_is_one_sentence(run, model, table, images, tmp_path, arguments, words) -> None:
    given = ("--score-images", "2", "--reconstruct", "4") if "nvit" not in arguments else ()
    out = tmp_path / "out"
    answer = run(
        "prune",
        "--model",
        model,
        "--table",
        table,
        "--method",
        "optin",
        "--target",
        "0.9x",
        *given,
        "--data",
        images,
        *arguments,
        "--out",
        out,
        "--json",
    )
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert words in answer.err
    assert not out.exists()


def test_a_table_can_be_planned_for_the_backbone(model) -> None:
    space = SwinSlabs.create(create_spec(model), resolution=96)
    assert "pooled_tokens_classifier" not in {slab.op for slab in space.slabs}
    drawn = space.calibration_models(2)
    assert drawn
    assert all(spec.classes == 0 for spec in drawn)
