"""NViT's whole recipe through the command: from timm's and Hugging Face's folders, from disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from vitprof.compress.nvit import redistribution_plot
from vitprof.models import create_model, create_spec
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.training.data.images import Normalisation
from vitprof.training.model_folder import write_model

pytestmark = pytest.mark.slow

SIDE, EMBED, DEPTH, HEADS, MLP = 32, 64, 2, 4, 256
# RandAugment is timm's, which is in an environment of its own.
RECIPE = ("--recipe", "nvit", "--rand-augment", "", "--batch", "8", "--workers", "1")
TARGETS = ("0.54x", "0.50x", "0.39x", "0.19x")


def timms(folder: Path) -> Path:
    """A folder as timm saves a distilled DeiT, here a small one with random weights."""
    arguments = {"img_size": SIDE, "embed_dim": EMBED, "depth": DEPTH, "num_heads": HEADS}
    record = {
        "architecture": "deit_base_distilled_patch16_224",
        "num_classes": 2,
        "model_args": arguments,
        "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
    }
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(record))
    torch.manual_seed(0)
    save_file(create_model(create_spec(folder)).state_dict(), folder / "model.safetensors")
    return folder


def hugging_faces(folder: Path) -> Path:
    from transformers import DeiTConfig, DeiTForImageClassificationWithTeacher

    torch.manual_seed(0)
    config = DeiTConfig(
        hidden_size=EMBED,
        num_hidden_layers=DEPTH,
        num_attention_heads=HEADS,
        intermediate_size=MLP,
        image_size=SIDE,
        num_labels=2,
    )
    DeiTForImageClassificationWithTeacher(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """The same as a folder of ours."""
    place = tmp_path_factory.mktemp("base")
    spec = create_spec(timms(place / "timm"))
    model = create_model(spec, checkpoint=place / "timm")
    write_model(model, place / "deit", Normalisation((0.5,) * 3, (0.25,) * 3))
    return place / "deit"


@pytest.fixture(autouse=True)
def little_is_written(monkeypatch) -> None:
    """No pictures and exported programs, which take longer than all else and are tested apart."""
    monkeypatch.setattr(redistribution_plot, "plot_redistribution", lambda *given: None)
    monkeypatch.setattr("vitprof.verbs.pruned.hand_back", lambda *given: None)


@pytest.fixture(scope="module")
def table(tmp_path_factory, base) -> Path:
    spec = create_spec(base)
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
        for block in dict.fromkeys(ViTSlabs.covering(spec).blocks())
        for ms in [block.macs / 1e6]
    ]
    path = tmp_path_factory.mktemp("table") / "lut.csv"
    LatencyTable(rows, Setting("cpu", "onnxruntime", "CPUExecutionProvider")).to_csv(path)
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """train and val of JPEGs of noise in two classes; 40 and 10 images."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for part, count in (("train", 20), ("val", 5)):
        for label in range(2):
            place = folder / part / "ab"[label]
            place.mkdir(parents=True)
            for nth in range(count):
                pixels = rng.integers(0, 100, (40, 48, 3)) + 120 * label
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{nth}.jpg")
    return folder


@pytest.mark.parametrize("origin", [timms, hugging_faces])
@pytest.mark.few("timms")
def test_a_dry_run_goes_through_every_phase_of_the_recipe(
    run, table, photos, tmp_path, origin: Callable[[Path], Path]
) -> None:
    model, out = origin(tmp_path / "deit"), tmp_path / "out"
    answer = run(
        "prune", "--model", model, "--table", table, "--data", photos, "--out", out, *RECIPE,
        "--autocast", "fp32", "--limit-batches", "1", "--keep", "disk", "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert "the recipe nvit has a CNN teacher" in answer.err
    assert "40 images are read from" in answer.err
    models = answer.json["models"]
    assert [each["target"] for each in models] == list(TARGETS)
    for each in models:
        assert each["predicted_ms"] <= each["target_ms"]
        spec = create_spec(out / each["target"] / "spec.json")
        assert spec.distilled
        assert spec.params == each["params"]
    asked = json.loads((out / "run.json").read_text())
    assert (asked["recipe"], asked["read_from"]) == ("nvit", "disk")
    assert (asked["prune_every"], asked["prune_epochs"]) == (100, 50)
    assert asked["prune_learning_rate"] == pytest.approx(1e-4 * 8 / 512)
    assert asked["groups"]["heads"] == 2
    assert asked["targets"] == list(TARGETS)
    training = asked["training"]
    assert (training["epochs"], training["repeats"], training["limit_batches"]) == (300, 3, 1)
    assert (training["stochastic_depth"], training["rand_augment"]) == (0.1, "")
    # 8 of the 10 test images.
    assert answer.json["base"]["top1"] * 8 == pytest.approx(round(answer.json["base"]["top1"] * 8))


# A run that learns: removals after steps 2, 4, 6 and 8 of 10, and then a step over one epoch.
LEARNS = (
    *("--keep", "disk", "--autocast", "fp32", "--target", "0.8x,0.6x", "--groups", "heads=1"),
    *("--prune-epochs", "1.6", "--prune-every", "2", "--epochs", "1.2", "--accumulate", "2"),
    *("--prune-learning-rate", "1e-3", "--learning-rate", "1e-3"),
)


def weights_in(out: Path) -> dict[str, dict[str, torch.Tensor]]:
    return {name: load_file(out / name / "model.safetensors") for name in ("0.8x", "0.6x")}


def check_alike(one: Path, other: Path, **tolerance: float) -> None:
    for mine, theirs in zip(weights_in(one).values(), weights_in(other).values(), strict=True):
        assert mine.keys() == theirs.keys()
        for name, weight in mine.items():
            torch.testing.assert_close(weight, theirs[name], **tolerance, msg=name)


@pytest.fixture(scope="module")
def command(base, table, photos) -> tuple[str, ...]:
    given = ("--model", base, "--table", table, "--data", photos, *RECIPE, *LEARNS, "--json")
    return ("prune", *map(str, given))


@pytest.mark.long
def test_it_stops_inside_an_epoch_and_goes_on_and_two_processes_do_the_same(
    run, command, base, tmp_path, monkeypatch
) -> None:
    from vitprof.training import loop

    whole = run(*command, "--out", tmp_path / "whole")
    assert whole.code == 0, whole.err
    names = create_spec(tmp_path / "whole/0.6x/spec.json").layers
    assert names != create_spec(base).layers

    monkeypatch.setattr("vitprof.training.saved_run.SECONDS_BETWEEN", 0.0)
    step = loop.TrainingRun._step
    for at, phase in ((3, "pruning"), (2, "finetuning 0.6x")):

        def stop(self, at=at, phase=phase):
            state = tmp_path / "stopped/state.pt"
            there = torch.load(state, weights_only=True)["phase"] if state.exists() else ""
            if self.progress.step == at and there == phase:
                raise KeyboardInterrupt
            return step(self)

        with monkeypatch.context() as patch:
            patch.setattr(loop.TrainingRun, "_step", stop)
            assert run(*command, "--out", tmp_path / "stopped").code == 130
    again = run(*command, "--out", tmp_path / "stopped")
    assert again.code == 0, again.err
    check_alike(tmp_path / "whole", tmp_path / "stopped", rtol=0, atol=0)

    started = (sys.executable, "-m", "torch.distributed.run", "--standalone")
    done = subprocess.run(
        [*started, "--nproc-per-node", "2", "-m", "vitprof", *command, "--out", tmp_path / "two"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    check_alike(tmp_path / "whole", tmp_path / "two", rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--recipe", "nvit"), "RandAugment is timm's, which is not installed (--rand-augment"),
        (("--limit-batches", "0"), "--limit-batches is 0; it has to be 1 or more"),
        (("--limit-batches", "1", "--method", "optin"), "--limit-batches belongs to --method nvit"),
        (("--prune-warmup", "2"), "--prune-warmup is 2; it is a share, up to 1"),
        (("--recipe", "nvit", "--method", "optin"), "--method optin trains none"),
    ],
)
def test_what_cannot_be_is_one_sentence(run, base, table, photos, tmp_path, options, words) -> None:
    if "timm's" in words and _has_timm():
        pytest.skip("timm is installed here")
    out = tmp_path / "out"
    answer = run(
        "prune", "--model", base, "--table", table, "--data", photos, "--target", "0.5x",
        "--out", out, *options,
    )  # fmt: skip
    assert answer.code == 2
    assert words in answer.err
    assert not out.exists()


def _has_timm() -> bool:
    try:
        import timm  # noqa: F401
    except ImportError:
        return False
    return True
