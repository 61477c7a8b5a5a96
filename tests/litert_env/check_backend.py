"""Every op of every family through LiteRT's own converter, quantizer and runtime.

Not collected with the other tests: `make test-litert` runs it in an environment that has them.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn
from vitprof import UserError
from vitprof.backends import BackendError, BackendOptions, find_device, seeded_input
from vitprof.backends.agreement import TOLERANCE
from vitprof.backends.litert.backend import LITERT_DTYPES, LiteRtBackend
from vitprof.backends.random_input import input_dtype
from vitprof.backends.registry import backend_kind
from vitprof.models import OPS, Block, ViTLayer, ViTSpec, create_block, create_model, create_spec
from vitprof.models.modules.folding import folded
from vitprof.models.modules.trained_like import fill_as_trained
from vitprof.profiler.conformance.backend import check_backend

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
FAMILIES = ("efficientvit-m0", "autovit-xxs", "swin-tiny", "bert-tiny", "vgg11-bn-cifar")
BLOCKS = {
    block.op: block
    for block in (
        *DETAILS,
        *(block for name in FAMILIES for block in create_spec(name).blocks()),
        *MERGING.blocks(),
        *SMALL_VIT.blocks(),
    )
}
# What the converter does not take; in a table they are failed rows.
NOT_CONVERTED = {"bipartite_merging": "comparator block argument"}
BACKEND = LiteRtBackend()


def module_of(block: Block) -> tuple[nn.Module, tuple[int, ...]]:
    torch.manual_seed(0)
    module = nn.Sequential(create_block(block)).eval()
    shape = (1, *block.input_shape)
    fill_as_trained(module, torch.from_numpy(seeded_input(shape, input_dtype(module, "fp32"))))
    return folded(module), shape


def exact_output(module: nn.Module, shape: tuple[int, ...]) -> np.ndarray:
    with torch.inference_mode():
        return module(torch.from_numpy(seeded_input(shape, input_dtype(module, "fp32")))).numpy()


def test_every_op_is_here() -> None:
    assert sorted(BLOCKS) == sorted(OPS)


@pytest.mark.parametrize("dtype", LITERT_DTYPES)
@pytest.mark.parametrize("op", sorted(set(OPS) - set(NOT_CONVERTED)))
@pytest.mark.few(
    "*-fp32", "attention-*", "cga-*", "mbconv-*", "mlp-*", "text_embedding-*", "window_attention-*"
)
def test_the_outputs_of_every_op_are_the_modules(op: str, dtype: str) -> None:
    module, shape = module_of(BLOCKS[op])
    options = BackendOptions(dtype=dtype, provider="xnnpack")
    exact = exact_output(module, shape)
    with BACKEND.load(BACKEND.build(module, shape, options), options) as executable:
        executable.run()
        (output,) = executable.outputs()
        share = executable.delegated_share()
    assert output.shape == exact.shape
    assert np.linalg.norm(output - exact) <= TOLERANCE[dtype] * np.linalg.norm(exact)
    assert 0 < share <= 1


@pytest.mark.parametrize("op", NOT_CONVERTED)
def test_what_does_not_convert_says_so_in_the_converters_words(op: str) -> None:
    module, shape = module_of(BLOCKS[op])
    with pytest.raises(BackendError, match=NOT_CONVERTED[op]) as caught:
        BACKEND.build(module, shape, BackendOptions(provider="xnnpack"))
    assert "/site-packages/" not in str(caught.value)  # no folder of this machine
    assert "\n" not in str(caught.value)


def test_a_whole_model_is_the_modules() -> None:
    torch.manual_seed(0)
    model, options = create_model(SMALL_VIT).eval(), BackendOptions(provider="xnnpack")
    shape = (2, 3, 16, 16)
    exact = exact_output(model, shape)
    with BACKEND.load(BACKEND.build(model, shape, options), options) as executable:
        np.testing.assert_allclose(executable.outputs()[0], exact, atol=1e-4, rtol=1e-4)


def test_it_keeps_every_promise() -> None:
    answers = list(check_backend(backend_kind("litert")))
    assert {answer.answer for answer in answers} == {"ok"}, answers


class Looked(nn.Module):
    """Looks two words up, which XNNPACK does not do, and adds what it finds, which it does."""

    takes_words = True

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(64, 8)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.table(words) + 1.0)


def test_the_delegates_share_is_of_what_it_runs() -> None:
    torch.manual_seed(0)
    options = BackendOptions(provider="xnnpack")
    artifact = BACKEND.build(Looked(), (1, 2), options)
    with BACKEND.load(artifact, options) as executable:
        inside, outside = executable.operators()
        share = executable.delegated_share()
    assert "EMBEDDING_LOOKUP" in outside
    assert "ADD" in inside
    assert share == len(inside) / (len(inside) + len(outside))
    builtin = BackendOptions(provider="builtin")
    with BACKEND.load(artifact, builtin) as executable:
        assert executable.operators()[0] == []
        assert sorted(executable.operators()[1]) == sorted(inside + outside)
        assert executable.delegated_share() == 0.0


def test_all_of_an_mlp_is_delegated() -> None:
    module, shape = module_of(BLOCKS["mlp"])
    options = BackendOptions(provider="xnnpack")
    with BACKEND.load(BACKEND.build(module, shape, options), options) as executable:
        assert executable.operators()[1] == []
        assert executable.delegated_share() == 1.0


def test_with_and_without_the_delegate_it_computes_the_same() -> None:
    module, shape = module_of(BLOCKS["attention"])
    artifact = BACKEND.build(module, shape, BackendOptions(provider="xnnpack"))
    found = []
    for provider in ("xnnpack", "builtin"):
        with BACKEND.load(artifact, BackendOptions(provider=provider)) as executable:
            found.append(executable.outputs()[0])
    np.testing.assert_allclose(*found, atol=1e-5, rtol=1e-4)


def test_equal_modules_give_equal_bytes() -> None:
    module, shape = module_of(BLOCKS["mlp"])
    for dtype in LITERT_DTYPES:
        options = BackendOptions(dtype=dtype, provider="xnnpack")
        assert BACKEND.build(module, shape, options) == BACKEND.build(module, shape, options)


def test_int8_models_are_smaller_and_static_ones_take_int8() -> None:
    module, shape = module_of(Block.of("mlp", embed=128, mlp=512, tokens=17))
    built = {
        dtype: BACKEND.build(module, shape, BackendOptions(dtype=dtype, provider="xnnpack"))
        for dtype in LITERT_DTYPES
    }
    assert len(built["int8"]) < len(built["fp32"]) / 3
    options = BackendOptions(dtype="int8-static", provider="xnnpack")
    with BACKEND.load(built["int8-static"], options) as executable:
        (taken,) = executable._open.get_input_details()
    assert taken["dtype"] is np.int8


def test_building_and_loading_say_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    module, shape = module_of(BLOCKS["mlp"])
    for dtype in LITERT_DTYPES:
        options = BackendOptions(dtype=dtype, provider="xnnpack")
        with BACKEND.load(BACKEND.build(module, shape, options), options) as executable:
            executable.run()
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""


def test_what_converts_and_runs_is_in_the_environment() -> None:
    facts = BACKEND.environment(BackendOptions(provider="xnnpack"))
    assert json.loads(json.dumps(facts)) == facts
    assert facts["ai_edge_litert"]
    assert facts["litert_torch"]
    assert BACKEND.unavailable() is None
    assert BACKEND.unbuildable() is None
    assert find_device("cpu").why_not_here("litert") is None


def test_half_precision_is_refused_before_any_work() -> None:
    module, shape = module_of(BLOCKS["mlp"])
    with pytest.raises(UserError, match="half precision"):
        BACKEND.build(module, shape, BackendOptions(dtype="fp16", provider="xnnpack"))
