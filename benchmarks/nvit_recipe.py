"""NViT's whole recipe rehearsed on made-up images, and what it costs on ImageNet.

    python benchmarks/nvit_recipe.py --model deit-base-distilled --batch 8 --limit-batches 3 \
        [--table lut.csv] [--teacher MODEL] [--out docs/results/nvit_recipe.md]

Every phase takes so many batches, read from JPEGs in a folder. The processor time of its steps but
the first, over the images of a batch, times ImageNet's images and the recipe's epochs, is the
estimate (on a GPU the time on the wall). The last step of pruning takes out everything at once and
is told apart. Weights are
random, which changes no time. Without --table, latencies are as MACs.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import vitprof
from PIL import Image
from report import heading, publish, table
from vitprof.compress.methods import find_method
from vitprof.models import Spec
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.training.data.images import Normalisation
from vitprof.training.model_folder import write_model

IMAGENET = 1_281_167
CLASSES = 4
SIDE = 256
NORM = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# A step goes forward once, and back at the cost of two; the unpruned model goes forward beside it.
STEP, FORWARD = 3, 1


@dataclass
class Clock:
    """Seconds between the steps of each phase, of the processor and on the wall."""

    cpu: dict[str, list[float]] = field(default_factory=dict)
    wall: dict[str, list[float]] = field(default_factory=dict)
    last: tuple[float, float] = (0.0, 0.0)

    def tick(self, phase: str, done: int, total: int, words: str) -> None:
        now = time.process_time(), time.perf_counter()
        if done > 1:
            self.cpu.setdefault(phase, []).append(now[0] - self.last[0])
            self.wall.setdefault(phase, []).append(now[1] - self.last[1])
        self.last = now


def write_images(folder: Path, each: int) -> None:
    """Write `each` JPEGs of soft noise a class, to train on and to test on."""
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for label in range(CLASSES):
            place = folder / part / str(label)
            place.mkdir(parents=True)
            for nth in range(each):
                small = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
                Image.fromarray(small).resize((SIDE, SIDE)).save(place / f"{nth}.jpg")


def table_of_macs(spec: Any) -> LatencyTable:
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
        for ms in [block.macs / 1e9]
    ]
    return LatencyTable(rows, Setting("cpu", "onnxruntime", "CPUExecutionProvider"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="deit-tiny-distilled")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--limit-batches", type=int, default=3)
    parser.add_argument("--table")
    parser.add_argument("--teacher", help="a model of as many classes as there are here, 4")
    parser.add_argument("--autocast", default="auto")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out")
    arguments = parser.parse_args()
    if arguments.limit_batches < 3:
        parser.error("the first and the last step are not counted; take --limit-batches 3 or more")
    known: Any = vitprof.create_spec(arguments.model)
    spec = replace(known, classes=CLASSES)
    clock = Clock()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        write_images(root / "images", -(-arguments.batch * arguments.limit_batches // CLASSES))
        torch.manual_seed(0)
        write_model(vitprof.create_model(spec), root / "base", NORM)
        options: dict[str, Any] = {} if find_spec("timm") else {"rand_augment": ""}
        if arguments.teacher:
            options["teacher"] = arguments.teacher
        run = vitprof.prune(
            root / "base",
            arguments.table or table_of_macs(spec),
            data=root / "images",
            out=root / "out",
            recipe="nvit",
            batch=arguments.batch,
            limit_batches=arguments.limit_batches,
            autocast=arguments.autocast,
            keep="disk",
            workers=arguments.workers,
            progress=clock.tick,
            **options,
        )
    publish(report(run, clock, arguments, known), arguments.out)


def report(
    run: vitprof.PruneResult, clock: Clock, arguments: argparse.Namespace, base: Spec
) -> str:
    whole = find_method("nvit").recipe("nvit")
    own, plan = find_method("nvit").taken({}, "the model", "nvit")
    phases = {"pruning": (own.prune_epochs, base.macs)}
    for model in run.models:
        phases[f"finetuning {model.target}"] = (plan.epochs, model.spec.macs)
    rows, hours, flops = [], 0.0, 0.0
    removal = clock.cpu["pruning"].pop() - statistics.median(clock.cpu["pruning"])
    clock.wall["pruning"].pop()
    for phase, (epochs, macs) in phases.items():
        on_the_wall = statistics.median(clock.wall[phase])
        on_gpu = torch.cuda.is_available()
        a_step = on_the_wall if on_gpu else statistics.median(clock.cpu[phase])
        # A MAC is two operations; the teacher's are not known here.
        image = 2 * (STEP * macs + FORWARD * base.macs)
        took = a_step / arguments.batch * IMAGENET * epochs / 3600
        hours, flops = hours + took, flops + image * IMAGENET * epochs
        rows.append(
            (
                phase,
                f"{macs / 1e9:.3g}",
                f"{a_step / arguments.batch:.3g}",
                f"{on_the_wall / arguments.batch:.3g}",
                f"{image / 1e9:.3g}",
                f"{image * arguments.batch / a_step / 1e9:.3g}",
                f"{epochs:g}",
                f"{took:,.0f}",
            )
        )
    columns = (
        "phase",
        "GMACs",
        "s an image",
        "on the wall",
        "GFLOP an image",
        "GFLOP/s",
        "epochs",
        "hours",
    )
    varied = "with" if find_spec("timm") else "without"
    return (
        heading("NViT's recipe: a step of each phase, and ImageNet's cost from it")
        + f"\n{arguments.model}, {torch.get_num_threads()} thread, batches of {arguments.batch} "
        f"of {plan.batch} images, {arguments.limit_batches} a phase, {varied} RandAugment, "
        f"{'with' if arguments.teacher else 'without'} a teacher; targets {whole.target}.\n"
        "Seconds and hours are of the processor, the median step; "
        f"hours are for {IMAGENET:,} images.\n\n"
        + table(columns, rows)
        + f"\nIn all {hours:,.0f} hours here; {flops:.3g} floating-point operations, which take "
        f"{flops / 1e14 / 3600:,.0f} hours at 10^14 a second. Choosing and taking out all groups "
        f"down to the last target took {removal:.3g} s.\n"
    )


if __name__ == "__main__":
    main()
