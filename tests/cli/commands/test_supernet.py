"""`vitprof supernet` on digits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

pytestmark = pytest.mark.slow

QUICK = (
    "--data",
    "digits",
    "--epochs",
    "1",
    "--batch",
    "128",
    "--augment",
    "none",
    "--autocast",
    "fp32",
)


@pytest.fixture(scope="module")
def space(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("space") / "tiny.json"
    path.write_text(
        json.dumps(
            {
                "family": "vit",
                "embed": [16, 24],
                "depth": [1, 2],
                "heads": [1, 2],
                "qk": 8,
                "mlp_ratio": [1, 2],
                "resolution": 8,
                "patch": 2,
            }
        )
    )
    return path


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def test_a_supernet_is_trained_and_found_again(run, space, tmp_path) -> None:
    out = tmp_path / "net"
    answer = run(
        "supernet",
        "--space",
        space,
        *QUICK,
        "--sandwich",
        "1",
        "--distill-in-place",
        "--out",
        out,
        "--json",
    )
    assert answer.code == 0, answer.err
    report = answer.json
    assert {
        "spec.json",
        "model.safetensors",
        "preprocessor_config.json",
        "supernet.json",
        "report.json",
    } <= {path.name for path in out.iterdir()}
    assert not (out / "state.pt").exists()
    # 1438 training images, a tenth of them held out.
    assert (report["images"], report["held_out"]) == (1295, 143)
    assert report["models"] == 2 * (4 + 16)
    subnets = {subnet["which"]: subnet for subnet in report["subnets"]}
    sizes = [subnets[which]["params"] for which in ("smallest", "median", "largest")]
    assert sizes == sorted(sizes)
    assert sizes[2] == report["params"] > sizes[0]
    assert report["sharing"]["efficiency"] == 1

    from vitprof.search.supernet.folder import read_supernet
    from vitprof.training.data.datasets import load_dataset
    from vitprof.training.evaluate import evaluate

    found = read_supernet(out)
    _, held_out = found.record.parts(load_dataset("digits").train)
    spec = found.record.space.spec(found.record.space.smallest())
    again = evaluate(found.supernet.extract(spec), held_out, found.norm)
    assert round(again.top(1), 6) == subnets["smallest"]["top1"]
    assert found.record.training["sandwich"] == 1

    words = run(
        "supernet",
        "--space",
        space,
        *QUICK[:2],
        "--epochs",
        "0",
        "--checkpoint",
        out,
        "--out",
        tmp_path / "on",
    )
    assert words.code == 0, words.err
    assert "may have been trained on" in words.err
    assert "40 models" in words.out
    assert "candidate blocks share" in words.out
    assert same(out, tmp_path / "on")


def test_a_killed_run_ends_with_the_weights_it_would_have(
    run, space, tmp_path, monkeypatch
) -> None:
    from vitprof.training import loop

    run("supernet", "--space", space, *QUICK, "--out", tmp_path / "whole")
    monkeypatch.setattr("vitprof.training.saved_run.SECONDS_BETWEEN", 0.0)
    step = loop.TrainingRun._step

    def stop_at_four(self):
        if self.progress.step == 4:
            raise KeyboardInterrupt
        return step(self)

    out = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        patch.setattr(loop.TrainingRun, "_step", stop_at_four)
        assert run("supernet", "--space", space, *QUICK, "--out", out).code == 130
    other = run("supernet", "--space", space, *QUICK, "--validation", "90", "--out", out)
    assert other.code == 2
    assert "another validation" in other.err
    answer = run("supernet", "--space", space, *QUICK, "--out", out)
    assert answer.code == 0, answer.err
    assert "going on after step 4" in answer.err
    assert same(tmp_path / "whole", out)


@pytest.mark.timeout(600)
@pytest.mark.long
def test_two_processes_train_what_one_does(run, space, tmp_path) -> None:
    options = ("supernet", "--space", space, *QUICK, "--sandwich", "1", "--out")
    run(*options, tmp_path / "one")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            "2",
            "-m",
            "vitprof",
            *map(str, options),
            str(tmp_path / "two"),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    # Not the exit code: a process of gloo's may abort once all is done ("terminate called without
    # an active exception"), about once in 30 runs on a busy machine.
    assert done.stdout.count("written:") == 1, done.stderr[-3000:]
    assert (tmp_path / "two" / "report.json").exists()
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--distill-in-place",), "add --sandwich"),
        (("--validation", "1436"), "cannot be held out"),
        (("--checkpoint", "nowhere"), "no checkpoint 'nowhere'"),
        (("--teacher", "nowhere"), "not a folder of a model"),
        (("--distill", "soft"), "--distill says how a teacher is listened to; give --teacher"),
        (("--teacher", "nowhere", "--alpha", "1.5"), "--alpha 1.5 is not a weight"),
        (("--teacher", "nowhere", "--tau", "2"), "--tau is the temperature of --distill soft"),
        (("--teacher", "x", "--distill", "soft", "--tau", "0"), "--tau 0 is not a temperature"),
        (("--part", "4/3"), "write it as 1/3"),
        (("--part", "one"), "write it as 1/3"),
        (("--batch", "1296"), "smaller --batch"),
    ],
)
def test_bad_input_is_one_sentence(run, space, tmp_path, arguments, words) -> None:
    answer = run("supernet", "--space", space, *QUICK, *arguments, "--out", tmp_path / "out")
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert words in answer.err
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_another_model_names_what_differs(run, space, tmp_path) -> None:
    wider = tmp_path / "wider.json"
    wider.write_text(json.dumps({**json.loads(space.read_text()), "embed": [16, 32]}))
    small = ("--data", "digits", "--epochs", "0")
    run("supernet", "--space", space, *small, "--out", tmp_path / "net")
    answer = run(
        "supernet",
        "--space",
        wider,
        *small,
        "--checkpoint",
        tmp_path / "net",
        "--out",
        tmp_path / "out",
    )
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert "(1, 1, 24)" in answer.err


def test_a_checkpoint_of_another_epsilon_says_what_to_write(run, space, tmp_path) -> None:
    fields = {**json.loads(space.read_text()), "norm_eps": 1e-5}
    with_eps = tmp_path / "with.json"
    with_eps.write_text(json.dumps(fields))
    small = ("--data", "digits", "--epochs", "0")
    assert run("supernet", "--space", with_eps, *small, "--out", tmp_path / "net").code == 0
    # As Hugging Face's names and config.json would: the origin of the weights decides.
    from vitprof.models.families.vit import checkpoint_names

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint_names, "is_hugging_face", lambda names: True)
        patch.setattr(checkpoint_names, "norm_eps_beside", lambda path: 1e-5)
        again = ("--checkpoint", tmp_path / "net", "--out", tmp_path / "out")
        answer = run("supernet", "--space", space, *small, *again)
        assert answer.code == 2
        assert answer.is_one_sentence, answer.err
        assert '"norm_eps": 1e-05' in answer.err
        assert run("supernet", "--space", with_eps, *small, *again).code == 0


def test_weights_that_are_not_inherited_are_said_before_training(run, tmp_path) -> None:
    path = tmp_path / "vgg.json"
    path.write_text(
        json.dumps(
            {
                "family": "vgg",
                "resolution": 16,
                "pooled": 2,
                "hidden": [8, 16],
                "dense": 1,
                "stage": [{"channels": [4, 8], "depth": 1}],
            }
        )
    )
    import numpy as np

    np.savez(
        tmp_path / "two.npz", images=np.zeros((60, 3, 16, 16), np.uint8), labels=np.arange(60) % 2
    )
    answer = run(
        "supernet",
        "--space",
        path,
        "--data",
        tmp_path / "two.npz",
        "--batch",
        "8",
        "--out",
        tmp_path / "out",
    )
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert "'vgg'" in answer.err


def test_images_on_disk_train_a_supernet_that_is_found_again(
    run, space, tmp_path, monkeypatch
) -> None:
    """Where images are too many for the memory: the held out ones are the same in a search."""
    from vitprof.search.supernet.folder import read_supernet
    from vitprof.training.data import kept_where
    from vitprof.training.data.datasets import load_dataset

    for label, name in enumerate(("cat", "dog")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for nth in range(40):
            pixels = np.full((12, 10, 3), 120 * label + nth, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{nth}.png")
    monkeypatch.setattr(kept_where, "AUTO_BYTES", 100)
    out = tmp_path / "net"
    options = (
        "--data",
        tmp_path / "photos",
        "--epochs",
        "1",
        "--batch",
        "16",
        "--autocast",
        "fp32",
    )
    answer = run("supernet", "--space", space, *options, "--out", out, "--json")
    assert answer.code == 0, answer.err
    train = load_dataset(str(tmp_path / "photos"), 8).train
    assert train.stored is not None
    rest, held_out = read_supernet(out).record.parts(train)
    assert len(rest) + len(held_out) == len(train) == 64
