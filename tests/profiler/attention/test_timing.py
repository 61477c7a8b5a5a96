"""Fused against plain attention: equal outputs, a protocol on a scripted clock, reports."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
import torch
from scipy.stats import binom
from vitprof.models import ViTLayer, ViTSpec, create_model
from vitprof.models.modules.attention import Attention
from vitprof.models.modules.fused_attention import FusedAttention, with_fused_attention
from vitprof.profiler.attention import timing as attention_timing
from vitprof.profiler.attention.report import to_csv, to_markdown, where_it_pays
from vitprof.profiler.attention.timing import (
    Case,
    Compared,
    cases,
    compare_block,
    compare_model,
    median_interval,
)

from ..conftest import ScriptedClock

SPEC = ViTSpec.uniform(32, 2, 4, mlp=32, qk=8, v=4, resolution=16, patch=4, classes=5, name="s")
CPU = torch.device("cpu")


@pytest.mark.parametrize("scale_dim", [None, 64])
def test_fused_attention_computes_the_same(scale_dim: int | None) -> None:
    torch.manual_seed(0)
    plain = Attention(32, heads=4, qk=8, v=6, scale_dim=scale_dim)
    fused = with_fused_attention(plain)
    assert type(fused) is FusedAttention
    assert type(plain) is Attention
    x = torch.randn(2, 9, 32, requires_grad=True)
    y = x.detach().clone().requires_grad_(True)
    plain(x).square().sum().backward()
    fused(y).square().sum().backward()
    assert torch.allclose(plain(x), fused(x), atol=1e-5)
    assert torch.allclose(x.grad, y.grad, atol=1e-4)


def test_every_layer_of_a_model_is_fused_and_the_logits_stay() -> None:
    torch.manual_seed(0)
    model = create_model(SPEC)
    fused = with_fused_attention(model)
    kinds = [type(m) for m in fused.modules() if isinstance(m, Attention)]
    assert kinds == [FusedAttention] * 2
    images = torch.randn(3, 3, 16, 16)
    with torch.inference_mode():
        assert torch.allclose(model(images), fused(images), atol=1e-5)


class Stepped(ScriptedClock):
    """A clock that fused steps advance by 2 ms, plain ones by 3, the warm-up by 100."""

    runs: list[str]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Stepped:
    clock = Stepped()
    clock.runs = []
    warmup = 5

    def step(module, x, case, device):
        name = "fused" if any(type(m) is FusedAttention for m in module.modules()) else "plain"

        def run() -> None:
            slow = 100 if clock.runs.count(name) < warmup else 1
            clock.runs.append(name)
            clock.advance(slow * (2 if name == "fused" else 3))

        return run

    monkeypatch.setattr(attention_timing, "_step", step)
    return clock


def test_five_iterations_are_not_timed_and_fifty_are(scripted: Stepped) -> None:
    case = Case("model", "training", "fp32", 2, SPEC.tokens)
    found = compare_model(SPEC, case, CPU, clock=scripted)
    assert (found.fused_ms, found.plain_ms, found.speedup) == (2.0, 3.0, 1.5)
    assert (found.low, found.high, found.runs) == (1.5, 1.5, 50)
    assert scripted.runs.count("fused") == scripted.runs.count("plain") == 55
    timed = scripted.runs[10:]
    # They take turns, and neither always goes first.
    assert all({*timed[nth : nth + 2]} == {"fused", "plain"} for nth in range(0, 100, 2))
    assert {*timed[::2]} == {"fused", "plain"}


@pytest.mark.parametrize("mode", ["training", "inference"])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_real_steps_are_timed(mode, dtype) -> None:
    model = compare_model(SPEC, Case("model", mode, dtype, 2, SPEC.tokens), CPU, 1, 3)
    block = compare_block(32, ViTLayer(4, 8, 8, 32), Case("block", mode, dtype, 2, 20), CPU, 1, 3)
    for found in (model, block):
        assert not found.error
        assert 0 < found.fused_ms < 1e4
        assert found.low <= found.speedup <= found.high


def test_what_does_not_fit_is_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(attention_timing, "_step", full)
    found = compare_model(SPEC, Case("model", "training", "fp32", 2, SPEC.tokens), CPU)
    assert found.error == "out of memory"
    assert math.isnan(found.fused_ms)
    (line,) = csv.DictReader(io.StringIO(to_csv([found])))
    assert (line["fused_ms"], line["error"]) == ("", "out of memory")
    assert "failed" in to_markdown([found], "a CPU")


def test_the_interval_of_a_median_covers_it_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(2000):
        low, high = median_interval(rng.exponential(size=50))
        inside += low <= math.log(2) <= high
    # Order statistics are conservative: never below 95 %, beyond the luck of 2000 draws.
    assert inside / 2000 > 0.94
    low, high = median_interval(np.arange(50.0))
    rank = int(binom.ppf(0.025, 50, 0.5))
    assert (low, high) == (rank - 1, 50 - rank)
    assert median_interval(np.array([3.0, 1.0, 2.0])) == (1.0, 3.0)


def test_cases_are_every_combination() -> None:
    found = list(cases("block", ("training", "inference"), ("fp32", "bf16"), [1, 2], [64, 128]))
    assert len(set(found)) == len(found) == 16


def block(tokens: int, speedup: float, low: float) -> Compared:
    case = Case("block", "inference", "fp32", 1, tokens)
    return Compared(case, 1.0, speedup, speedup, low, 2 * speedup - low, 50)


def test_it_is_said_from_which_length_on_fusing_pays() -> None:
    results = [block(64, 1.2, 1.1), block(128, 0.9, 0.8), block(256, 1.1, 1.02), block(512, 2, 1.9)]
    (words,) = where_it_pays(results)
    assert "from 256 tokens on (1.10x; 2.00x at 512)" in words
    (words,) = where_it_pays(results[:2])
    assert "does not pay beyond doubt up to 128 tokens" in words


@pytest.mark.parametrize(
    ("low", "high", "error", "verdict"),
    [
        (0.35, 4.85, "", "unstable"),
        (3.1, 3.6, "", "stable"),
        (3.32, 3.32, "", "stable"),
        (math.nan, math.nan, "out of memory", "failed"),
    ],
)
def test_a_ratio_of_wide_interval_is_unstable(
    low: float, high: float, error: str, verdict: str
) -> None:
    case = Case("model", "training", "fp32", 2, SPEC.tokens)
    found = Compared(case, 1.0, 3.32, math.nan if error else 3.32, low, high, 50, error=error)
    assert found.verdict == found.as_dict()["verdict"] == verdict
