"""How the papers time whole models: batch, threads, warm-up and runs, by the paper's name."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UserError, did_you_mean


@dataclass(frozen=True)
class BenchProtocol:
    """None is what the user gives, or bench's own. `source` says where it is from."""

    source: str
    batch: int | None = None
    threads: int | None = None
    warmup_runs: int | None = None
    runs: int | None = None
    sessions: int | None = None


PROTOCOLS = {
    "efficientvit": BenchProtocol("Liu et al. 2023, tables 2 and 3, CPU", batch=16, threads=1),
    "optin": BenchProtocol(
        "Khaki and Plataniotis 2024, section 4", warmup_runs=100, runs=300, sessions=1
    ),
    "efficient-vit": BenchProtocol(
        "Efficient Vision Transformers: Once-Train Optimization, flash attention",
        warmup_runs=5,
        runs=50,
        sessions=1,
    ),
    "latency": BenchProtocol("one image at a time", batch=1, threads=1),
}


def find_protocol(name: str) -> BenchProtocol:
    """Return the protocol of that name; raises UserError naming the nearest known one."""
    if name not in PROTOCOLS:
        raise UserError(
            f"unknown protocol '{name}'{did_you_mean(name, PROTOCOLS)}; known are "
            f"{', '.join(PROTOCOLS)}."
        )
    return PROTOCOLS[name]
