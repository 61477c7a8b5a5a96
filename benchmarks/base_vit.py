"""A ViT for CIFAR-10 that is trained to its end: docs/results/base.md.

    python benchmarks/teacher_cnn.py --data cifar10 --out base-run/teacher [--autocast bf16]
    python benchmarks/base_vit.py --data cifar10 --folder base-run [--begin weights.safetensors]
        [--keep examples/vit-cifar10] [--out docs/results/base.md]

The ViT has the size of the one that docs/results were measured with before: patch 4, width 192, 6
blocks, 3 heads. It begins with mimetic weights, and learns from the labels and from a CNN's
distribution (teacher_cnn.py), by Muon, half of the patches left out in the first stage. The first
two stages learn from ten fixed views of each image (crops and flips), so that the teacher answers
each view only once. The last stage draws crops, flips, mixup and cutmix anew for every step, and
asks the teacher each time (Beyer et al. 2022, "Knowledge distillation: a good teacher is patient
and consistent"). About two hours on two cores that compute in bf16; the same command continues
where it was stopped.

--begin: weights that a stage begins with which has not begun yet, in place of the stage before;
--keep: write the latest weights to that folder, in fp16, and train nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import vitprof
from report import heading, publish, table
from vitprof.models import ViTSpec
from vitprof.training.data.augment import AUGMENTATIONS, cropped
from vitprof.training.data.datasets import load_dataset
from vitprof.training.history import HISTORY
from vitprof.training.model_folder import write_model

BASE = ViTSpec.uniform(192, 6, 3, resolution=32, patch=4, classes=10, name="vit-32")
# The teacher's labels were smoothed: its distribution is soft without a temperature.
ALWAYS: dict[str, Any] = {
    "augment": "none",
    "smoothing": 0.1,
    "ema": 0.999,
    "autocast": "auto",
    "optimizer": "muon",
    "distill": "soft",
    "alpha": 0.9,
    "tau": 1.0,
}
VIEWS = 10
# Epochs of the images, not of their views. A stage that augments reads the images themselves.
STAGES: dict[str, dict[str, Any]] = {
    "early": {"epochs": 20, "learning_rate": 2e-3, "decay": False, "patch_dropout": 0.5},
    "whole images": {"epochs": 20, "learning_rate": 2e-3, "warmup": 0.01},
    "mixed images": {
        "epochs": 20,
        "learning_rate": 1.5e-3,
        "warmup": 0.02,
        "augment": "light",
        "mixup": 0.8,
        "cutmix": 1.0,
    },
}
ASKED = 0.88


def folder_of(name: str, folder: Path) -> Path:
    return folder / name.replace(" ", "-")


def views(data: str, out: Path) -> Path:
    """Write the training images in VIEWS crops and flips, as `--augment light` draws them."""
    if out.is_file():
        return out
    images = load_dataset(data, BASE.resolution)
    light, count = AUGMENTATIONS["light"], len(images.train)
    padding = round(light.crop * BASE.resolution)
    pixels, generator = torch.from_numpy(images.train.array()), torch.Generator().manual_seed(0)
    made = []
    for _ in range(VIEWS):
        shifts = torch.randint(0, 2 * padding + 1, (2, count), generator=generator)
        flipped = torch.rand(count, generator=generator) < 0.5
        some = cropped(pixels, padding, shifts)
        made.append(torch.where(flipped[:, None, None, None], some.flip(-1), some))
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_suffix(".new").open("wb") as file:
        np.savez(
            file,
            images=torch.cat(made).numpy(),
            labels=np.tile(images.train.labels, VIEWS),
            test_images=images.test.array(),
            test_labels=images.test.labels,
            classes=np.array(images.train.classes),
        )
    return out.with_suffix(".new").rename(out)


def trained(name: str, first: Path | None, teacher: Path, arguments: Any) -> dict[str, Any]:
    """Train a stage, or return what is known of one that is done."""
    folder = folder_of(name, arguments.folder)
    done = folder / "report.json"
    if not done.is_file():
        began = time.monotonic()
        begin = {"init": "mimetic"} if first is None else {"checkpoint": first}
        options = {**ALWAYS, **STAGES[name]}
        data: str | Path = arguments.data
        if options["augment"] == "none":
            data = views(arguments.data, arguments.folder / "views.npz")
            options["epochs"] /= VIEWS
            options["teacher_cache"] = arguments.folder / "answers"
        run = vitprof.train(
            BASE,
            data,
            out=folder,
            teacher=teacher,
            progress=True,
            **begin,
            **options,
        )
        hours = (time.monotonic() - began) / 3600
        (folder / "hours.json").write_text(json.dumps({"hours": hours, **run.report()}))
    return json.loads(done.read_text())


def keep(folder: Path, out: Path) -> None:
    """Write the latest weights as a folder, in fp16: of a stage under way, their average."""
    begun = [folder_of(name, folder) for name in STAGES]
    latest = [f for f in begun if (f / "state.pt").is_file() or (f / "report.json").is_file()][-1]
    if (latest / "state.pt").is_file():
        state = torch.load(latest / "state.pt", weights_only=True, map_location="cpu")
        state = state.get("run", state)
        weights, where = state["average"], f"{latest.name}, step {state['step']}"
        model = vitprof.create_model(BASE)
        model.load_state_dict(weights)
    else:
        model, where = vitprof.create_model(latest, checkpoint=latest), f"{latest.name}, finished"
    norm = load_dataset(str(folder / "views.npz"), BASE.resolution).normalisation
    write_model(model.half(), out, norm)
    done = [f for f in begun if (f / "hours.json").is_file()]
    record = {"always": ALWAYS, "views": VIEWS, "stages": STAGES} | {
        "results": {f.name: _result(f) for f in done}
    }
    (out / "training.json").write_text(json.dumps(record, indent=2) + "\n")
    if any((f / HISTORY).is_file() for f in begun):
        (out / HISTORY).write_text(_history(begun))
    checksum = hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()
    print(f"{where}: {out}, sha256 {checksum}")


def _history(folders: list[Path]) -> str:
    """Return the histories of the stages as one, with their names in the column `stage`."""
    texts = [(f.name, (f / HISTORY).read_text()) for f in folders if (f / HISTORY).is_file()]
    header = texts[0][1].partition("\n")[0]
    rows = [
        line.replace("training", name, 1) for name, text in texts for line in text.splitlines()[1:]
    ]
    return "\n".join([header, *rows, ""])


def _result(folder: Path) -> dict[str, float]:
    """Return accuracies and hours of a stage; hours since it was last interrupted."""
    found = json.loads((folder / "hours.json").read_text())
    return {name: round(found[name], 4) for name in ("top1", "top3", "hours")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data")
    parser.add_argument("--folder", default=Path("base-run"), type=Path)
    parser.add_argument("--begin", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--out")
    arguments = parser.parse_args()
    if arguments.keep:
        keep(arguments.folder, arguments.keep)
        return
    teacher = arguments.folder / "teacher" / "teacher.onnx"
    rows = []
    first = arguments.begin
    for name, options in STAGES.items():
        report = trained(name, first, teacher, arguments)
        first = folder_of(name, arguments.folder)
        seen = f"{1 - options.get('patch_dropout', 0):.0%}"
        rows.append([name, f"{options['epochs']}", seen, f"{report['top1']:.2%}"])
    taught = json.loads((teacher.parent / "report.json").read_text())
    text = (
        f"{BASE.macs / 1e6:.0f} MMACs, {BASE.params / 1e6:.2f} million parameters; asked: a top-1 "
        f"of at least {ASKED:.0%}. The teacher, a CNN of {taught['epochs']} epochs: "
        f"{taught['top1']:.2%}.\n\n"
    )
    columns = ["stage", "epochs", "patches seen", "top-1"]
    publish(
        f"{heading('A base that is trained to its end')}\n{text}{table(columns, rows)}",
        arguments.out,
    )


if __name__ == "__main__":
    main()
