"""ExecuTorch itself: every op of every family, the promises of a backend, threads, hostile files.

Not collected with the other tests: `make test-runtimes` runs it in an environment that has it.
"""

from __future__ import annotations

import functools
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from vitprof.backends import BackendError, BackendOptions, seeded_input
from vitprof.backends.executorch.backend import ExecuTorchBackend
from vitprof.backends.executorch.native_words import native_words
from vitprof.backends.executorch.pool import runtime
from vitprof.backends.executorch.pte import read_pte
from vitprof.backends.executorch.session import ExecuTorchExecutable
from vitprof.backends.random_input import input_dtype
from vitprof.backends.registry import backend_kind
from vitprof.backends.trial import stop_trials, try_artifact
from vitprof.models import OPS, Block, ViTLayer, ViTSpec, create_block, create_model, create_spec
from vitprof.models.modules.folding import folded
from vitprof.profiler.conformance.backend import check_backend

FILES = Path(__file__).parents[1] / "data/executorch"
SMALL_VIT = ViTSpec(
    embed=48, layers=(ViTLayer(3, 8, 16, 72),), patch=4, resolution=16, classes=11, distilled=True
)
MERGING = ViTSpec.uniform(48, 2, 3, patch=4, resolution=16, classes=11, merges=(4, 2))
WIDTHS = {"embed": 32, "tokens": 17}
DETAILS = (
    Block.of("prefixless_patch_embed", embed=32, in_channels=3, resolution=32, kernel=8),
    Block.of("normed_attention", **WIDTHS, heads=2, qk=16, v=16),
    *(Block.of(op, **WIDTHS, mlp=64) for op in ("mlp_gelu_tanh", "mlp_quick_gelu", "swiglu_mlp")),
    *(Block.of(op, **WIDTHS) for op in ("features", "mean_features")),
)
# An example of each op: the smallest family member's last.
BLOCKS = {
    block.op: block
    for block in (
        *(
            block
            for name in (
                "efficientvit-m0",
                "autovit-xxs",
                "swin-tiny",
                "bert-tiny",
                "vgg11-bn-cifar",
            )
            for block in create_spec(name).blocks()
        ),
        *(*MERGING.blocks(), *SMALL_VIT.blocks(), *DETAILS),
    )
}
# Its runtime has no kernel of an operator of these; see docs/executorch.md.
WITHOUT_KERNEL = ("bipartite_merging",)
INT8_OPS = ("attention", "mlp", "patch_embed", "classifier")
backend = ExecuTorchBackend()


def options(**others) -> BackendOptions:
    return BackendOptions(**{"provider": "xnnpack", **others})


@functools.cache
def module_of(op: str) -> tuple[nn.Module, tuple[int, ...]]:
    torch.manual_seed(0)
    return folded(create_block(BLOCKS[op]).eval()), (1, *BLOCKS[op].input_shape)


def error_of(module: nn.Module, shape: tuple[int, ...], given: BackendOptions) -> float:
    """How far the outputs are from torch's, as a share of the largest."""
    values = torch.from_numpy(seeded_input(shape, input_dtype(module, "fp32")))
    with torch.inference_mode():
        exact = module(values).numpy()
    with backend.load(backend.build(module, shape, given), given) as session:
        session.run()
        (output,) = session.outputs()
    assert output.shape == exact.shape
    return float(np.abs(output - exact).max() / np.abs(exact).max())


def test_every_op_is_tested_here() -> None:
    assert set(BLOCKS) == set(OPS)


def test_every_promise_of_a_backend_is_kept() -> None:
    for checked in check_backend(backend_kind("executorch")):
        assert checked.answer == "ok", checked


@pytest.mark.parametrize("op", [op for op in BLOCKS if op not in WITHOUT_KERNEL])
def test_every_op_is_the_torch_modules(op: str) -> None:
    assert error_of(*module_of(op), options()) < 1e-5


@pytest.mark.parametrize("shift", [1, 2])
def test_windows_of_one_head_are_the_torch_modules(shift: int) -> None:
    """Their bias has a dim of one element, whose stride is not that of its shape."""
    dims = {"embed": 32, "heads": 1, "qk": 16, "v": 16, "window": 7, "resolution": 14}
    torch.manual_seed(0)
    module = folded(create_block(Block.of("window_attention", **dims, shift=shift)).eval())
    assert error_of(module, (1, 14 * 14, 32), options()) < 1e-5


@pytest.mark.parametrize("op", WITHOUT_KERNEL)
def test_an_operator_without_a_kernel_is_named(op: str) -> None:
    missing = r"This ExecuTorch has no kernel for aten::sort\.values\.$"
    with pytest.raises(BackendError, match=f"loading the program into .* failed: .*{missing}"):
        error_of(*module_of(op), options())


def test_operators_are_called_as_the_runtime_registers_them() -> None:
    registered = runtime()._get_operator_names()
    for provider in ("xnnpack", "portable"):
        operators = read_pte((FILES / f"mlp-{provider}.pte").read_bytes()).operators
        assert operators
        assert set(operators) <= set(registered)


def test_what_the_runtime_says_of_an_error_is_caught(capfd: pytest.CaptureFixture[str]) -> None:
    module, shape = module_of(WITHOUT_KERNEL[0])
    artifact = backend.build(module, shape, options())
    with native_words() as words, pytest.raises(RuntimeError):
        runtime()._load_program_from_buffer(artifact).load_method("forward")
    assert "aten::sort.values" in words.text
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("op", ["attention", "cga", "mbconv"])
def test_the_portable_kernels_compute_the_same(op: str) -> None:
    assert error_of(*module_of(op), options(provider="portable")) < 1e-5


@pytest.mark.parametrize("dtype", ["int8", "int8-static"])
@pytest.mark.parametrize("op", INT8_OPS)
@pytest.mark.few("attention-int8-static", "mlp-int8", "patch_embed-int8-static")
def test_int8_is_near(op: str, dtype: str) -> None:
    module, shape = module_of(op)
    assert 1e-5 < error_of(module, shape, options(dtype=dtype)) < 0.1


def test_whole_models_are_torchs() -> None:
    torch.manual_seed(0)
    model = create_model(SMALL_VIT).eval()
    assert error_of(model, (2, 3, 16, 16), options()) < 1e-5


def test_the_delegated_share_is_that_of_the_lowered_program() -> None:
    """Counted in the file and by ExecuTorch's own tool; XNNPACK takes no layer norm."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.devtools.backend_debug import get_delegation_info
    from executorch.exir import to_edge_transform_and_lower

    module, shape = module_of("mlp")
    with backend.load(backend.build(module, shape, options()), options()) as session:
        assert session.own_kernels() == ("aten::native_layer_norm",)
        share = session.delegated_share()
    exported = torch.export.export(module, (torch.from_numpy(seeded_input(shape)),))
    lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    info = get_delegation_info(lowered.exported_program().graph_module)
    # A layer norm gives three tensors, and taking the first is not an operator.
    taken = info.delegation_by_operator.get("getitem")
    not_operators = taken.non_delegated if taken else 0
    operators = info.num_delegated_nodes + info.num_non_delegated_nodes - not_operators
    assert share == pytest.approx(info.num_delegated_nodes / operators)
    assert share == 0.8


def test_nothing_and_everything_delegated() -> None:
    for module, share in ((nn.Linear(8, 8), 1.0), (nn.LayerNorm(8), 0.0)):
        with backend.load(backend.build(module.eval(), (1, 4, 8), options()), options()) as session:
            assert session.delegated_share() == share


@pytest.mark.parametrize("threads", [1, 2])
def test_the_pool_has_the_threads_that_were_asked_for(threads: int) -> None:
    with backend.load(mlp(), options(threads=threads)) as session:
        session.run()
        assert runtime()._threadpool_get_thread_count() == threads
        other = 3 - threads
        with pytest.raises(BackendError, match="one pool of threads a process"):
            backend.load(mlp(), options(threads=other))


def test_one_thread_is_one() -> None:
    """All CPU time of the process is that of the thread that runs; no wall clock is asked."""
    with backend.load(mlp(), options(threads=1)) as session:
        session.run()
        process, thread = time.process_time(), time.thread_time()
        for _ in range(300):
            session.run()
        process, thread = time.process_time() - process, time.thread_time() - thread
    assert process <= 1.05 * thread


@functools.cache
def mlp() -> bytes:
    module = create_block(Block.of("mlp", embed=192, mlp=768, tokens=197)).eval()
    return backend.build(module, (1, 197, 192), options())


def test_an_input_in_planned_memory_is_refused() -> None:
    """ExecuTorch's default: the second run of such a program computes something else."""
    from executorch.exir import to_edge_transform_and_lower

    exported = torch.export.export(nn.Sequential(nn.LayerNorm(8), nn.GELU()), (torch.ones(2, 8),))
    program = to_edge_transform_and_lower(exported).to_executorch()
    with pytest.raises(BackendError, match="keeps its input in memory that it uses again"):
        backend.load(bytes(program.buffer), options())


def test_what_cannot_be_exported_is_told_in_the_exporters_words() -> None:
    class Branch(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1 if x.sum() > 0 else x - 1

    with pytest.raises(BackendError, match=r"ExecuTorch export failed: .*data-dependent"):
        backend.build(Branch(), (1, 4), options())


@pytest.mark.parametrize("name", ["xnnpack", "portable"])
def test_recorded_programs_still_run(name: str) -> None:
    with ExecuTorchExecutable((FILES / f"mlp-{name}.pte").read_bytes()) as session:
        session.run()
        assert [output.shape for output in session.outputs()] == [(1, 3, 8)]


def test_one_that_crashes_the_runtime_does_not_end_this_process() -> None:
    whole = (FILES / "mlp-xnnpack.pte").read_bytes()
    try_artifact("executorch", whole)
    # Not through `read_pte`, which refuses it: the runtime follows this offset out of the file.
    hostile = whole[:4] + b"ET12" + whole[8:64] + b"\xff" * 8 + whole[72:]
    with pytest.raises(BackendError):
        try_artifact("executorch", hostile)
    try_artifact("executorch", whole)
    stop_trials()


def test_the_build_is_repeated_bit_for_bit() -> None:
    module, shape = module_of("mlp")
    assert backend.build(module, shape, options()) == backend.build(module, shape, options())
