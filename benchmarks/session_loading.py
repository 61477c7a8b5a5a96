"""What is saved in each session: of ONNX Runtime by preparing a model, of PyTorch by keeping it.

    python benchmarks/session_loading.py [--backend torch] [--rounds 15]
        [--out docs/results/session_loading.md]

Every round opens fresh sessions of a subject in random order, two plain ones and a prepared one,
and runs them in turns. The two plain ones say how far run times of equal sessions are apart.
A prepared session of PyTorch copies the program that was read before; a plain one reads it.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from report import heading, publish, table
from vitprof import create_spec
from vitprof.backends import Backend, BackendOptions, Executable, OnnxRuntimeBackend
from vitprof.backends.pytorch import program
from vitprof.backends.pytorch.backend import TorchBackend
from vitprof.backends.pytorch.loaded import LoadedPrograms
from vitprof.models import Block
from vitprof.profiler.plan import Subject
from vitprof.profiler.target import Target
from vitprof.profiler.workshop import Workshop
from vitprof.tables import Setting

T = TypeVar("T")
BLOCKS = (
    Block.of("attention", embed=192, heads=3, qk=64, v=64, tokens=197),
    Block.of("attention", embed=768, heads=12, qk=64, v=64, tokens=197),
    Block.of("mlp", embed=192, mlp=768, tokens=197),
    Block.of("mlp", embed=768, mlp=3072, tokens=197),
)
MODELS = ("deit-tiny", "efficientvit-m0", "autovit-xxs", "bert-mini")
KINDS = ("plain", "plain again", "prepared")


@dataclass
class Times:
    """Milliseconds of one subject: of every load, and a median over runs a session."""

    preparing: list[float] = field(default_factory=list)
    loads: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    runs: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def run_ratio(self, kind: str) -> str:
        """Return the median ratio to the plain session of the same round, and its 95 % interval."""
        ratios = np.array(self.runs[kind]) / np.array(self.runs["plain"])
        rng = np.random.default_rng(0)
        again = np.median(rng.choice(ratios, (2000, len(ratios))), axis=1)
        low, high = np.quantile(again, (0.025, 0.975))
        return f"{np.median(ratios):.3f} ({low:.3f} to {high:.3f})"


def timed(call: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    result = call()
    return result, 1e3 * (time.perf_counter() - started)


@dataclass(frozen=True)
class Plain:
    """How sessions of one artifact are opened as if nothing had been prepared, and otherwise."""

    backend: Backend
    options: BackendOptions
    artifact: bytes

    def prepare(self) -> Callable[[], Executable]:
        """Return what opens a prepared session."""
        prepared = self.backend.prepare(self.artifact, self.options)
        return lambda: self.backend.load(prepared, self.options)

    def load(self) -> Executable:
        return self.backend.load(self.artifact, self.options)


class PlainTorch(Plain):
    """The same for PyTorch, whose programs are kept by the process that reads them."""

    def prepare(self) -> Callable[[], Executable]:
        kept = LoadedPrograms()

        def open_copied() -> Executable:
            program._LOADED = kept
            return self.backend.load(self.artifact, self.options)

        open_copied().close()
        return open_copied

    def load(self) -> Executable:
        program._LOADED = LoadedPrograms()
        return self.backend.load(self.artifact, self.options)


def times_of(
    name: str, subject: Subject, dtype: str, rounds: int, runs: int, rng: random.Random
) -> Times:
    backend: Backend = TorchBackend() if name == "torch" else OnnxRuntimeBackend()
    target = Target(backend, Setting("cpu", backend.name, backend.default_provider, dtype=dtype))
    kind_of = PlainTorch if name == "torch" else Plain
    plain = kind_of(backend, target.options, Workshop(target).build(subject))
    times = Times()
    for _ in range(rounds):
        load_prepared, ms = timed(plain.prepare)
        times.preparing.append(ms)
        sessions = {}
        for kind in rng.sample(KINDS, len(KINDS)):
            load = load_prepared if kind == "prepared" else plain.load
            sessions[kind], ms = timed(load)
            times.loads[kind].append(ms)
        taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(runs):
            for kind in rng.sample(KINDS, len(KINDS)):
                sessions[kind].run()  # brings its weights back into the caches
                taken[kind].append(timed(sessions[kind].run)[1])
        for kind, executable in sessions.items():
            times.runs[kind].append(float(np.median(taken[kind])))
            executable.close()
    return times


def row_of(name: str, times: Times) -> list[str]:
    plain, prepared = (np.median(times.loads[kind]) for kind in ("plain", "prepared"))
    return [
        name,
        f"{np.median(times.preparing):.1f}",
        f"{plain:.1f}",
        f"{prepared:.1f}",
        f"{prepared / plain:.2f}",
        f"{np.median(times.runs['plain']):.2f}",
        times.run_ratio("prepared"),
        times.run_ratio("plain again"),
    ]


def subjects() -> list[tuple[str, Subject, str]]:
    """Return a name, a subject and a dtype for every row."""
    found: list[tuple[str, Subject, str]] = [(str(block), (block,), "fp32") for block in BLOCKS]
    found += [(name, create_spec(name), "fp32") for name in MODELS]
    smaller = ("fp16", "int8")
    found += [(f"deit-tiny, {dtype}", create_spec("deit-tiny"), dtype) for dtype in smaller]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="onnxruntime", choices=("onnxruntime", "torch"))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out")
    given = parser.parse_args(arguments)
    rng = random.Random(given.seed)
    rows = [
        row_of(name, times_of(given.backend, subject, dtype, given.rounds, given.runs, rng))
        for name, subject, dtype in subjects()
    ]
    columns = (
        "one thread",
        "prepare once (ms)",
        "load plain (ms)",
        "load prepared (ms)",
        "ratio",
        "run (ms)",
        "run time, prepared / plain",
        "plain / plain",
    )
    publish(
        heading(f"Loading sessions of {given.backend}") + "\n" + table(columns, rows), given.out
    )


if __name__ == "__main__":
    main()
