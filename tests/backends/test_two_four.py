import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from vitprof.backends.two_four import (
    eligible,
    is_two_four,
    prune_two_four,
    two_four_mask,
    why_not_prunable,
)

# Multiples of (outputs, inputs), typed off the libraries' documentation once more.
TABLE = [
    ("cutlass", "int8", 16, 128),
    ("cutlass", "fp16", 32, 64),
    ("cutlass", "bf16", 32, 64),
    ("cutlass", "fp32", 32, 32),
    ("cusparselt", "int8", 32, 32),
    ("cusparselt", "fp16", 16, 16),
    ("cusparselt", "bf16", 16, 16),
    ("cusparselt", "fp8", 32, 32),
    ("tensorrt", "fp16", 8, 16),
    ("tensorrt", "bf16", 8, 16),
    ("tensorrt", "fp32", 8, 16),
]
ROWS = st.sampled_from(TABLE)
small_weights = st.tuples(
    st.integers(1, 6),
    st.integers(1, 6).map(lambda n: 4 * n),
    st.integers(0, 2**31),
    st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
)


def weight_of(outputs: int, inputs: int, seed: int, dtype: torch.dtype) -> torch.Tensor:
    """Whole numbers from -4 to 4, so that magnitudes are often equal and often zero."""
    values = np.random.default_rng(seed).integers(-4, 5, (outputs, inputs))
    return torch.from_numpy(values).to(dtype)


@given(ROWS, st.integers(1, 40), st.integers(1, 40))
def test_multiples_of_a_librarys_dims_are_eligible(row, rows, columns) -> None:
    library, dtype, out_step, in_step = row
    assert eligible(rows * out_step, columns * in_step, dtype, library) is None


@given(ROWS, st.integers(0, 4096), st.integers(0, 4096))
def test_all_other_dims_are_not_and_the_reason_names_both(row, outputs, inputs) -> None:
    library, dtype, out_step, in_step = row
    reason = eligible(outputs, inputs, dtype, library)
    if outputs and inputs and outputs % out_step == 0 and inputs % in_step == 0:
        assert reason is None
    else:
        for word in (dtype, f"multiples of {out_step} ", f"multiples of {in_step} "):
            assert word in reason
        assert f"has {outputs} and {inputs}" in reason


@pytest.mark.parametrize(
    ("library", "dtype"), [("cutlass", "fp8"), ("cusparselt", "fp32"), ("tensorrt", "fp64")]
)
def test_a_dtype_without_kernels_is_named_with_those_that_have_some(library, dtype) -> None:
    assert f"no 2:4 kernels in {dtype}, only in int8, fp16, bf16" in (
        eligible(1024, 1024, dtype, library) or ""
    )


@given(small_weights)
def test_the_mask_keeps_the_two_largest_of_four_the_first_of_equals(drawn) -> None:
    weight = weight_of(*drawn)
    mask = two_four_mask(weight)
    assert mask.dtype == torch.bool
    assert mask.shape == weight.shape
    for values, kept in zip(weight.reshape(-1, 4).tolist(), mask.reshape(-1, 4), strict=True):
        # The plain definition: by falling magnitude, then by place.
        wanted = sorted(range(4), key=lambda i, values=values: (-abs(values[i]), i))[:2]
        assert kept.nonzero().flatten().tolist() == sorted(wanted)


@given(small_weights)
def test_the_groups_run_along_the_inputs_also_of_a_convolution(drawn) -> None:
    weight = weight_of(*drawn)
    as_convolution = weight[:, :, None, None]
    assert torch.equal(two_four_mask(as_convolution)[:, :, 0, 0], two_four_mask(weight))


def test_a_mask_of_a_transposed_view_is_that_of_its_values() -> None:
    view = weight_of(8, 12, 3, torch.float32).t()
    assert not view.is_contiguous()
    assert torch.equal(two_four_mask(view), two_four_mask(view.contiguous()))


@pytest.mark.parametrize("shape", [(4,), (3, 6), (4, 4, 3, 3)])
def test_a_weight_without_groups_of_four_has_no_mask(shape) -> None:
    with pytest.raises(ValueError, match="groups of 4"):
        two_four_mask(torch.ones(shape))


@given(small_weights)
def test_two_four_is_recognised(drawn) -> None:
    weight = weight_of(*drawn)
    most = (weight.reshape(-1, 4) != 0).sum(1).max()
    assert is_two_four(weight) == bool(most <= 2)
    assert is_two_four(weight * two_four_mask(weight))


def a_module() -> nn.Module:
    torch.manual_seed(0)
    return nn.ModuleDict(
        {
            "wide": nn.Linear(32, 64),
            "odd": nn.Linear(31, 64),
            "few": nn.Linear(32, 7),
            "pointwise": nn.Conv2d(16, 8, 1),
            "spatial": nn.Conv2d(16, 8, 3),
            "grouped": nn.Conv2d(32, 8, 1, groups=2),
        }
    )


def test_pruning_touches_eligible_weights_only() -> None:
    module = a_module()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    assert prune_two_four(module, "fp16", "tensorrt") == ["wide", "pointwise"]
    for name, value in module.state_dict().items():
        if name in ("wide.weight", "pointwise.weight"):
            assert is_two_four(value)
            mask = two_four_mask(before[name])
            assert torch.equal(value, before[name] * mask)
            assert int((value != 0).sum()) * 2 == value.numel()
        else:
            assert torch.equal(value, before[name]), name


def test_pruning_twice_changes_nothing() -> None:
    module = a_module()
    prune_two_four(module)
    once = {name: value.clone() for name, value in module.state_dict().items()}
    assert prune_two_four(module) == ["wide", "pointwise"]
    for name, value in module.state_dict().items():
        assert torch.equal(value, once[name])


def test_what_is_pruned_is_what_the_library_takes() -> None:
    assert prune_two_four(a_module(), "fp16", "cusparselt") == ["wide"]
    assert prune_two_four(a_module(), "fp16", "cutlass") == []
    assert prune_two_four(a_module(), "fp32", "cutlass") == ["wide"]


def test_pruned_weights_still_train() -> None:
    module = a_module()
    prune_two_four(module)
    weight = module["wide"].weight
    assert weight.requires_grad
    assert weight.is_leaf


def test_the_reason_of_a_convolution_says_what_it_is() -> None:
    module = a_module()
    assert "kernel 3x3" in (why_not_prunable(module["spatial"], "fp16", "tensorrt") or "")
    assert "2 groups" in (why_not_prunable(module["grouped"], "fp16", "tensorrt") or "")
