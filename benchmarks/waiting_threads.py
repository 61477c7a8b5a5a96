"""Whether threads that wait should spin or sleep: docs/results/waiting_threads.md.

    python benchmarks/waiting_threads.py [--rounds 3] [--out docs/results/waiting_threads.md]

`vitprof train` with OpenMP's default policy and with the one that it sets itself (PASSIVE), on a
quiet machine and beside busy processes, one on every core. Of a small ViT (vit-micro-8 on digits)
and one of the size of base_vit.py's (random images). Runs take turns, so that each meets the same
machine. About five minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from base_vit import BASE
from busy_machine import busy_on
from report import heading, publish, table

# The default policy: vitprof leaves threads as they are where a variable of OpenMP is set, and this
# one has no meaning for GCC's OpenMP, which PyTorch brings on Linux.
POLICIES = {"spin (default)": {"KMP_BLOCKTIME": "200"}, "sleep (vitprof)": {}}
COUNT = 2_560


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = _models(Path(folder))
        cores = sorted(os.sched_getaffinity(0))
        rows = []
        for busy in (False, True):
            with ExitStack() as stack:
                for core in cores if busy else ():
                    stack.enter_context(busy_on(core))
                rows += _rows(models, busy, arguments.rounds, Path(folder))
    columns = ["model", "machine", *(f"{name}, s" for name in POLICIES), "sleep over spin"]
    text = (
        f"{len(cores)} threads; medians of {arguments.rounds} runs of `vitprof train`, with the "
        "start of the program.\n\n"
    )
    publish(
        f"{heading('Threads of a training that wait')}\n{text}{table(columns, rows)}",
        arguments.out,
    )


def _models(folder: Path) -> dict[str, list[str]]:
    """Return each model's options of a short training."""
    drawn = np.random.default_rng(0)
    pixels = drawn.integers(0, 256, (COUNT, 3, 32, 32), np.uint8)
    labels = np.arange(COUNT) % 10
    few = {"test_images": pixels[:100], "test_labels": labels[:100]}
    np.savez(folder / "images.npz", images=pixels, labels=labels, **few)
    (folder / "base.json").write_text(BASE.to_json())
    small = ["--model", "vit-micro-8", "--data", "digits", "--epochs", "4", "--batch", "32"]
    large = ["--model", str(folder / "base.json"), "--data", str(folder / "images.npz")]
    return {
        "vit-micro-8, 176 steps of 32 images": [*small, "--augment", "none"],
        "vit-32, 20 steps of 128 images": [*large, "--epochs", "1", "--augment", "none"],
    }


def _rows(models: dict[str, list[str]], busy: bool, rounds: int, folder: Path) -> list[list[str]]:
    rows = []
    for name, options in models.items():
        seconds: dict[str, list[float]] = {policy: [] for policy in POLICIES}
        for _ in range(rounds):
            for policy, variables in POLICIES.items():
                seconds[policy].append(_seconds(options, variables, folder / "out"))
                print(name, "busy" if busy else "quiet", policy, seconds[policy][-1], flush=True)
        medians = [statistics.median(values) for values in seconds.values()]
        where = "busy on every core" if busy else "quiet"
        ratio = medians[1] / medians[0]
        rows.append([name, where, *(f"{each:.1f}" for each in medians), f"{ratio:.2f} ×"])
    return rows


def _seconds(options: list[str], variables: dict[str, str], out: Path) -> float:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_", "KMP_"))}
    command = [sys.executable, "-m", "vitprof", "train", *options, "--out", str(out), "--fresh"]
    began = time.perf_counter()
    subprocess.run(command, env={**kept, **variables}, check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
