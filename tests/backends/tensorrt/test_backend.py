import copy
import json
import re
import sys
import types
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import vitprof
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper
from small_blocks.details import DETAILS
from vitprof.backends import Backend, BackendError, BackendOptions, find_device
from vitprof.backends.tensorrt.artifact import EngineFile
from vitprof.backends.tensorrt.backend import TensorRtBackend, sparsity_report
from vitprof.backends.tensorrt.library import TensorRtLibrary, tensorrt_library
from vitprof.backends.two_four import is_two_four
from vitprof.models import OPS, Block, ViTSpec, create_block, create_spec

pytestmark = pytest.mark.slow

NO_GPU = not torch.cuda.is_available()
needs_no_gpu = pytest.mark.skipif(not NO_GPU, reason="this machine has a GPU")

# Each op of the vit space at small dims, and as in DeiT-S.
BLOCKS = [
    Block.of("patch_embed", in_channels=3, resolution=32, kernel=8, embed=32, prefix=1),
    Block.of("patch_embed", in_channels=3, resolution=224, kernel=16, embed=384, prefix=1),
    Block.of("attention", embed=32, heads=2, qk=16, v=16, tokens=17),
    Block.of("attention", embed=384, heads=6, qk=64, v=64, tokens=197),
    Block.of("mlp", embed=32, mlp=64, tokens=17),
    Block.of("mlp", embed=384, mlp=1536, tokens=197),
    Block.of("classifier", embed=32, heads=1, classes=16, tokens=17),
    Block.of("classifier", embed=384, heads=1, classes=1000, tokens=197),
]
SMALL = BLOCKS[4]
MERGING = ViTSpec.uniform(48, 2, 3, patch=4, resolution=16, classes=11, merges=(4, 2))
# The ops of the other families, each as in its smallest model, and of a ViT that merges tokens.
FAMILIES = {
    block.op: block
    for name in ("efficientvit-m0", "autovit-xxs", "swin-tiny", "bert-tiny", "vgg11-bn-cifar")
    for block in (*MERGING.blocks(), *create_spec(name).blocks())
}
DEVICES = {"t4": "7.5", "rtx3080": "8.6"}


def options_of(**given) -> BackendOptions:
    return BackendOptions(**({"provider": "tensorrt_rtx", "dtype": "fp16"} | given))


def build(block: Block, backend: TensorRtBackend, options: BackendOptions) -> bytes:
    torch.manual_seed(0)
    return backend.build(create_block(block), (1, *block.input_shape), options)


@pytest.fixture
def t4() -> TensorRtBackend:
    return TensorRtBackend("7.5")


@pytest.fixture
def rtx3080() -> TensorRtBackend:
    return TensorRtBackend("8.6")


@pytest.fixture(scope="module")
def small_engine() -> bytes:
    return build(SMALL, TensorRtBackend("7.5"), options_of())


@pytest.mark.parametrize("sparsity", ["dense", "2:4"])
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_engines_of_every_op_are_built_for_gpus_that_are_not_here(block, device, sparsity) -> None:
    backend = find_device(device).runtime()
    assert isinstance(backend, TensorRtBackend)
    artifact = build(block, backend, options_of(sparsity=sparsity))
    file = EngineFile.from_bytes(artifact)
    assert file.compute_capability == DEVICES[device]
    assert (file.library, file.dtype, file.sparsity) == ("tensorrt_rtx", "fp16", sparsity)
    # fp16 weights are in it: an engine of some other block, or of none, would be smaller.
    weights = 2 * block.params
    assert len(file.engine) > (0.5 if sparsity == "2:4" else 0.9) * weights


def test_every_op_is_built_here() -> None:
    assert {block.op for block in BLOCKS} | set(FAMILIES) | set(DETAILS) == set(OPS)


@pytest.mark.parametrize(
    "block", [*FAMILIES.values(), *DETAILS.values()], ids=[*FAMILIES, *DETAILS]
)
def test_engines_of_every_family_are_built(block, t4) -> None:
    file = EngineFile.from_bytes(build(block, t4, options_of()))
    assert (file.compute_capability, file.dtype) == ("7.5", "fp16")
    assert len(file.engine) > block.params * 2, "fp16 weights are in it"


@pytest.mark.parametrize("sparsity", ["dense", "2:4"])
@pytest.mark.parametrize("block", BLOCKS[1::2], ids=str)
def test_ampere_takes_fp32_too(rtx3080, block, sparsity) -> None:
    file = EngineFile.from_bytes(build(block, rtx3080, options_of(dtype="fp32", sparsity=sparsity)))
    assert file.dtype == "fp32"
    assert len(file.engine) > 2 * block.params


def test_the_target_is_in_the_engine_itself(t4, rtx3080) -> None:
    engines = [EngineFile.from_bytes(build(SMALL, b, options_of())).engine for b in (t4, rtx3080)]
    assert engines[0] != engines[1]


def test_turings_refusal_of_fp32_comes_through_in_the_builders_words(t4) -> None:
    with pytest.raises(BackendError, match=r"^building the TensorRT engine failed: ") as caught:
        build(SMALL, t4, options_of(dtype="fp32"))
    message = str(caught.value)
    for words in ("MatMul", "Turing", "FP32 GEMM is not supported"):
        assert words in message
    assert "\n" not in message
    # The next build does not carry the words of this one.
    build(SMALL, t4, options_of())
    assert not tensorrt_library("tensorrt_rtx").logger.errors


def test_a_graph_tensorrt_cannot_take_is_a_backend_error_with_the_parsers_words(rtx3080) -> None:
    class Determinant(torch.nn.Module):
        def forward(self, x):
            return torch.linalg.det(x)

    with pytest.raises(BackendError, match=r"parsing the ONNX model failed: .*/Det.*UNSUPPORTED"):
        rtx3080.build(Determinant(), (1, 4, 4), options_of(dtype="fp32"))


def test_the_module_is_left_as_it_is(rtx3080) -> None:
    module = create_block(SMALL).train()
    before = copy.deepcopy(module.state_dict())
    rtx3080.build(module, (1, *SMALL.input_shape), options_of(sparsity="2:4"))
    assert module.training
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("compute_capability", ["9.0", "7.0", "8.7", "6.1"])
def test_a_gpu_without_engines_is_refused_with_those_that_have_some(
    compute_capability, refused
) -> None:
    backend = TensorRtBackend(compute_capability)
    reason = backend.unbuildable()
    assert reason is not None
    assert reason == backend.unavailable()
    words = (f"compute capability {compute_capability},", "7.5, 8.0, 8.6, 8.9, 12.0", "cuda")
    for use in (
        lambda: backend.check(options_of()),
        lambda: build(SMALL, backend, options_of()),
        lambda: backend.environment(options_of()),
        lambda: backend.load(b"", options_of()),
    ):
        with refused(*words):
            use()


def test_an_unknown_gpu_is_built_for_on_the_device_only(refused) -> None:
    backend = find_device("jetson-orin").runtime()
    assert isinstance(backend, TensorRtBackend)
    assert backend.default_provider == "tensorrt"
    with refused("compute capability is not known", "on the device itself"):
        backend.check(options_of())


def test_the_standard_library_that_is_missing_says_how_to_get_it(t4, monkeypatch, refused) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    tensorrt_library.cache_clear()
    with refused("TensorRT cannot be imported here", "pip install tensorrt"):
        t4.check(options_of(provider="tensorrt"))
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    tensorrt_library.cache_clear()
    with refused("TensorRT-RTX cannot be imported here", "pip install 'vitprof[tensorrt]'"):
        t4.check(options_of())
    assert "vitprof[tensorrt]" in (t4.unbuildable() or "")
    monkeypatch.undo()
    tensorrt_library.cache_clear()
    assert t4.unbuildable() is None


@pytest.fixture
def standard(monkeypatch) -> None:
    """TensorRT itself as far as its name and version: it cannot be installed without its GPU."""
    trt = types.SimpleNamespace(__version__="10.13.0")
    library = TensorRtLibrary("tensorrt", trt, None)
    monkeypatch.setattr("vitprof.backends.tensorrt.backend.tensorrt_library", lambda _: library)


@needs_no_gpu
def test_tensorrt_itself_builds_on_the_device_only_and_says_so(t4, standard, refused) -> None:
    words = (
        "TensorRT 10.13.0 builds for the GPU of this machine only",
        "tensorrt_rtx builds without one",
    )
    with refused(*words, "no NVIDIA driver answers"):
        build(SMALL, t4, options_of(provider="tensorrt"))
    jetson = find_device("jetson-orin").runtime()
    assert words[0] in (jetson.unbuildable() or "")
    assert jetson.unbuildable() == jetson.unavailable()


def test_tensorrt_itself_builds_for_no_other_gpu_than_the_one_at_hand(
    rtx3080, standard, monkeypatch, refused
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla T4")
    with refused("for compute capability 8.6", "Tesla T4, has 7.5"):
        build(SMALL, rtx3080, options_of(provider="tensorrt"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"provider": "eager"}, ("no provider 'eager'", "tensorrt_rtx and tensorrt")),
        ({"provider": "tensort_rtx"}, ("did you mean 'tensorrt_rtx'",)),
        ({"dtype": "bf16"}, ("fp32 and fp16, not in bf16", "backend cuda")),
    ],
)
def test_options_it_lacks_are_refused(t4, given, words, refused) -> None:
    with refused(*words):
        t4.check(options_of(**given))


@pytest.mark.parametrize("cache", ["warm", "cold"])
@pytest.mark.parametrize("graph", ["none", "cuda_graph"])
def test_every_cache_and_graph_mode_measures_one_engine(small_engine, t4, cache, graph) -> None:
    options = options_of(cache=cache, graph=graph)
    t4.check(options)
    assert build(SMALL, t4, options) == small_engine


# ---- what 2:4 does ----


def onnx_of(block: Block, backend: TensorRtBackend, sparsity: str) -> bytes:
    torch.manual_seed(0)
    module, shape = create_block(block), (1, *block.input_shape)
    return backend.onnx(module, shape, options_of(sparsity=sparsity))


@pytest.mark.parametrize("block", [BLOCKS[3], BLOCKS[5], BLOCKS[7]], ids=str)
def test_the_pruned_onnx_has_two_zeros_in_every_four_of_each_eligible_weight(
    rtx3080, block
) -> None:
    model = onnx.load_from_string(onnx_of(block, rtx3080, "2:4"))
    matrices = [numpy_helper.to_array(t) for t in model.graph.initializer if len(t.dims) == 2]
    assert matrices
    for weight in matrices:
        # As torch holds them, and the exporter writes them: (outputs, inputs).
        zeros = (weight.reshape(weight.shape[0], -1, 4) == 0).sum(axis=2)
        np.testing.assert_array_equal(zeros, 2)


def test_dense_weights_are_not_pruned_and_the_report_says_so(rtx3080) -> None:
    block = BLOCKS[5]
    dense = sparsity_report(onnx_of(block, rtx3080, "dense"), "fp16")
    assert [layer.eligible for layer in dense] == [False, False]
    assert all("not 2:4" in (layer.why_not or "") for layer in dense)
    pruned = sparsity_report(onnx_of(block, rtx3080, "2:4"), "fp16")
    assert [(x.out_features, x.in_features) for x in pruned] == [(1536, 384), (384, 1536)]
    assert all(layer.eligible and layer.chosen is None for layer in pruned)


def test_every_product_of_attention_is_reported_with_its_reason(rtx3080) -> None:
    report = sparsity_report(onnx_of(BLOCKS[3], rtx3080, "2:4"), "fp16")
    assert [(x.out_features, x.in_features, x.eligible) for x in report] == [
        (1152, 384, True),
        (None, None, False),
        (None, None, False),
        (384, 384, True),
    ]
    assert "activations" in (report[1].why_not or "")
    assert [x.name.rpartition("/")[0] for x in report] == [
        "/attn/qkv",
        "/attn",
        "/attn",
        "/attn/proj",
    ]


def test_the_stem_and_a_classifier_of_odd_width_are_not_eligible(rtx3080) -> None:
    (stem,) = sparsity_report(onnx_of(BLOCKS[1], rtx3080, "2:4"), "fp16")
    assert "kernel 16x16" in (stem.why_not or "")
    odd = Block.of("classifier", embed=32, heads=1, classes=10, tokens=17)
    (head,) = sparsity_report(onnx_of(odd, rtx3080, "2:4"), "fp16")
    assert (head.out_features, head.in_features) == (10, 32)
    assert "outputs in multiples of 8" in (head.why_not or "")


def test_the_example_of_the_docs_runs(capsys) -> None:
    page = Path(vitprof.__file__).parent / "docs" / "tensorrt.md"
    (example,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    exec(example, {})
    assert "/attn/qkv/MatMul 1152 384 eligible None" in capsys.readouterr().out


def test_turing_has_no_sparse_tensor_cores(t4) -> None:
    report = sparsity_report(onnx_of(BLOCKS[5], t4, "2:4"), "fp16", "7.5")
    assert [layer.eligible for layer in report] == [False, False]
    assert "no sparse tensor cores" in (report[0].why_not or "")


@given(st.integers(1, 9), st.integers(1, 9), st.booleans(), st.booleans())
def test_module_and_onnx_are_reported_alike(outputs, inputs, pruned, matrix) -> None:
    """A linear layer on a sequence becomes MatMul, one on a vector becomes Gemm."""
    module = torch.nn.Sequential(torch.nn.Linear(4 * inputs, 4 * outputs))
    if pruned:
        with torch.no_grad():
            module[0].weight.reshape(-1, 4)[:, ::2] = 0
    backend, shape = TensorRtBackend("8.6"), (1, 5, 4 * inputs) if matrix else (1, 4 * inputs)
    (of_module,) = sparsity_report(module, "fp16")
    (of_onnx,) = sparsity_report(backend.onnx(module, shape, options_of()), "fp16")
    assert (of_module.out_features, of_module.in_features) == (4 * outputs, 4 * inputs)
    assert (of_onnx.out_features, of_onnx.in_features) == (4 * outputs, 4 * inputs)
    assert of_module.why_not == of_onnx.why_not
    fits = outputs % 2 == 0 and inputs % 4 == 0
    assert of_module.eligible == (fits and is_two_four(module[0].weight))


def test_a_1x1_convolution_is_pruned_and_reported(rtx3080) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(16, 8, 1), torch.nn.Conv2d(8, 8, 3, groups=8))
    model = rtx3080.onnx(module, (1, 16, 5, 5), options_of(sparsity="2:4"))
    pointwise, spatial = sparsity_report(model, "fp16")
    assert pointwise.eligible
    assert (pointwise.out_features, pointwise.in_features) == (8, 16)
    assert "kernel 3x3" in (spatial.why_not or "")
    assert EngineFile.from_bytes(
        rtx3080.build(module, (1, 16, 5, 5), options_of(sparsity="2:4"))
    ).engine


# ---- loading, as far as it goes without the GPU ----


def changed(artifact: bytes, **facts) -> bytes:
    magic, header, engine = artifact.split(b"\n", 2)
    return b"\n".join([magic, json.dumps(json.loads(header) | facts).encode(), engine])


def test_what_is_written_is_read(small_engine) -> None:
    file = EngineFile.from_bytes(small_engine)
    assert file.to_bytes() == small_engine
    assert changed(small_engine) == small_engine


@given(st.data())
def test_a_truncated_engine_is_refused_in_words(small_engine, data) -> None:
    length = data.draw(st.integers(0, len(small_engine) - 1))
    with pytest.raises(BackendError, match=r"engine"):
        TensorRtBackend("7.5").load(small_engine[:length], options_of())


def test_a_half_engine_says_how_much_is_missing(t4, small_engine) -> None:
    cut = small_engine[: len(small_engine) // 2]
    with pytest.raises(BackendError, match=r"has \d+ of its \d+ bytes"):
        t4.load(cut, options_of())
    with pytest.raises(BackendError, match=r"has \d+ of its \d+ bytes"):
        t4.load(small_engine + b"more", options_of())


@given(st.data())
def test_a_changed_byte_is_refused_in_words(small_engine, data) -> None:
    place = data.draw(st.integers(0, len(small_engine) - 1))
    damaged = bytearray(small_engine)
    damaged[place] ^= data.draw(st.integers(1, 255))
    try:
        file = EngineFile.from_bytes(bytes(damaged))
    except BackendError as error:
        assert "engine" in str(error)
    else:  # in a fact of the header, which is then compared with what is wanted
        assert file.engine == EngineFile.from_bytes(small_engine).engine


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"not an engine" * 9,
        b"vitprof-tensorrt-engine: 1\n",
        b"vitprof-tensorrt-engine: 1\n" + b"[" * 100_000 + b"\n",
        b"vitprof-tensorrt-engine: 1\n" + b"9" * 100_000 + b"\n",
        b"vitprof-tensorrt-engine: 1\n[]\n",
        b"vitprof-tensorrt-engine: 1\nnull\n",
        b'vitprof-tensorrt-engine: 1\n{"bytes": 0, "sha256": ""}\n',
        b"vitprof-tensorrt-engine: 1\n" + b" " * (2 << 20) + b"\n",
    ],
)
def test_bytes_that_are_no_engine_are_refused_in_words(t4, hostile) -> None:
    with pytest.raises(BackendError, match=r"TensorRT engine"):
        t4.load(hostile, options_of())


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"compute_capability": "8.6"}, r"compute capability 8\.6 and 7\.5 is wanted"),
        ({"version": "0.1.2"}, r"version 0\.1\.2 and .* build it again"),
        ({"library": "tensorrt"}, r"library tensorrt and tensorrt_rtx is wanted"),
        ({"dtype": "fp32"}, r"dtype fp32 and fp16"),
        ({"sparsity": "2:4"}, r"sparsity 2:4 and dense"),
        ({"sparsity": 24}, r"header of this TensorRT engine cannot be read"),
        ({"sparse_layers": {"a": "yes"}}, r"header of this TensorRT engine cannot be read"),
        ({"more": 1}, r"header of this TensorRT engine cannot be read"),
    ],
)
def test_an_engine_for_something_else_is_a_backend_error_that_says_for_what(
    t4, small_engine, facts, words
) -> None:
    with pytest.raises(BackendError, match=words):
        t4.load(changed(small_engine, **facts), options_of())


@needs_no_gpu
def test_without_a_driver_loading_says_where_to_measure(t4, small_engine, refused) -> None:
    words = ("no NVIDIA driver answers", "vitprof measure --bundle")
    with refused(*words):
        t4.load(small_engine, options_of())
    reason = t4.unavailable()
    assert reason is not None
    for word in words:
        assert word in reason
    assert t4.unbuildable() is None


def test_another_gpu_than_the_target_is_named(rtx3080, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla T4")
    assert TensorRtBackend("7.5").unavailable() is None
    reason = rtx3080.unavailable() or ""
    assert "for compute capability 8.6" in reason
    assert "Tesla T4, has 7.5" in reason


@needs_no_gpu
def test_what_torch_says_of_a_missing_gpu_is_a_backend_error(t4, small_engine, monkeypatch) -> None:
    """A driver that vanishes between the check and the load fails the point, not the run."""
    monkeypatch.setattr(t4, "_why_no_gpu", lambda: None)
    with pytest.raises(BackendError, match=r"^loading the TensorRT engine failed: \w+"):
        t4.load(small_engine, options_of())


def test_the_environment_is_json_and_names_the_target(t4) -> None:
    options = options_of(sparsity="2:4", cache="cold", graph="cuda_graph")
    facts = t4.environment(options)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["tensorrt_rtx"] == tensorrt_library("tensorrt_rtx").version
    assert facts["compute_capability"] == "7.5"
    assert (facts["sparsity"], facts["cache"], facts["graph"]) == ("2:4", "cold", "cuda_graph")
    if NO_GPU:
        assert facts["gpu"] is None
        assert facts["driver"] is None


def test_fp32_is_said_to_be_tf32_as_the_builder_has_it(rtx3080) -> None:
    library = tensorrt_library("tensorrt_rtx")
    config = library.trt.Builder(library.logger).create_builder_config()
    assert config.get_flag(library.trt.BuilderFlag.TF32)
    assert rtx3080.environment(options_of(dtype="fp32"))["tf32"] is True
    assert rtx3080.environment(options_of(dtype="fp16"))["tf32"] is False


def test_equal_weights_give_equal_engines(rtx3080) -> None:
    assert build(SMALL, rtx3080, options_of()) == build(SMALL, rtx3080, options_of())


def test_it_is_a_backend(t4) -> None:
    assert isinstance(t4, Backend)
    assert (t4.name, t4.default_provider) == ("tensorrt", "tensorrt_rtx")
