"""How far the tables of the families can be trusted: 50 unseen models of each, and the rivals.

    python benchmarks/families.py [--out docs/results/families.md] [--folder families-run]

Takes about 10 minutes a family on two cores. The folder keeps tables and validations: a second call
with the same folder goes on from there, another folder starts over.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fidelity import all_predictors, vitprof
from report import heading, publish, table

FAMILIES = ("vit", "efficientvit", "autovit", "swin", "bert", "vgg")


def figures(family: str, measured: dict, result: dict) -> list[str]:
    errors, rivals = result["table"], result["rivals"]
    return [
        family,
        f"{measured['points']} + {measured['models']}",
        f"{measured['seconds']['total']:.0f}",
        f"{errors['mape']:.2%}",
        f"{errors['within_5']:.0%}",
        f"{errors['within_10']:.0%}",
        f"{errors['kendall_tau']:.3f}",
        f"{errors['mape'] / rivals['macs_line']['mape']:.2f} ×",
        f"{errors['mape'] / rivals['macs_blocks_line']['mape']:.2f} ×",
        f"{result['coverage']:.0%}",
        f"{result['noise_floor']['mape']:.2%}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out")
    parser.add_argument("--folder", default="families-run")
    parser.add_argument("--samples", default="50")
    parser.add_argument("--seed", default="0")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--family", action="append", choices=FAMILIES)
    arguments = parser.parse_args()
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    asked = ["", "", "", "≤ 1.5 %", "", "≥ 99 %", "≥ 0.95", "≤ 0.35 ×", "≤ 0.5 ×", "90–99 %", ""]
    rows, details = [["*asked*", *asked[1:]]], ""
    columns = ("prediction", "MAPE", "bias", "worst", "±5 %", "±10 %", "τ", "models measured")
    for family in arguments.family or FAMILIES:
        lut = str(folder / f"{family}.csv")
        threads = ("--threads", arguments.threads)
        measured = vitprof("measure", "--family", family, "--out", lut, *threads)
        saved = folder / f"{family}.json"
        result = (
            json.loads(saved.read_text())
            if saved.exists()
            else vitprof(
                "validate",
                "--table",
                lut,
                "--samples",
                arguments.samples,
                "--seed",
                arguments.seed,
                "--plot",
                str(folder / f"{family}.png"),
                "--out",
                str(folder / f"{family}-models.csv"),
            )
        )
        saved.write_text(json.dumps(result, indent=2))
        rows.append(figures(family, measured, result))
        details += f"\n## {family}\n\n{table(columns, all_predictors(result))}"
    text = (
        heading("Fidelity of the families")
        + f"\n{arguments.samples} random models of each family that the table never saw, "
        f"{arguments.threads} thread(s):\n\n"
        + table(
            (
                "family",
                "blocks + models in the table",
                "seconds to measure",
                "MAPE",
                "±5 %",
                "±10 %",
                "Kendall τ",
                "MAPE over a·MACs + b",
                "over a·MACs + b·blocks + c",
                "coverage",
                "noise floor",
            ),
            rows,
        )
        + details
    )
    publish(text, arguments.out)


if __name__ == "__main__":
    main()
