"""The part "parsers": coverage-guided fuzzing (atheris) of the parsers that need no runtime.

    python benchmarks/hardening.py parsers --count 100000 [--only table]

Each parser gets its honest file and mutations of it that reach new code. A parser returns, or
raises UserError; anything else is a fault. It runs in a process of its own,
for libFuzzer ends its process. `pip install atheris` first: no part of vitprof needs it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .honest import make
from .outcomes import Outcome

CALLS = 20_000
LARGEST_INPUT = 1 << 16
# libFuzzer's names: one input longer than this, and a process larger than this, are faults.
SECONDS, MEBIBYTES = 20, 2048


def _json(path: Path) -> None:
    from vitprof.untrusted.structured import json_value

    json_value(_text(path), "it")


def _toml(path: Path) -> None:
    from vitprof.untrusted.structured import toml_table

    toml_table(_text(path), "it")


def _yaml(path: Path) -> None:
    from vitprof.untrusted.structured import yaml_mapping

    yaml_mapping(_text(path), "it")


def _text(path: Path) -> str:
    from vitprof.untrusted.files import read_text

    return read_text(path, "a file")


def _spec(path: Path) -> None:
    from vitprof.models import Spec

    Spec.from_json(path)


def _table(path: Path) -> None:
    from vitprof.tables import LatencyTable

    LatencyTable.read_csv(path)


def _space(path: Path) -> None:
    from vitprof.spaces.registry import find_search_space

    find_search_space(str(path))


def _npz(path: Path) -> None:
    from vitprof.untrusted.arrays import read_arrays

    read_arrays(path)


# Of each: the honest file to begin with, and what reads it.
PARSERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "json": ("tiny.json", _json),
    "toml": ("space.toml", _toml),
    "yaml": ("ofa.yaml", _yaml),
    "spec": ("tiny.json", _spec),
    "space": ("space.toml", _space),
    "table": ("lut.csv", _table),
    "npz": ("images.npz", _npz),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", choices=sorted(PARSERS), help="this parser alone")


def run(options: argparse.Namespace) -> Sequence[Outcome]:
    """Fuzz each parser in a process of its own; a fault's input lies in OUT/corpus/parsers."""
    names = [options.only] if options.only else list(PARSERS)
    honest = (options.out / "honest").resolve()
    make(honest, {PARSERS[name][0] for name in names})
    return [_fuzzed(name, options, honest) for name in names]


def _fuzzed(name: str, options: argparse.Namespace, honest: Path) -> Outcome:
    calls = CALLS if options.count is None else options.count
    kept = (options.out / "corpus" / "parsers" / name).resolve()
    grown = (options.out / "grown" / name).resolve()
    for folder in (kept, grown):
        folder.mkdir(parents=True, exist_ok=True)
    first = grown / "honest"
    first.write_bytes((honest / PARSERS[name][0]).read_bytes())
    limits = (f"-timeout={SECONDS}", f"-rss_limit_mb={MEBIBYTES}", f"-max_len={LARGEST_INPUT}")
    amount = (f"-runs={calls}", f"-seed={options.seed + 1}")
    place = options.out.resolve() / f"{name}-input{Path(PARSERS[name][0]).suffix}"
    command = [sys.executable, "-m", "hardening_parts.fuzz_one", name, str(grown)]
    answer = subprocess.run(
        [*command, *limits, *amount, f"-artifact_prefix={kept}/"],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "HARDENING_FILE": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    place.unlink(missing_ok=True)
    print(answer.stderr[-600:], flush=True)
    failed = answer.returncode != 0
    faults = int(failed)
    seed = options.seed if failed else None
    return Outcome("parsers", name, calls, calls - faults, 0, faults, seed)
