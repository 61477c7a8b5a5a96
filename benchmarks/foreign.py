"""Foreign models by a table of kernels: the figures of docs/results/foreign.md.

    python benchmarks/foreign_models.py --out foreign-models      # where timm is installed
    python benchmarks/foreign_models.py --out second-set --set second
    python benchmarks/foreign_models.py --out third-set --set third
    python benchmarks/foreign.py --models foreign-models [--further second-set --further third-set]
        [--folder foreign-run] [--tables vit.csv,swin.csv,efficientvit.csv]
        [--out docs/results/foreign.md]

Every second of the models, by name, gives the kernels and the line; the others are never seen
before they are validated. With tables of families, the models that timm exports of these are
predicted from their ONNX files and from their specs. The folder keeps what is measured: a second
call goes on from there. Takes about 15 minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from fidelity import NAMES, vitprof
from known_models import KNOWN
from report import heading, publish, table

PREDICTORS = ("prediction", "MAPE", "bias", "worst", "±5 %", "±10 %", "τ")
NAMES = {**NAMES, "macs_activations_line": "a·MACs + b·activations + c"}


def validated(
    lut: Path, unseen: list[Path], folder: Path, seconds: str | None, name: str = "foreign"
) -> dict:
    saved = folder / f"{name}.json"
    if saved.exists():
        return json.loads(saved.read_text())
    models = [text for path in unseen for text in ("--model", str(path))]
    limit = ["--time", seconds] if seconds else []
    picture, lines = str(folder / f"{name}.png"), str(folder / f"{name}.csv")
    result = vitprof(
        "validate", "--table", str(lut), *models, *limit, "--plot", picture, "--out", lines
    )
    saved.write_text(json.dumps(result, indent=2))
    return result


def predictor_rows(result: dict) -> list[list[str]]:
    found = {"table": result["table"], **result["rivals"], "noise_floor": result["noise_floor"]}
    return [
        [
            NAMES[name],
            f"{errors['mape']:.2%}",
            f"{errors['bias']:+.2%}",
            f"{errors['worst']:.1%}",
            f"{errors['within_5']:.0%}",
            f"{errors['within_10']:.0%}",
            f"{errors['kendall_tau']:.3f}",
        ]
        for name, errors in found.items()
    ]


def figures(result: dict) -> list[list[str]]:
    errors, rivals = result["table"], result["rivals"]

    def over(name: str) -> str:
        return f"{errors['mape'] / rivals[name]['mape']:.2f} ×"

    return [
        [f"{result['samples']} unseen models: MAPE", "≤ 5 %", f"{errors['mape']:.2%}"],
        ["within ±10 %", "≥ 90 %", f"{errors['within_10']:.0%}"],
        ["Kendall τ", "≥ 0.97", f"{errors['kendall_tau']:.3f}"],
        ["MAPE over that of a·MACs + b", "≤ 0.3 ×", over("macs_line")],
        [
            "MAPE over that of a·MACs + b·activations + c",
            "≤ 0.5 ×",
            over("macs_activations_line"),
        ],
        ["coverage of 95 % intervals", "", f"{result['coverage']:.0%}"],
    ]


def predicted(lut: str, model: str) -> tuple[dict | None, float]:
    """Return what `vitprof predict` answers, without a runtime, and how long it took."""
    started = time.monotonic()
    command = [sys.executable, "-m", "vitprof", "predict", "--table", lut, "--model", model]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    took = time.monotonic() - started
    return (json.loads(done.stdout) if done.returncode == 0 else None), took


def known_rows(tables: list[str], folder: Path) -> list[list[str]]:
    """Return what models of our families cost by their ONNX files and by their specs."""
    rows = []
    for name, ours in KNOWN.items():
        path = folder / f"{name}.onnx"
        if not path.exists():
            continue
        for lut in tables:
            by_spec, _ = predicted(lut, ours)
            if by_spec is None:
                continue
            by_file, seconds = predicted(lut, str(path))
            if by_file is None:
                rows.append([name, f"{by_spec['latency_ms']:.2f}", "refused", "", ""])
                continue
            ratio = by_file["latency_ms"] / by_spec["latency_ms"] - 1
            rows.append(
                [
                    name,
                    f"{by_spec['latency_ms']:.2f}",
                    f"{by_file['latency_ms']:.2f}",
                    f"{ratio:+.2%}",
                    f"{seconds:.1f}",
                ]
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="foreign-models")
    parser.add_argument(
        "--further",
        action="append",
        default=[],
        help="a folder of models for a report of their own",
    )
    parser.add_argument("--folder", default="foreign-run")
    parser.add_argument("--tables", default="")
    parser.add_argument("--time", help="of validating, e.g. 5m")
    parser.add_argument("--out")
    arguments = parser.parse_args()
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    models = sorted(
        path for path in Path(arguments.models).glob("*.onnx") if path.stem not in KNOWN
    )
    seen, unseen = models[::2], models[1::2]
    lut = folder / "kernels.csv"
    given = [text for path in seen for text in ("--for", str(path))]
    measured = vitprof("measure", "--kernels", *given, "--out", str(lut))
    result = validated(lut, unseen, folder, arguments.time)
    slowest = max(predicted(str(lut), str(path))[1] for path in unseen)
    text = heading("Foreign models")
    text += (
        f"\n{len(seen)} models of timm with random weights give the kernels and the line, "
        f"{len(unseen)} others were never seen. {measured['points']} kernels, "
        f"{measured['models']} whole models.\n\n"
    )
    took = [
        ["seconds to measure the table", "≤ 300", f"{measured['seconds']['total']:.0f}"],
        ["seconds to predict one model, at most", "≤ 3", f"{slowest:.1f}"],
    ]
    text += table(("what", "asked", "measured"), [*figures(result), *took])
    text += f"\n{table(PREDICTORS, predictor_rows(result))}"
    text += f"\nFor the table: {', '.join(path.stem for path in seen)}.\n"
    text += f"\nNever seen: {', '.join(path.stem for path in unseen)}.\n"
    for place in map(Path, arguments.further):
        more = sorted(place.glob("*.onnx"))
        further = validated(lut, more, folder, arguments.time, place.name)
        text += f"\n## {place.name}\n\n{', '.join(path.stem for path in more)}.\n\n"
        text += table(("what", "asked", "measured"), figures(further))
        text += f"\n{table(PREDICTORS, predictor_rows(further))}"
    tables = [one for one in arguments.tables.split(",") if one]
    if tables:
        columns = ("model", "by its spec, ms", "by its ONNX file, ms", "apart", "seconds")
        text += "\n## Models of our families\n\n"
        text += table(columns, known_rows(tables, Path(arguments.models)))
    publish(text, arguments.out)


if __name__ == "__main__":
    main()
