"""The parts of the day: their order, and how long each may take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# Under ten minutes, with the report's writing.
BUDGET_S = 570.0


@dataclass(frozen=True)
class Part:
    """`module` has `run(rig, findings)`; it gets `seconds`, or what is left if that is `least`."""

    name: str
    title: str
    seconds: float
    least: float = 15.0
    package: str = "gpuday.parts"

    @property
    def module(self) -> str:
        return f"{self.package}.{self.name}"

    def folder(self, day: Path) -> Path:
        return day / "parts" / self.name


# The quick ones come first. The sum exceeds the budget, for most end well before their limit.
PARTS = (
    Part("machine", "The machine, and what its backend promises", 45),
    Part("ways", "DeiT-S's and -B's blocks: dtype, launch and L2 cache", 100),
    Part("two_four", "Dense against 2:4: cuSPARSELt and CUTLASS", 60),
    Part("attention", "Fused against plain attention (Efficient-ViT, tables I and II)", 70),
    Part("engines", "TensorRT-RTX engines", 40),
    Part("clocks", "Clock, temperature and energy without pause", 60),
    Part("table", "A table of DeiT-S and everything narrower", 130),
    Part("unseen", "That table against models it never saw", 150),
    Part("compiled", "Whole models: eager, torch.compile, CUDA graph", 100),
)
