"""Blocks alone, or inside a network: which table predicts whole models better?

    python benchmarks/contexts.py [--samples 24] [--out docs/results/contexts.md]

Both tables are measured one after the other, and validated on the same unseen models.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from fidelity import vitprof
from report import heading, publish, table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", default="24")
    parser.add_argument("--seed", default="7")
    parser.add_argument("--out")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for context in ("alone", "in_network"):
            lut = str(Path(folder) / f"{context}.csv")
            measured = vitprof("measure", "--context", context, "--out", lut)
            result = vitprof(
                "validate", "--table", lut, "--samples", arguments.samples, "--seed", arguments.seed
            )
            for name, errors in (
                (f"{context}, summed", result["rivals"]["naive_sum"]),
                (f"{context}, with the line on 8 models", result["table"]),
            ):
                rows.append(
                    [
                        name,
                        f"{measured['seconds']['total']:.0f} s",
                        f"{errors['mape']:.2%}",
                        f"{errors['bias']:+.2%}",
                        f"{errors['worst']:.1%}",
                        f"{errors['within_5']:.0%}",
                        f"{result['noise_floor']['mape']:.2%}",
                    ]
                )
    columns = ("blocks measured", "table took", "MAPE", "bias", "worst", "±5 %", "noise floor")
    publish(heading("Contexts") + "\n" + table(columns, rows), arguments.out)


if __name__ == "__main__":
    main()
