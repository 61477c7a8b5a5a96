"""PyTorch's programs for NVIDIA GPUs: everything but the GPU itself, which is not here."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from vitprof import UserError
from vitprof.backends import Backend, BackendError, BackendOptions
from vitprof.backends.cuda.backend import CudaBackend, sparse_library
from vitprof.backends.pytorch.program import TorchProgram, _bare, prune_linear, torch_dtype
from vitprof.backends.two_four import is_two_four
from vitprof.models import Block, create_block, create_model, create_spec

DENSE = BackendOptions(provider="eager")
SPARSE = BackendOptions(provider="eager", dtype="fp16", sparsity="2:4")
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
with_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


def block(op: str, **dims: int) -> nn.Module:
    return create_block(Block.of(op, **dims)).eval()


BLOCKS = [
    ("patch_embed", {"embed": 64, "in_channels": 3, "resolution": 32, "kernel": 8, "prefix": 1}),
    ("attention", {"embed": 64, "heads": 2, "qk": 32, "v": 32, "tokens": 17}),
    ("mlp", {"embed": 64, "mlp": 128, "tokens": 17}),
    ("classifier", {"embed": 64, "heads": 1, "classes": 10, "tokens": 17}),
]


def shape_of(op: str, dims: dict[str, int]) -> tuple[int, ...]:
    return (2, *Block.of(op, **dims).input_shape)


def test_it_is_a_backend() -> None:
    assert isinstance(CudaBackend(), Backend)


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize(("op", "dims"), BLOCKS)
def test_every_op_comes_out_of_its_bytes_as_it_went_in(op, dims, dtype) -> None:
    module, shape = block(op, **dims), shape_of(op, dims)
    options = BackendOptions(provider="eager", dtype=dtype)
    artifact = CudaBackend().build(module, shape, options)
    program = TorchProgram.from_bytes(artifact)
    values = program.input("cpu")
    assert values.dtype == torch_dtype(dtype)
    assert tuple(values.shape) == shape
    with torch.no_grad():
        ours = program.module("cpu")(values)
        theirs = module.to(torch_dtype(dtype))(values)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_a_whole_model_comes_out_of_its_bytes_as_it_went_in() -> None:
    model = create_model(create_spec("vit-micro-8")).eval()
    spec = create_spec("vit-micro-8")
    artifact = CudaBackend().build(model, (1, *spec.blocks()[0].input_shape), DENSE)
    program = TorchProgram.from_bytes(artifact)
    with torch.no_grad():
        torch.testing.assert_close(
            program.module("cpu")(program.input("cpu")), model(program.input("cpu"))
        )


def test_a_run_begins_with_no_checks_of_its_input() -> None:
    op, dims = BLOCKS[1]
    artifact = CudaBackend().build(block(op, **dims), shape_of(op, dims), DENSE)
    loaded = TorchProgram.from_bytes(artifact).module("cpu")
    assert not loaded._forward_pre_hooks
    assert not [name for name, _ in loaded.named_modules() if "guards" in name]


def test_older_torch_has_no_guards_to_leave_away() -> None:
    class Older:
        def module(self) -> nn.Module:
            module = nn.Linear(2, 2)
            module.register_forward_pre_hook(lambda _module, _inputs: None)
            return module

    assert not _bare(Older())._forward_pre_hooks


def test_the_library_of_sparse_kernels_can_be_chosen() -> None:
    cutlass = CudaBackend("cutlass")
    module = nn.Linear(48, 48)  # of cuSPARSELt's multiples and not of CUTLASS's
    assert TorchProgram.from_bytes(CudaBackend("cusparselt").build(module, (16, 48), SPARSE)).sparse
    with pytest.raises(BackendError, match="CUTLASS needs outputs in multiples of 32"):
        cutlass.build(module, (16, 48), SPARSE)
    assert cutlass.environment(SPARSE)["sparse_library"] == "cutlass"
    assert cutlass.pruned(nn.Linear(64, 64), SPARSE).weight.count_nonzero() == 64 * 32


def test_every_session_has_weights_of_its_own() -> None:
    program = TorchProgram.from_bytes(
        CudaBackend().build(block(*BLOCKS[2][:1], **BLOCKS[2][1]), shape_of(*BLOCKS[2]), DENSE)
    )
    first, second = program.module("cpu"), program.module("cpu")
    pointers = [{p.data_ptr() for p in each.parameters()} for each in (first, second)]
    assert not pointers[0] & pointers[1]


def test_the_callers_module_stays_as_it_is() -> None:
    module = block("mlp", embed=64, mlp=128, tokens=17).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    CudaBackend().build(module, (1, 17, 64), SPARSE)
    assert module.training
    for name, value in module.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, before[name])


def test_of_a_sparse_program_every_eligible_weight_is_2_4() -> None:
    module = block("attention", embed=64, heads=2, qk=32, v=32, tokens=17)
    program = TorchProgram.from_bytes(CudaBackend().build(module, (1, 17, 64), SPARSE))
    assert program.sparse
    loaded = program.module("cpu")
    for name in program.sparse:
        assert is_two_four(loaded.get_parameter(name))
    # Half of each is zero, and the dense program has none.
    dense = TorchProgram.from_bytes(CudaBackend().build(module, (1, 17, 64), DENSE))
    assert dense.sparse == ()
    assert not any(is_two_four(dense.module("cpu").get_parameter(n)) for n in program.sparse)


def test_only_the_layers_whose_dims_fit_are_pruned() -> None:
    module = nn.Sequential(nn.Linear(64, 32), nn.Linear(32, 33), nn.Conv2d(64, 64, 1))
    assert prune_linear(module, "fp16", "cutlass") == ["0.weight"]
    assert is_two_four(module[0].weight)
    assert not is_two_four(module[1].weight)
    assert not is_two_four(module[2].weight)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Linear(30, 30), ["no layer can be 2:4", "multiples of", "30"]),
        (nn.Conv2d(3, 8, 3), ["needs a linear layer"]),
    ],
)
def test_where_no_layer_can_be_sparse_the_point_fails_with_the_reason(module, words) -> None:
    with pytest.raises(BackendError) as caught:
        prune_linear(module, "fp16", "cutlass")
    for word in words:
        assert word in str(caught.value)


def test_fp32_is_pruned_by_cutlass_limits_alone() -> None:
    assert sparse_library("fp32") == "cutlass"
    assert prune_linear(nn.Linear(32, 32), "fp32", "cutlass") == ["weight"]
    with pytest.raises(BackendError, match="no 2:4 kernels in fp32"):
        prune_linear(nn.Linear(32, 32), "fp32", "cusparselt")


def test_what_torch_cannot_export_is_said_in_its_words() -> None:
    class Branching(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(BackendError, match=r"torch\.export failed: \S+") as caught:
        CudaBackend().build(Branching(), (1, 4), DENSE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("artifact", [b"", b"{}\n", b"[1]\nx", b"nothing", b"\xff\xfe\n"])
def test_bytes_that_are_no_program_are_refused(artifact: bytes) -> None:
    with pytest.raises(BackendError, match="reading the program"):
        TorchProgram.from_bytes(artifact)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (BackendOptions(provider="eagre"), ["'eagre'", "did you mean 'eager'", "compile"]),
        (BackendOptions(), ["'CPUExecutionProvider'", "eager or compile"]),
    ],
)
def test_other_ways_to_run_are_refused(options: BackendOptions, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        CudaBackend().check(options)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("graph", ["none", "cuda_graph"])
@pytest.mark.parametrize("cache", ["warm", "cold"])
@pytest.mark.parametrize("sparsity", ["dense", "2:4"])
def test_graph_cache_and_sparsity_are_settings_of_it(graph, cache, sparsity) -> None:
    options = BackendOptions(provider="compile", graph=graph, cache=cache, sparsity=sparsity)
    CudaBackend().check(options)
    facts = CudaBackend().environment(options)
    assert (facts["graph"], facts["cache"], facts["sparsity"]) == (graph, cache, sparsity)
    assert facts["torch"] == torch.__version__
    assert (facts["sparse_library"] is None) == (sparsity == "dense")


@without_gpu
def test_without_a_gpu_it_builds_but_does_not_load() -> None:
    backend = CudaBackend()
    assert backend.unbuildable() is None
    reason = backend.unavailable() or ""
    assert "no NVIDIA driver answers" in reason or "install the CUDA build" in reason
    artifact = backend.build(block("mlp", embed=64, mlp=128, tokens=17), (1, 17, 64), DENSE)
    with pytest.raises(UserError) as caught:
        backend.load(artifact, DENSE)
    assert str(caught.value) == reason
    assert backend.environment(DENSE)["gpu"] is None


def test_a_machine_with_a_gpu_and_a_torch_without_is_told_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("vitprof.backends.cuda.backend.nvidia_gpus", list)
    assert "install the CUDA build" in (CudaBackend().unavailable() or "")


@with_gpu
@pytest.mark.parametrize("graph", ["none", "cuda_graph"])
@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_on_a_gpu_the_outputs_are_the_modules(graph: str, dtype: str) -> None:
    module = block("attention", embed=64, heads=2, qk=32, v=32, tokens=17)
    options = BackendOptions(provider="eager", dtype=dtype, graph=graph)
    backend = CudaBackend()
    artifact = backend.build(module, (1, 17, 64), options)
    with torch.no_grad():
        wanted = module(TorchProgram.from_bytes(artifact).input("cpu").float()).numpy()
    with backend.load(artifact, options) as executable:
        executable.run()
        assert executable.device_ms() > 0
        np.testing.assert_allclose(executable.outputs()[0], wanted, atol=2e-2)
