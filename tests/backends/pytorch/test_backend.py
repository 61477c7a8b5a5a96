"""PyTorch on the CPU as a backend, with the real runtime."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from vitprof import UserError
from vitprof.backends import Backend, BackendError, BackendOptions, create_backend, find_device
from vitprof.backends.pytorch.backend import TorchBackend
from vitprof.backends.random_input import input_dtype, seeded_input
from vitprof.models import create_model

pytestmark = pytest.mark.slow

SHAPE = (2, 1, 8, 8)
# What a dtype may differ by from fp32, as a share of the largest value.
TOLERANCE = {"fp32": 1e-5, "bf16": 0.05, "fp16": 0.01, "int8": 0.1}


def options(**given: object) -> BackendOptions:
    return BackendOptions(**({"provider": "eager"} | given))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return create_model("vit-micro-8").eval()


@pytest.fixture(scope="module")
def exact(model: torch.nn.Module) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.from_numpy(seeded_input(SHAPE))).numpy()


def test_it_is_a_backend_of_the_cpu() -> None:
    backend = create_backend(find_device("cpu"), "torch")
    assert isinstance(backend, TorchBackend)
    assert isinstance(backend, Backend)
    assert backend.unavailable() is backend.unbuildable() is backend.trouble() is None
    assert find_device("cpu").dtypes_by("torch")[0] == "fp32"


@pytest.mark.parametrize("dtype", find_device("cpu").dtypes_by("torch"))
@pytest.mark.few("fp32", "int8")
def test_its_output_is_the_modules_in_every_dtype(
    dtype: str, model: torch.nn.Module, exact: np.ndarray
) -> None:
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    backend, chosen = TorchBackend(), options(dtype=dtype)
    artifact = backend.build(model, SHAPE, chosen)
    with backend.load(artifact, chosen) as executable:
        executable.run()
        (output,) = executable.outputs()
    assert output.dtype == np.float32
    difference = np.abs(output - exact).max() / np.abs(exact).max()
    assert difference <= TOLERANCE[dtype]
    assert (difference == 0) == (dtype == "fp32")
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


@pytest.mark.long
def test_compiled_it_computes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What a killed compiler left in the common cache would be taken for a library.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 4))
    backend, chosen = TorchBackend(), options(provider="compile")
    with torch.inference_mode():
        exact = module(torch.from_numpy(seeded_input((2, 8)))).numpy()
    with backend.load(backend.build(module, (2, 8), chosen), chosen) as executable:
        executable.run()
        (output,) = executable.outputs()
    np.testing.assert_allclose(output, exact, rtol=1e-4, atol=1e-5)


def test_words_are_taken_as_numbers() -> None:
    bert = create_model("bert-tiny").eval()
    shape = (1, *bert.spec.blocks()[0].input_shape)
    values = torch.from_numpy(seeded_input(shape, input_dtype(bert, "fp32")))
    with torch.inference_mode():
        exact = bert(values).numpy()
    backend = TorchBackend()
    with backend.load(backend.build(bert, shape, options()), options()) as executable:
        np.testing.assert_array_equal(executable.outputs()[0], exact)


def test_it_runs_with_its_threads_and_puts_them_back(model: torch.nn.Module) -> None:
    before = torch.get_num_threads()
    backend, chosen = TorchBackend(), options(threads=before + 1)
    with backend.load(backend.build(model, SHAPE, chosen), chosen) as executable:
        executable.run()
    assert torch.get_num_threads() == before


def test_without_a_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor import config

    monkeypatch.setattr(config.cpp, "cxx", ("/no/such/compiler",))
    with pytest.raises(UserError, match=r"needs a C\+\+ compiler .* install g\+\+ or clang\+\+"):
        TorchBackend().check(options(provider="compile"))
    TorchBackend().check(options())  # eager needs none


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"provider": "eagr"}, "'eagr'.*did you mean 'eager'"),
        ({"provider": "eager", "dtype": "int8-static"}, "measured in fp32, fp16, bf16, int8, not"),
        ({"sparsity": "2:4"}, "no sparsity '2:4'; omit `sparsity`"),
        ({"graph": "cuda_graph"}, "no graph 'cuda_graph'"),
        ({"cache": "cold"}, "no cache 'cold'"),
    ],
)
def test_what_it_lacks_is_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        TorchBackend().check(options(**given))


@pytest.fixture(scope="module")
def artifact(model: torch.nn.Module) -> Iterator[bytes]:
    yield TorchBackend().build(model, SHAPE, options())


@pytest.mark.parametrize(
    "damage",
    [
        lambda artifact: b"",
        lambda artifact: b"garbage",
        lambda artifact: artifact[:-100],
        lambda artifact: artifact[: len(artifact) // 2],
        lambda artifact: b"{}\n" + artifact,
    ],
)
def test_a_damaged_artifact_is_a_backend_error(
    damage: Callable[[bytes], bytes], artifact: bytes
) -> None:
    with pytest.raises(BackendError):
        TorchBackend().load(damage(artifact), options())


def test_an_artifact_of_another_dtype_is_refused(artifact: bytes) -> None:
    with pytest.raises(BackendError, match="another dtype"):
        TorchBackend().load(artifact, options(dtype="bf16"))


def test_what_cannot_be_exported_is_a_backend_error() -> None:
    class Branching(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(BackendError, match=r"torch\.export failed"):
        TorchBackend().build(Branching(), (1, 4), options())


def test_its_environment_is_json_and_names_versions() -> None:
    found = TorchBackend().environment(options(threads=2, dtype="int8"))
    assert json.loads(json.dumps(found)) == found
    assert found["torch"] == torch.__version__
    assert (found["threads"], found["dtype"], found["provider"]) == (2, "int8", "eager")
    assert found["torchao"]


def test_without_torch_it_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "PyTorch cannot be imported here" in (TorchBackend().unavailable() or "")
    with pytest.raises(UserError, match="pip install"):
        TorchBackend().check(options())
