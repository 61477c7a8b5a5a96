"""int8 in PyTorch, by the real torchao."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from vitprof.backends import BackendError
from vitprof.backends.pytorch.int8 import int8_module, with_weights_of
from vitprof.backends.pytorch.session import executable_of
from vitprof.models import create_model

pytestmark = pytest.mark.slow

SHAPE = (2, 1, 8, 8)


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return create_model("vit-micro-8")


def test_linear_layers_are_quantized_and_the_model_is_left_as_it_was(model) -> None:
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    quantized = int8_module(model)
    with torch.inference_mode():
        x = torch.randn(SHAPE)
        exact, found = model(x), quantized(x)
    assert 0 < (exact - found).abs().max() < 0.1 * exact.abs().max()
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_its_weights_are_saved_small_and_read_back_without_a_pickle(model, tmp_path) -> None:
    quantized = int8_module(model)
    whole, small = io.BytesIO(), io.BytesIO()
    torch.save(model.state_dict(), whole)
    torch.save(quantized.state_dict(), small)
    assert len(small.getvalue()) < len(whole.getvalue())
    path = tmp_path / "int8.pt"
    path.write_bytes(small.getvalue())
    again = with_weights_of(create_model("vit-micro-8"), path, True)
    x = torch.randn(SHAPE)
    with torch.inference_mode():
        assert torch.equal(again(x), quantized(x))


def test_an_executable_runs_the_module_with_its_threads_and_puts_them_back(model) -> None:
    before = torch.get_num_threads()
    seen = []
    handle = model.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    try:
        with executable_of(model, SHAPE, threads=before + 1) as executable:
            executable.run()
            (output,) = executable.outputs()
    finally:
        handle.remove()
    assert seen == [before + 1] * 2
    assert torch.get_num_threads() == before
    assert output.shape == (2, 10)
    assert np.isfinite(output).all()


def test_a_closed_executable_says_so(model) -> None:
    executable = executable_of(model, SHAPE)
    executable.close()
    with pytest.raises(BackendError, match="closed"):
        executable.run()
    with pytest.raises(BackendError, match="closed"):
        executable.outputs()


def test_a_file_that_would_run_code_is_refused(model, tmp_path) -> None:
    path = tmp_path / "evil.pt"
    torch.save({"cls_token": Evil()}, path)
    for int8 in (True, False):
        with pytest.raises(BackendError, match=r"reading evil\.pt failed"):
            with_weights_of(create_model("vit-micro-8"), path, int8)
    assert not Evil.ran


class Evil:
    """What a pickle may hold: reading it runs code."""

    ran = False

    def __reduce__(self) -> tuple:
        return (setattr, (Evil, "ran", True))


@pytest.mark.long
def test_torchao_is_imported_in_silence() -> None:
    code = "from vitprof.backends.pytorch.int8 import import_torchao; import_torchao()"
    answer = subprocess.run(
        [sys.executable, "-W", "default", "-c", code], capture_output=True, text=True, check=True
    )
    assert (answer.stdout, answer.stderr) == ("", "")
