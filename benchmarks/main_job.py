"""The figures of the main job: a table's cost, the commands' start-up, bench against a plain loop.

python benchmarks/main_job.py [--out docs/results/main_job.md]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from report import heading, publish, table
from vitprof.backends import BackendOptions, OnnxRuntimeBackend, seeded_input
from vitprof.models import create_model, create_spec


def vitprof(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vitprof", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def table_cost(out: Path) -> list[list[str]]:
    answer = vitprof("measure", "--out", str(out), "--json")
    result = json.loads(answer.stdout)
    seconds = result["seconds"]
    share = (seconds["warmup"] + seconds["timed"]) / seconds["total"]
    return [
        ["points of the default `vit` table", "≤ 150", str(result["points"])],
        ["seconds to measure it", "≤ 120", f"{seconds['total']:.1f}"],
        ["share inside warm-up and timed runs", "≥ 50 %", f"{share:.0%}"],
    ]


def start_up(out: Path, repeats: int = 7) -> list[list[str]]:
    predict = ("predict", "--table", str(out), "--model", "deit-small")
    rows = []
    for name, arguments, reach in (
        ("`vitprof --help`", ("--help",), "≤ 0.1 s"),
        ("`vitprof predict`", predict, "≤ 0.8 s"),
    ):
        times = []
        for _ in range(repeats):
            started = time.perf_counter()
            vitprof(*arguments)
            times.append(time.perf_counter() - started)
        code = (
            "import runpy, sys\n"
            f"sys.argv = ['vitprof', *{list(arguments)!r}]\n"
            "try: runpy.run_module('vitprof', run_name='__main__')\n"
            "except SystemExit: pass\n"
            "print('torch' in sys.modules)"
        )
        run = [sys.executable, "-c", code]
        printed = subprocess.run(run, capture_output=True, text=True, check=True).stdout
        imported = printed.splitlines()[-1] == "True"
        rows.append([f"{name}, median of {repeats}", reach, f"{statistics.median(times):.2f} s"])
        rows.append([f"{name} imports torch", "no", "yes" if imported else "no"])
    return rows


def bench_against_plain_loop(model: str, rounds: int = 40) -> list[list[str]]:
    """One ONNX model in one process: our executable and InferenceSession.run, alternating."""
    import onnxruntime

    backend, options = OnnxRuntimeBackend(), BackendOptions(threads=1)
    spec = create_spec(model)
    shape = (1, *spec.blocks()[0].input_shape)
    artifact = backend.build(create_model(spec), shape, options)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    plain = onnxruntime.InferenceSession(artifact, settings, providers=["CPUExecutionProvider"])
    feed = {"input": seeded_input(shape)}
    ratios, difference = [], []
    for _ in range(3):
        with backend.load(artifact, options) as ours:
            times: tuple[list[float], list[float]] = ([], [])
            for n in range(rounds + 3):
                for run, kept in ((ours.run, times[0]), (lambda: plain.run(None, feed), times[1])):
                    started = time.perf_counter()
                    run()
                    if n >= 3:
                        kept.append(time.perf_counter() - started)
            ratios.append(np.median(times[0]) / np.median(times[1]))
            difference.append(f"{1e3 * np.median(times[0]):.2f}/{1e3 * np.median(times[1]):.2f} ms")
    worst = max(ratios, key=lambda ratio: abs(ratio - 1))
    return [
        [
            f"{model}: `bench`'s median over a plain loop's, 3 fresh sessions ("
            + ", ".join(difference)
            + ")",
            "within 2 %",
            f"{statistics.median(ratios) - 1:+.1%} (worst {worst - 1:+.1%})",
        ]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lut = Path(folder) / "lut.csv"
        rows = table_cost(lut) + start_up(lut)
    for model in ("deit-tiny", "deit-small"):
        rows += bench_against_plain_loop(model)
    publish(
        heading("The main job") + "\n" + table(("what", "target", "measured"), rows), arguments.out
    )


if __name__ == "__main__":
    main()
