"""Kernels on runtimes other than ONNX Runtime in fp32: PyTorch op by op, and graphs in int8."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from vitprof import predict
from vitprof.backends import BackendOptions, OnnxRuntimeBackend
from vitprof.backends.pytorch.backend import TorchBackend
from vitprof.backends.pytorch.program import TorchProgram
from vitprof.closing import Closing
from vitprof.errors import UserError
from vitprof.foreign.open_model import open_model
from vitprof.models import Block
from vitprof.profiler.kernel_plan import default_kernels
from vitprof.profiler.measure import measure_table
from vitprof.profiler.plan_for import plan_for_kernels, plan_for_models
from vitprof.profiler.runtime_kernels import kernel_artifact, plan_for_runtime, rules_of
from vitprof.profiler.sampling.protocol import Protocol
from vitprof.profiler.sampling.sampling_plan import SamplingPlan
from vitprof.profiler.target import Target
from vitprof.tables import LatencyTable, Setting

EAGER = BackendOptions(provider="eager")
INT8 = BackendOptions(dtype="int8")
QUICK = SamplingPlan(warmup_ms=0.0, timed_ms=0.0, min_runs=2, max_runs=2, runs_per_turn=2)
PROTOCOL = Protocol(
    sessions=1,
    model_sessions=1,
    extra_sessions=0,
    model_extra_sessions=0,
    extra_share=0.0,
    reference_sessions=1,
    sampling=QUICK,
    kernel_sessions=1,
    kernel_sampling=QUICK,
)
NETS = """
import torch
from torch import nn

def net(width, depth):
    blocks = []
    for _ in range(depth):
        blocks += [nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
    module = nn.Sequential(
        nn.Conv2d(3, width, 4, stride=4), *blocks, nn.MaxPool2d(2), nn.Flatten(2),
        nn.Linear(16, 24), nn.GELU(), nn.LayerNorm(24), nn.Softmax(-1), nn.Flatten(),
        nn.Linear(24 * width, 10),
    )
    return module, torch.zeros(1, 3, 32, 32)

def make_8(): return net(8, 1)
def make_16(): return net(16, 2)
def make_32(): return net(32, 3)
def unseen_12(): return net(12, 1)
def unseen_24(): return net(24, 2)

class Sorts(nn.Module):
    def forward(self, x):
        return torch.det(x @ x.transpose(-1, -2))

def unknown(): return Sorts(), torch.zeros(1, 3, 8, 8)
"""


def calls_of(artifact: bytes) -> list[Any]:
    """Return the operations of a program."""
    program = torch.export.load(io.BytesIO(TorchProgram.from_bytes(artifact).exported))
    return [node for node in program.graph.nodes if node.op == "call_function"]


class Counted(Closing):
    """An executable that PyTorch runs; its clock counts operations, their values and weights."""

    def __init__(self, executable: Any, ms: float) -> None:
        self._executable = executable
        self._ms = ms

    def run(self) -> None:
        self._executable.run()

    def device_ms(self) -> float:
        return self._ms

    def outputs(self) -> list[np.ndarray]:
        return self._executable.outputs()  # type: ignore[no-any-return]

    def close(self) -> None:
        self._executable.close()


class CountedTorch(TorchBackend):
    """PyTorch on a machine where everything takes as long as it is large."""

    def load(self, artifact: bytes, options: BackendOptions) -> Any:
        ms = 0.0
        for node in calls_of(artifact):
            tensors = [node.meta["val"], *(one.meta["val"] for one in node.all_input_nodes)]
            sizes = [one.numel() for one in tensors if isinstance(one, torch.Tensor)]
            ms += 0.001 + 1e-6 * sum(sizes)
        return Counted(super().load(artifact, options), ms)


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nets") / "nets.py"
    path.write_text(NETS, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def table(nets: Path, tmp_path_factory: pytest.TempPathFactory) -> LatencyTable:
    backend = CountedTorch()
    models = [open_model(f"{nets}:make_{width}") for width in (8, 16, 32)]
    plan = plan_for_runtime(plan_for_models(models), backend, EAGER)
    out = tmp_path_factory.mktemp("kernels") / "kernels.csv"
    target = Target(backend, Setting("cpu", "torch", "eager"))
    measure_table(plan, target, out, protocol=PROTOCOL)
    return LatencyTable.read_csv(out)


def test_a_table_of_pytorch_has_its_operations(table: LatencyTable) -> None:
    assert not [row for row in table.rows if row.verdict == "failed"]
    observed = table.header.observed
    assert observed is not None and observed["fusion"] == "eager"
    kernels = [row.subject for row in table.rows if isinstance(row.subject, Block)]
    ops = {block.op for block in kernels}
    assert {"kernel_conv", "kernel_matmul", "kernel_elementwise", "kernel_softmax"} <= ops
    assert "kernel_reorder" not in ops
    assert not any(dict(block.dims).get("blocked") == 2 for block in kernels)
    assert not any(dict(block.dims).get("fused", 1) > 1 for block in kernels)
    assert len(table.model_rows) == 3


def test_unseen_models_are_predicted_in_their_order(table: LatencyTable, nets: Path) -> None:
    answers = [predict(f"{nets}:unseen_{width}", table) for width in (12, 24)]
    predicted = [answer.ms for answer in answers]
    assert predicted == sorted(predicted) and predicted[0] > 0
    assert all(not answer.unknown and not answer.missing for answer in answers)
    for width, ms in zip((12, 24), predicted, strict=True):
        spec = open_model(f"{nets}:unseen_{width}")
        assert spec.source is not None
        artifact = TorchBackend().build(spec.source.module(), (1, 3, 32, 32), EAGER)
        with CountedTorch().load(artifact, EAGER) as executable:
            assert ms == pytest.approx(executable.device_ms(), rel=0.15)


def test_what_is_unknown_is_an_error(table: LatencyTable, nets: Path) -> None:
    with pytest.raises(UserError, match="Det"):
        predict(f"{nets}:unknown", table)


def test_repeats_are_all_in_the_program() -> None:
    block = Block.of("kernel_softmax", rows=8, columns=8, inner=1, swaps=1)
    artifact = kernel_artifact(TorchBackend(), EAGER, [block] * 5)
    assert len(calls_of(artifact)) == 5
    with TorchBackend().load(artifact, EAGER) as executable:
        executable.run()
        assert len(executable.outputs()) == 5


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_kernels_of_pytorch_run(dtype: str) -> None:
    options = replace(EAGER, dtype=dtype)
    plan = plan_for_runtime(plan_for_kernels(), TorchBackend(), options)
    kernels = [block for block in plan.blocks if block.macs < 1e6]
    for block in list({block.op: block for block in kernels}.values()):
        artifact = kernel_artifact(TorchBackend(), options, [block])
        with TorchBackend().load(artifact, options) as executable:
            executable.run()


def test_what_only_onnx_runtime_has_is_left_out_with_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO", logger="vitprof"):
        plan = plan_for_runtime(plan_for_kernels(), TorchBackend(), EAGER)
    assert "that torch does not have are left out: reorder" in caplog.text
    assert "only ONNX Runtime has" in caplog.text
    assert not {block.op for block in plan.blocks} & {"kernel_reorder"}
    reorder = Block.of("kernel_reorder", height=7, width=7, in_channels=32, function=1)
    with pytest.raises(UserError, match="only ONNX Runtime has"):
        kernel_artifact(TorchBackend(), EAGER, [reorder])
    fused = Block.of("kernel_matmul", rows=4, columns=4, inner=4, fused=2)
    with pytest.raises(UserError, match="several operations in PyTorch"):
        kernel_artifact(TorchBackend(), EAGER, [fused])


def test_a_compiler_that_fuses_in_its_own_way_is_refused() -> None:
    with pytest.raises(UserError, match="how it fuses a graph is not known"):
        plan_for_runtime(plan_for_kernels(), TorchBackend(), BackendOptions(provider="compile"))


def test_onnx_runtime_in_fp32_keeps_its_plan() -> None:
    plan = plan_for_kernels(20)
    assert plan_for_runtime(plan, OnnxRuntimeBackend(), BackendOptions()) is plan


@pytest.mark.parametrize("options", [INT8, BackendOptions(dtype="fp16")], ids=["int8", "fp16"])
def test_in_other_dtypes_a_kernel_is_a_graph_of_plain_operators(options: BackendOptions) -> None:
    backend = OnnxRuntimeBackend()
    assert rules_of(backend, options).fusion == "graph"
    plan = plan_for_runtime(plan_for_kernels(), backend, options)
    assert not any(dict(block.dims).get("blocked") == 2 for block in plan.blocks)
    kernels = [block for block in default_kernels() if block.op == "kernel_matmul"][:1]
    fused = Block.of("kernel_matmul", rows=8, columns=16, inner=32, fused=2)
    for block in (*kernels, fused):
        with backend.load(kernel_artifact(backend, options, [block] * 2), options) as executable:
            executable.run()
            assert len(executable.outputs()) == 2
