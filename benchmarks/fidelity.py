"""How far a table can be trusted: the figures of docs/fidelity.md, side by side in one run.

    python benchmarks/fidelity.py [--out docs/results/fidelity.md] [--folder fidelity-run]

Takes about 15 minutes on two cores. The folder keeps the table and the validation: a second call
with the same folder goes on from there, another folder starts over.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import busy_machine
import prediction_speed
from report import heading, publish, table
from vitprof.tables import LatencyTable

NAMES = {
    "table": "this table",
    "naive_sum": "sum of lone blocks",
    "macs_line": "a·MACs + b",
    "macs_blocks_line": "a·MACs + b·blocks + c",
    "operator_model": "operator model (AutoViT Eq. 6)",
    "mlp": "MLP, 3 × 400 (HAT)",
    "random_forest": "random forest",
    "noise_floor": "noise floor: measured again",
    "table_raw": "this table against raw medians",
    "noise_floor_raw": "noise floor of raw medians",
}


def vitprof(*arguments: str) -> dict:
    command = [sys.executable, "-m", "vitprof", *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    return json.loads(done.stdout)


def figures(measured: dict, result: dict) -> list[list[str]]:
    errors, floor, rivals = result["table"], result["noise_floor"], result["rivals"]

    def ratio(name: str) -> str:
        return f"{errors['mape'] / rivals[name]['mape']:.2f} ×"

    return [
        [
            "blocks in the table, whole models",
            "≤ 100, 8",
            f"{measured['points']}, {measured['models']}",
        ],
        ["seconds to measure them", "≤ 90", f"{measured['seconds']['total']:.0f}"],
        [f"{result['samples']} unseen models: MAPE", "≤ 1.5 %", f"{errors['mape']:.2%}"],
        ["within ±5 %", "≥ 99 %", f"{errors['within_5']:.0%}"],
        ["within ±10 %", "100 %", f"{errors['within_10']:.0%}"],
        ["MAPE over the noise floor", "≤ 1.3 ×", f"{errors['mape'] / floor['mape']:.2f} ×"],
        ["noise floor", "≤ 2 %", f"{floor['mape']:.2%}"],
        ["MAPE over a·MACs + b", "≤ 0.4 ×", ratio("macs_line")],
        ["MAPE over a·MACs + b·blocks + c", "≤ 0.7 ×", ratio("macs_blocks_line")],
        ["MAPE over the MLP's, given 10 × the models", "≤ 0.7 ×", ratio("mlp")],
        ["MAPE over the forest's, given 10 × the models", "≤ 0.7 ×", ratio("random_forest")],
        ["Kendall τ", "≥ 0.95", f"{errors['kendall_tau']:.3f}"],
        ["95 % intervals that cover", "90–99 %", f"{result['coverage']:.0%}"],
    ]


def all_predictors(result: dict) -> list[list[str]]:
    rows = []
    entries = {"table": result["table"], **result["rivals"]}
    entries |= {name: result[name] for name in ("noise_floor", "table_raw", "noise_floor_raw")}
    for name, e in entries.items():
        models = f"{e['trained_on']} ({e['training_s']:.0f} s)" if e.get("trained_on") else ""
        rows.append(
            [
                NAMES[name],
                f"{e['mape']:.2%}",
                f"{e['bias']:+.2%}",
                f"{e['worst']:.1%}",
                f"{e['within_5']:.0%}",
                f"{e['within_10']:.0%}",
                f"{e['kendall_tau']:.3f}",
                models,
            ]
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out")
    parser.add_argument("--folder", default="fidelity-run")
    parser.add_argument("--samples", default="50")
    parser.add_argument("--train", default="80")
    parser.add_argument("--seed", default="0")
    parser.add_argument("--picture", default="")
    arguments = parser.parse_args()
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    lut = str(folder / "lut.csv")
    measured = vitprof("measure", "--out", lut)
    picture = arguments.picture or str(folder / "validate.png")
    saved = folder / "validate.json"
    result = (
        json.loads(saved.read_text())
        if saved.exists()
        else vitprof(
            "validate",
            "--table",
            lut,
            "--samples",
            arguments.samples,
            "--train",
            arguments.train,
            "--seed",
            arguments.seed,
            "--plot",
            picture,
            "--out",
            str(folder / "models.csv"),
        )
    )
    saved.write_text(json.dumps(result, indent=2))
    rows = figures(measured, result)
    rows += busy_machine.rows_of()
    rows += prediction_speed.rows_of(LatencyTable.read_csv(lut))
    columns = ("prediction", "MAPE", "bias", "worst", "±5 %", "±10 %", "τ", "models measured")
    text = (
        heading("Fidelity")
        + "\n"
        + table(("what", "target", "measured"), rows)
        + f"\nEvery way of predicting, on the same {result['samples']} models:\n\n"
        + table(columns, all_predictors(result))
    )
    publish(text, arguments.out)


if __name__ == "__main__":
    main()
