"""The part "inputs": thousands of hostile files, each given to the command that reads it.

A call is (target, seed): the same two make the same file. Every call is a line of
OUT/inputs.jsonl, so that an interrupted campaign continues, and OUT/corpus keeps the files of
faults. `--only TARGET --seed S` makes one call again, `--faults` those that were faults.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .honest import make
from .inputs_worker import line_of, work
from .outcomes import Outcome
from .targets import TARGETS, Target

CALLS = 200  # of a target of share 1: over 10,000 in all
CPU_SECONDS = 20.0
# On a machine that is busy with other things, 20 s of work take longer.
WALL_SECONDS = 300.0
# What commands import; a worker is forked from a process that has all of it.
IMPORTS = ("torch", "onnx", "onnxruntime", "pandas", "scipy.interpolate", "matplotlib.pyplot")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", choices=sorted(TARGETS), help="this target; with --seed one call")
    parser.add_argument("--faults", action="store_true", help="only calls that were faults")


def run(options: argparse.Namespace) -> Sequence[Outcome]:
    """Make the calls that are missing; return the rows of all that the journal has."""
    honest = (options.out / "honest").resolve()
    journal = options.out / "inputs.jsonl"
    known = read_journal(journal)
    wanted = list(_wanted(options, known))
    if wanted:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a worker is ended with this
        needed = {name for of, _ in wanted for name in TARGETS[of].honest}
        _in_a_child(make, honest, needed)
        with _Workers(honest) as workers, journal.open("a") as file:
            for name, seed in wanted:
                verdict = workers.call(name, seed)
                file.write(line_of(name, seed, verdict))
                file.flush()
                if verdict["fault"]:
                    print(f"{name} --seed {seed}: {verdict['fault']}", flush=True)
                    workers.keep_input(options.out / "corpus" / name.replace(" ", "-") / str(seed))
    return rows_of(read_journal(journal))


def _wanted(options: argparse.Namespace, known: dict[Any, Any]) -> Iterator[tuple[str, int]]:
    if options.faults:
        yield from (key for key, line in known.items() if line.get("fault"))
        return
    if options.only and options.count is None:
        yield options.only, options.seed
        return
    chosen = [TARGETS[options.only]] if options.only else list(TARGETS.values())
    counts = {target.name: calls_of(target, options.count) for target in chosen}
    # In turns, so that an interrupted campaign has some of each.
    for n in range(max(counts.values())):
        for name, count in counts.items():
            if n < count and (name, options.seed + n) not in known:
                yield name, options.seed + n


def calls_of(target: Target, count: int | None) -> int:
    return max(1, round((CALLS if count is None else count) * target.share))


def read_journal(path: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Return the last line of each call; a line that a kill cut short is left out."""
    found = {}
    for line in path.read_text().splitlines() if path.is_file() else ():
        with contextlib.suppress(json.JSONDecodeError):
            values = json.loads(line)
            found[values["target"], values["seed"]] = values
    return found


def rows_of(lines: dict[tuple[str, int], dict[str, Any]]) -> Sequence[Outcome]:
    rows = []
    for name, target in TARGETS.items():
        own = [line for (of, _), line in lines.items() if of == name]
        if not own:
            continue
        faults = [line["seed"] for line in own if line.get("fault")]
        good = Counter(line["code"] == 2 for line in own if not line.get("fault"))
        first = min(faults, default=None)
        rows.append(
            Outcome(target.what, name, len(own), good[False], good[True], len(faults), first)
        )
    return rows


def _in_a_child(function: Any, *arguments: Any) -> None:
    """Call it in a forked process, so that this one stays free of threads."""
    child = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    child.start()
    child.join()
    if child.exitcode:
        raise RuntimeError(f"{function.__name__} ended with {child.exitcode}")


class _Workers:
    """One worker at a time; a new one where it hangs or dies."""

    def __init__(self, honest: Path) -> None:
        for module in IMPORTS:
            __import__(module)
        self._honest = honest
        self._context = multiprocessing.get_context("fork")
        self._root = Path(tempfile.mkdtemp(prefix="hardening-"))
        self._process: Any = None

    def __enter__(self) -> _Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        shutil.rmtree(self._root, ignore_errors=True)

    def call(self, name: str, seed: int) -> dict[str, Any]:
        if self._process is None:
            self._start()
        self._pipe.send((name, seed))
        begun, used = time.monotonic(), _cpu_seconds(self._process.pid)
        fault = ""
        while not self._pipe.poll(0.5):
            if _cpu_seconds(self._process.pid) - used > CPU_SECONDS:
                fault = f"over {CPU_SECONDS:g} s of processor time"
            elif time.monotonic() - begun > WALL_SECONDS:
                fault = f"over {WALL_SECONDS:g} s"
            if fault:
                break
        if not fault:
            try:
                return self._pipe.recv()
            except EOFError:
                self._process.join(10)
                fault = f"died: {self._process.exitcode}"
        self._end()
        return {"code": None, "fault": fault, "output": "", "arguments": []}

    def keep_input(self, to: Path) -> None:
        """Copy the working folder of the call that has just ended."""
        work = self._root / "outside" / "work"
        if work.is_dir():
            written = shutil.ignore_patterns("out*")
            shutil.copytree(work, to, dirs_exist_ok=True, symlinks=True, ignore=written)

    def _start(self) -> None:
        self._pipe, other = self._context.Pipe()
        self._process = self._context.Process(target=work, args=(other, self._root, self._honest))
        self._process.start()
        other.close()

    def _end(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.join()
        self._pipe.close()
        self._process = None


def _cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
