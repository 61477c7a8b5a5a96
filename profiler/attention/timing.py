"""What fused attention gains over plain attention, in training and inference.

The protocol of Efficient Vision Transformers: Once-Train Optimization, section IV.A: 5 untimed
iterations, then 50 timed ones. Fused and plain take turns in random order, so that a ratio is one
of neighbours.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from ...models import ViTLayer, ViTSpec, create_model
from ...models.modules.attention import AttentionBlock
from ...models.modules.fused_attention import with_fused_attention
from ..sampling.clock import Clock, SystemClock
from ..sampling.sampler import sample_group
from ..sampling.sampling_plan import SamplingPlan

Mode = Literal["training", "inference"]
MODES: tuple[Mode, ...] = ("training", "inference")
# Called after each pair of timed runs with how many are done, of how many.
OnRun = Callable[[int, int], None]
# Half of a ratio's 95 % interval, beyond which it is called unstable.
UNSTABLE_ABOVE = 0.10
DTYPES = {"fp32": None, "fp16": torch.float16, "bf16": torch.bfloat16}


def _silent(done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Case:
    """One comparison: `tokens` a sequence, `batch` sequences a step, in `dtype` by autocast.

    what: "model" is a whole one with its loss and optimizer, "block" one attention block.
    """

    what: str
    mode: Mode
    dtype: str
    batch: int
    tokens: int

    @property
    def in_words(self) -> str:
        """Return "training, bf16, batch 16"."""
        size = f"batch {self.batch}" if self.what == "model" else f"{self.tokens} tokens"
        return f"{self.mode}, {self.dtype}, {size}"


@dataclass(frozen=True)
class Compared:
    """The medians of a case in ms, and of the pairs' ratios plain / fused with a 95 % interval.

    Peaks are of a GPU's memory in bytes, None elsewhere. A case that cannot be run has an `error`
    and NaN for its times.
    """

    case: Case
    fused_ms: float = math.nan
    plain_ms: float = math.nan
    speedup: float = math.nan
    low: float = math.nan
    high: float = math.nan
    runs: int = 0
    fused_peak: int | None = None
    plain_peak: int | None = None
    error: str = ""

    @property
    def verdict(self) -> Literal["stable", "unstable", "failed"]:
        """Return "unstable" where the ratio's interval is wider than 10 % to both sides."""
        if self.error:
            return "failed"
        wide = (self.high - self.low) / 2 > UNSTABLE_ABOVE * self.speedup
        return "unstable" if wide else "stable"

    def as_dict(self) -> dict[str, Any]:
        values = asdict(self)
        return {**values.pop("case"), **values, "verdict": self.verdict}


def compare_model(
    spec: ViTSpec,
    case: Case,
    device: torch.device,
    warmup: int = 5,
    runs: int = 50,
    clock: Clock | None = None,
    on_run: OnRun = _silent,
) -> Compared:
    """Return a whole model's times: a forward pass, or a step with loss, backward and AdamW."""
    plain = create_model(spec)
    return _compare(plain, _images(spec, case, device), case, device, warmup, runs, clock, on_run)


def compare_block(
    embed: int,
    layer: ViTLayer,
    case: Case,
    device: torch.device,
    warmup: int = 5,
    runs: int = 50,
    clock: Clock | None = None,
    on_run: OnRun = _silent,
) -> Compared:
    """Return one attention block's times (norm, attention, residual) at the case's tokens."""
    spec = ViTSpec(embed=embed, layers=(layer,), resolution=16, patch=16, classes=1, name="block")
    block = spec.attention_block(layer, case.tokens)
    assert block is not None
    plain = AttentionBlock.of(block)
    return _compare(
        plain,
        lambda: torch.randn(case.batch, case.tokens, embed, device=device),
        case,
        device,
        warmup,
        runs,
        clock,
        on_run,
    )


def _images(spec: ViTSpec, case: Case, device: torch.device) -> Callable[[], torch.Tensor]:
    shape = (case.batch, *spec.blocks()[0].input_shape)
    return lambda: torch.randn(shape, device=device)


def _compare(
    plain: nn.Module,
    inputs: Callable[[], torch.Tensor],
    case: Case,
    device: torch.device,
    warmup: int,
    runs: int,
    clock: Clock | None,
    on_run: OnRun,
) -> Compared:
    """Time plain and fused in turns; what does not fit the memory becomes an error."""
    try:
        x = inputs()
        steps = {
            "fused": _step(with_fused_attention(plain).to(device), x, case, device),
            "plain": _step(plain.to(device), x, case, device),
        }
        peaks = {name: _peak(step, device) for name, step in steps.items()}
        rounds = itertools.count(1)
        samples = sample_group(
            {name: _Waited(step, device) for name, step in steps.items()},
            SamplingPlan(warmup, warmup_ms=0.0, min_runs=runs, max_runs=runs, runs_per_turn=1),
            clock or SystemClock(),
            random.Random(0),  # noqa: S311 - an order, not a secret
            untimed=0,
            keep_all=True,
            on_round=lambda: on_run(next(rounds), runs),
        )
        times = {name: [one.wall_ms for one in of_one.kept] for name, of_one in samples.items()}
    except (RuntimeError, MemoryError) as error:
        return Compared(case, error=" ".join(str(error).split())[:200] or type(error).__name__)
    ratios = np.array(times["plain"]) / np.array(times["fused"])
    low, high = median_interval(ratios)
    return Compared(
        case,
        float(np.median(times["fused"])),
        float(np.median(times["plain"])),
        float(np.median(ratios)),
        low,
        high,
        runs,
        peaks["fused"],
        peaks["plain"],
    )


def median_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of the median by order statistics, which assume no distribution.

    The ranks between which the median lies with 95 % are those of a binomial of n and a half; of
    fewer than six values, all of them.
    """
    from scipy.stats import binom

    ordered, n = np.sort(values), len(values)
    rank = int(binom.ppf(0.025, n, 0.5))
    if n < 6 or rank < 1:
        return float(ordered[0]), float(ordered[-1])
    return float(ordered[rank - 1]), float(ordered[n - rank])


def _step(
    module: nn.Module, x: torch.Tensor, case: Case, device: torch.device
) -> Callable[[], object]:
    """Return one iteration: of training with its loss, backward pass and update, or a forward."""
    sixteen = DTYPES[case.dtype]

    def forward() -> torch.Tensor:
        with torch.autocast(device.type, sixteen, enabled=sixteen is not None):
            return module(x)

    if case.mode == "inference":
        module.eval()
        return torch.inference_mode()(forward)
    module.train()
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-6)
    of_model = case.what == "model"
    labels = torch.zeros(case.batch, dtype=torch.long, device=device)

    def train() -> None:
        optimizer.zero_grad(set_to_none=True)
        out = forward().float()
        loss = nn.functional.cross_entropy(out, labels) if of_model else out.square().mean()
        loss.backward()
        optimizer.step()

    return train


@dataclass(frozen=True)
class _Waited:
    """A step that ends when the device has done it."""

    step: Callable[[], object]
    device: torch.device

    def run(self) -> None:
        self.step()
        _wait(self.device)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak(step: Callable[[], object], device: torch.device) -> int | None:
    """Return the most bytes of the GPU that one iteration, run here, had in use; None on a CPU."""
    if device.type != "cuda":
        return None
    step()  # an optimizer makes its averages in the first one
    _wait(device)
    torch.cuda.reset_peak_memory_stats(device)
    step()
    _wait(device)
    return torch.cuda.max_memory_allocated(device)


def cases(
    what: str,
    modes: Sequence[Mode],
    dtypes: Sequence[str],
    batches: Sequence[int],
    tokens: Sequence[int],
) -> Iterator[Case]:
    """Yield a case for every combination, the cheap ones of each dtype first."""
    for dtype in dtypes:
        for length in tokens:
            for batch in batches:
                for mode in modes:
                    yield Case(what, mode, dtype, batch, length)
