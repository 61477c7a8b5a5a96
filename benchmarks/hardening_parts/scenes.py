"""The commands that the campaign interrupts, with small models, and what they have to leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .material import DIGITS, TRAINING, Material

# Clocks of the machine, and how often the reference was read: a run that goes on reads it anew.
TIMES = ("bins", "seconds", "measured_at", "resumed", "finished_at", "started_at", "date", "spent")
# What a machine measures differs from run to run.
MEASURED = (
    *("latency_ms", "low_ms", "high_ms", "min_ms", "p10_ms", "p90_ms", "p99_ms", "session_ms"),
    *("images_per_s", "peak_bytes", "model_bytes", "verdict", "score", "load_s", "build_s"),
    *(
        "cpu_percent",
        "test_s",
        "cold_ms",
        "noise",
        "faster",
        "speedup",
        "samples",
        "scatter",
        "file_bytes",
        "remarks",  # they tell latencies
    ),
    # Of a table: what its sessions said of the machine, and how many more they made necessary.
    *("measured_ms", "first_run_ms", "load_ms"),
    *("sessions", "set_aside", "reference_ms", "exponent", "cores", "error", "session_sd"),
    *("drift", "readings", "references", "undisturbed_from", "never_undisturbed"),
)


@dataclass(frozen=True)
class Scene:
    """A command line in a `Place`, and the results that it writes there.

    given: files that are copied into `work` first, by their names there.
    fixed: on the machine of `fixed_machine`. exact: everything but `volatile` is compared;
    otherwise figures that were measured are left out. logs: files that grow by lines, none of which
    may be lost. resumes: the same command goes on where it was stopped.
    """

    name: str
    command: tuple[object, ...]
    given: Mapping[str, Path] = field(default_factory=dict)
    fixed: bool = False
    exact: bool = True
    logs: tuple[str, ...] = ()
    resumes: bool = True
    codes: tuple[int, ...] = (0, 1)
    # A run by a machine that shares its processors takes long: so many kills are asked of it.
    weight: float = 1.0

    @property
    def volatile(self) -> tuple[str, ...]:
        return TIMES if self.exact else (*TIMES, *MEASURED)


def resumable(material: Material) -> Sequence[Scene]:
    """Return every command that goes on where it was stopped."""
    short = ("--sessions", 1, "--test-images", 20)
    trained, table = material["trained"], material["lut.csv"]
    pruning = ("--model", trained, "--table", table, *DIGITS, "--target", "0.9x")
    groups = ("--groups", "embed=8,heads=1,qk=4,v=4,mlp=8")
    measuring = ("--sessions", 2, "--whole-models", 2, "--out", "lut.csv")
    searching = ("--population", 8, "--generations", 4, "--parents", 3, "--candidates", 300)
    return (
        Scene(
            "measure (ViT)",
            ("measure", "--model", material["tiny.json"], "--points", 12, *measuring),
            fixed=True,
            logs=("lut.csv",),
            weight=3,
        ),
        Scene(
            "measure (Swin)",
            ("measure", "--model", material["swin.json"], "--points", 28, *measuring),
            fixed=True,
            logs=("lut.csv",),
            weight=2,
        ),
        Scene(
            "measure (ViT), this machine's clock",
            ("measure", "--model", material["tiny.json"], "--points", 12, *measuring),
            exact=False,
            logs=("lut.csv",),
            weight=2,
        ),
        Scene(
            "train",
            ("train", "--model", material["tiny.json"], *TRAINING, "--epochs", 4, "--out", "out"),
            weight=3,
        ),
        Scene(
            "supernet",
            (
                *("supernet", "--space", material["space.json"], *TRAINING, "--epochs", 3),
                *("--sandwich", 1, "--out", "out"),
            ),
            weight=3,
        ),
        Scene(
            "prune --method nvit",
            (
                *("prune", *pruning, *groups, "--epochs", 1, "--prune-epochs", 1),
                *("--prune-every", 2, "--batch", 256, "--autocast", "fp32", "--out", "out"),
            ),
            weight=3,
        ),
        Scene(
            "prune --method optin",
            (
                *("prune", "--method", "optin", *pruning, *groups),
                *("--score-images", 8, "--out", "out"),
            ),
            weight=2,
        ),
        Scene(
            "search --proxy",
            (
                *("search", "--space", material["space.json"], "--table", material["space.csv"]),
                *("--max-latency", "100ms", "--proxy", "macs", *searching, "--out", "out"),
            ),
            logs=("out/evaluations.jsonl",),
            weight=2,
        ),
        Scene(
            "search --supernet",
            (
                *("search", "--supernet", material["supernet"], *DIGITS),
                *("--table", material["space.csv"], "--max-latency", "100ms"),
                *("--images", 40, *searching, "--out", "out"),
            ),
            logs=("out/evaluations.jsonl",),
            weight=3,
        ),
        Scene(
            "distill",
            (
                *("distill", "--teacher", trained, "--student", material["student.json"]),
                *(*TRAINING, "--epochs", 3, *short, "--out", "out"),
            ),
            exact=False,
        ),
        Scene(
            "prune-heads",
            ("prune-heads", "--model", trained, *DIGITS, "--levels", 2, *short, "--out", "out"),
            exact=False,
            resumes=False,
        ),
        Scene(
            "choose",
            (
                *("choose", "--model", trained, *DIGITS, "--sessions", 1, "--judge-images", 20),
                # One of them: which of two as accurate ones is faster is the machine's word.
                *("--dtype", "fp32", "--algorithm", "exhaustive", "--out", "out"),
                *("--facts", "facts.jsonl"),
            ),
            exact=False,
            logs=("facts.jsonl",),
        ),
        Scene(
            "compare --runtimes --facts",
            (
                *("compare", "--runtimes", "onnxruntime", "--model", material["tiny.json"]),
                *("--sessions", 1, "--dtype", "fp32", "--dtype", "int8"),
                *("--facts", "facts.jsonl", "--out", "runtimes.csv"),
            ),
            exact=False,
            logs=("facts.jsonl",),
        ),
        Scene(
            "pipeline",
            ("pipeline", "--config", material["once.toml"], "--out", "out"),
            exact=False,
        ),
    )
