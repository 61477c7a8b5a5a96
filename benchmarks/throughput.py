"""Images a second of EfficientViT-M0..M5 over DeiT-T's, as in the paper's tables: batch 16, one
thread, ONNX Runtime.

    python benchmarks/throughput.py [--out docs/results/throughput.md]

Takes about 5 minutes. `official` are ratios of the official models, exported plainly, as they were
measured on a machine of this kind; `paper` is ONNX throughput on an Intel Xeon E5-2690 v4.
"""

from __future__ import annotations

import argparse

from fidelity import vitprof
from report import heading, publish, table

OFFICIAL = {"m0": 13.0, "m1": 8.0, "m2": 6.9, "m3": 5.6, "m4": 4.8, "m5": 2.8}
# Liu et al. 2023, table 2: images/s as ONNX models.
PAPER = {"m0": 340.1, "m1": 215.9, "m2": 158.7, "m3": 120.8, "m4": 108.6, "m5": 62.5}
OTHERS = ("autovit-xxs", "autovit-xs", "autovit-s", "swin-tiny")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out")
    parser.add_argument("--sessions", default="5")
    arguments = parser.parse_args()
    names = ["deit-tiny", *(f"efficientvit-{size}" for size in OFFICIAL), *OTHERS]
    models = [word for name in names for word in ("--model", name)]
    answer = vitprof(
        "bench", *models, "--protocol", "efficientvit", "--sessions", arguments.sessions
    )
    results = {result["model"]: result for result in answer["results"]}
    base = results["deit-tiny"]["images_per_s"]
    rows = []
    for name in names:
        result, size = results[name], name.rpartition("-")[2]
        ours = name.startswith("efficientvit")
        rows.append(
            [
                name,
                f"{result['images_per_s']:.1f}",
                f"{result['images_per_s'] / base:.2f}",
                f"{OFFICIAL[size]:.1f}" if ours else "",
                f"{PAPER[size]}" if ours else "",
                f"{PAPER[size] / PAPER['m4']:.2f}" if ours else "",
                f"{result['images_per_s'] / results['efficientvit-m4']['images_per_s']:.2f}",
                f"{2 * result['macs'] / 1e6:.0f}",
                f"{result['params'] / 1e6:.1f}",
                str(result["input"]),
                result["verdict"],
            ]
        )
    text = (
        heading("Throughput")
        + f"\nBatch 16, one thread, median of {arguments.sessions} sessions, all models "
        "interleaved in one run.\n\n"
        + table(
            (
                "model",
                "images/s",
                "× DeiT-T",
                "official × DeiT-T",
                "paper: ONNX images/s",
                "paper × M4",
                "ours × M4",
                "FLOPs (M) = 2 × MACs",
                "params (M)",
                "input",
                "verdict",
            ),
            rows,
        )
    )
    publish(text, arguments.out)


if __name__ == "__main__":
    main()
