"""Tables of every runtime, which runtime to take, and plain loops: docs/results/runtimes.md.

    python benchmarks/runtimes.py [--out docs/results/runtimes.md] [--folder runtimes-run]
        [--part compare] [--environment litert=.venv-litert/bin/python]
        [--environment executorch=.venv-executorch/bin/python]
        [--backend torch] [--family vit] [--time 5m]

Parts: `compare` runs named models by all runtimes, in turns (with `--earlier compare.json` it says
whether the winners are those of another day); `loops` sets a plain loop of each runtime beside
`vitprof bench`, alternating; `tables` measures a table of each family by each runtime and validates
it on models it never saw. The folder keeps what is measured: a second call continues from there.
All parts take about two hours on two cores.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from report import heading, publish, table
from scipy.stats import kendalltau
from vitprof.atomic_write import write_atomically

PARTS = ("compare", "loops", "tables")
BACKENDS = ("onnxruntime", "torch", "openvino", "litert", "executorch")
FAMILIES = ("vit", "efficientvit", "autovit")
MODELS = (
    "deit-tiny",
    "deit-small",
    "swin-tiny",
    *(f"efficientvit-m{size}" for size in range(6)),
    "autovit-xs",
)
DTYPES = ("fp32", "int8")
SESSIONS = "3"


def answer_of(python: str, *arguments: str) -> dict[str, Any]:
    """Return what a command prints with --json; SystemExit where it fails."""
    command = [python, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    return json.loads(done.stdout)


def kept(path: Path, python: str, *arguments: str) -> dict[str, Any]:
    """Return what was kept of a command, or run it and keep it."""
    if path.exists():
        return json.loads(path.read_text())
    result = answer_of(python, *arguments)
    path.write_text(json.dumps(result, indent=2))
    return result


def compare_part(folder: Path, pythons: Mapping[str, str], earlier: str | None) -> str:
    now = compared(folder, pythons)
    write_atomically(folder / "compare.json", json.dumps(now, indent=1))
    runs = [now] if earlier is None else [json.loads(Path(earlier).read_text()), now]
    return "\n## Which runtime to take\n\n" + comparison_text(*runs)


def compared(folder: Path, pythons: Mapping[str, str]) -> dict[str, Any]:
    """Return every model by all runtimes, a command a model: what is stopped goes on."""
    dtypes = [text for dtype in DTYPES for text in ("--dtype", dtype)]
    places = [t for name, python in pythons.items() for t in ("--environment", f"{name}={python}")]
    return joined(
        [
            kept(
                folder / f"compare-{model}.json",
                sys.executable,
                *("-m", "vitprof", "compare", "--json", "--runtimes", ",".join(BACKENDS)),
                *("--model", model, *dtypes, *places, "--sessions", SESSIONS),
                *("--artifacts", str(folder / "artifacts")),
                *("--out", str(folder / f"compare-{model}.csv")),
                *("--plot", str(folder / f"compare-{model}.png")),
            )
            for model in MODELS
        ]
    )


def joined(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the comparisons of several models as one, with Kendall's tau between runtimes."""
    results = [result for run in runs for result in run["results"]]
    latencies: dict[str, dict[str, float]] = {}
    for one in results:
        if one["latency_ms"]:
            name = f"{one['runtime']}, {one['dtype']}"
            latencies.setdefault(name, {})[one["model"]] = one["latency_ms"]
    taus = []
    for first, second in itertools.combinations(latencies, 2):
        shared = [model for model in latencies[first] if model in latencies[second]]
        pairs = [(latencies[first][m], latencies[second][m]) for m in shared]
        if len(shared) > 2:
            tau = float(kendalltau(*zip(*pairs, strict=True)).statistic)
            taus.append({"one": first, "other": second, "tau": tau})
    return {
        "results": results,
        "choices": [choice for run in runs for choice in run["choices"]],
        "kendall_tau": taus,
        "not_compared": list(dict.fromkeys(why for run in runs for why in run["not_compared"])),
    }


def comparison_text(first: dict[str, Any], second: dict[str, Any] | None = None) -> str:
    """Return the table of the first run, and whether a second has the same winners."""
    of = {(one["model"], f"{one['runtime']}, {one['dtype']}"): one for one in first["results"]}
    models = list(dict.fromkeys(model for model, _ in of))
    names = list(dict.fromkeys(name for _, name in of))
    rows = []
    for name in names:
        row = [name]
        for model in models:
            one = of.get((model, name))
            row.append(f"{one['latency_ms']:.3g}" if one and one["latency_ms"] else "failed")
        rows.append(row)
    winners = winners_alone(first) if second is None else winners_of_both(first, second)
    failed = [one for one in first["results"] if not one["latency_ms"]]
    taus = [[one["one"], one["other"], f"{one['tau']:.3f}"] for one in first["kendall_tau"]]
    return (
        "ms of one run, one thread, batch 1, by the first run:\n\n"
        + table(("runtime", *models), rows)
        + winners
        + ("\nFailed:\n\n" if failed else "")
        + "".join(f"- {f['model']} by {f['runtime']}, {f['dtype']}: {f['error']}\n" for f in failed)
        + ("\nNot compared: " + "; ".join(first["not_compared"]) + "\n")
        + "\nKendall's tau of the order of the models:\n\n"
        + table(("one", "other", "tau"), taus)
    )


def in_words(choice: dict[str, Any]) -> str:
    return choice["fastest"] + (f" (or {', '.join(choice['ties'])})" if choice["ties"] else "")


def winners_alone(run: dict[str, Any]) -> str:
    rows = [[f"{c['model']}, {c['dtype'] or 'all'}", in_words(c)] for c in run["choices"]]
    return "\nIn brackets: those whose intervals overlap the fastest's.\n\n" + table(
        ("model", "fastest"), rows
    )


def winners_of_both(first: dict[str, Any], second: dict[str, Any]) -> str:
    """Return who is fastest in both runs; models that one of them lacks are left out."""
    agreed, apart, rows = 0, 0, []
    again = {(choice["model"], choice["dtype"]): choice for choice in second["choices"]}
    for choice in first["choices"]:
        other = again.get((choice["model"], choice["dtype"]))
        if other is None:  # in the other run the fastest of all is in fp32
            continue
        parts = not choice["ties"] and not other["ties"]
        apart += parts
        agreed += parts and choice["fastest"] == other["fastest"]
        name = f"{choice['model']}, {choice['dtype'] or 'all'}"
        rows.append([name, in_words(choice), in_words(other)])
    return (
        f"\nWhere no interval of the fastest overlaps another's in either run ({apart} of "
        f"{len(rows)}), both runs name the same in {agreed}:\n\n"
        + table(("model", "fastest", "fastest in the second run"), rows)
    )


def loops_part(folder: Path, pythons: Mapping[str, str]) -> str:
    rows = []
    script = str(Path(__file__).with_name("plain_loops.py"))
    for backend in BACKENDS:
        python = pythons.get(backend, sys.executable)
        found = kept(folder / f"loop-{backend}.json", python, script, backend)
        low, high = found["low"], found["high"]
        rows.append(
            [
                backend,
                found["model"],
                f"{found['loop_ms']:.4g}",
                f"{found['bench_ms']:.4g}",
                f"{found['ratio'] - 1:+.1%}",
                f"{low - 1:+.1%} .. {high - 1:+.1%}",
            ]
        )
    columns = ("runtime", "model", "loop, ms", "vitprof, ms", "vitprof against the loop", "95 %")
    return "\n## A plain loop\n\nAsked: within 2 %.\n\n" + table(columns, rows)


def tables_part(folder: Path, pythons: Mapping[str, str], arguments: argparse.Namespace) -> str:
    rows = []
    for family in arguments.family or FAMILIES:
        for backend in arguments.backend or BACKENDS:
            python = pythons.get(backend, sys.executable)
            lut = folder / f"{backend}-{family}.csv"
            of = ("-m", "vitprof")
            kept_in = ("--artifacts", str(folder / "artifacts"), "--jobs", arguments.jobs)
            measured = kept(
                folder / f"{backend}-{family}-measured.json",
                python,
                *(*of, "measure", "--backend", backend, "--family", family, "--out", str(lut)),
                *kept_in,
                "--json",
            )
            result = kept(
                folder / f"{backend}-{family}.json",
                python,
                *(*of, "validate", "--table", str(lut), "--samples", arguments.samples),
                *("--time", arguments.time, *kept_in, "--json"),
                *("--out", str(lut.with_suffix(".models.csv"))),
                *("--plot", str(lut.with_suffix(".png"))),
            )
            rows.append(figures(backend, family, measured, result))
    columns = (
        "runtime",
        "family",
        "blocks + models",
        "s to measure",
        "failed",
        "MAPE",
        "±10 %",
        "τ",
        "noise floor",
        "MAPE over the floor",
        "coverage",
    )
    asked = ["*asked*", "", "", "", "", "vit ≤ 2 %, others ≤ 3 %", "100 %", "", "", "≤ 1.3 ×", ""]
    head = (
        f"\n## A table by each runtime\n\n{arguments.samples} unseen models of each family, "
        f"`validate --time {arguments.time}`.\n\n"
    )
    return head + table(columns, [asked, *rows])


def figures(backend: str, family: str, measured: dict, result: dict) -> list[str]:
    errors, floor = result["table"], result["noise_floor"]
    return [
        backend,
        family,
        f"{measured['points']} + {measured['models']}",
        f"{measured['seconds']['total']:.0f}",
        str(measured.get("failed", "")),
        f"{errors['mape']:.2%}",
        f"{errors['within_10']:.0%}",
        f"{errors['kendall_tau']:.3f}",
        f"{floor['mape']:.2%}",
        f"{errors['mape'] / floor['mape']:.2f} ×",
        f"{result['coverage']:.0%}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out")
    parser.add_argument("--folder", default="runtimes-run")
    parser.add_argument("--samples", default="50")
    parser.add_argument("--time", default="5m", help="how long each validate measures, at most")
    parser.add_argument("--jobs", default="2", help="how many points of a table compile at once")
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="of the tables")
    parser.add_argument("--family", action="append", choices=FAMILIES, help="of the tables")
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--environment", action="append", default=[])
    parser.add_argument("--earlier", help="compare.json of another day, whose winners are checked")
    arguments = parser.parse_args()
    pythons = dict(text.split("=", 1) for text in arguments.environment)
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    parts = {
        "compare": lambda: compare_part(folder, pythons, arguments.earlier),
        "loops": lambda: loops_part(folder, pythons),
        "tables": lambda: tables_part(folder, pythons, arguments),
    }
    text = heading("Runtimes on a CPU")
    for name in arguments.part or PARTS:
        text += parts[name]()
    publish(text, arguments.out)


if __name__ == "__main__":
    main()
