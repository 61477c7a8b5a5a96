import functools
import hashlib
import json
import platform
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
import pytest
import torch
from small_blocks.details import DETAILS
from torch import nn
from vitprof import UserError
from vitprof.backends import Backend, BackendError, BackendOptions, find_device, seeded_input
from vitprof.backends.coreml import backend as coreml
from vitprof.backends.coreml.backend import CoreMlBackend
from vitprof.backends.coreml.package import MODEL, WEIGHTS, unpack
from vitprof.backends.coreml.program import program_io
from vitprof.backends.coreml.quiet import quiet_coremltools
from vitprof.models import OPS, Block, ViTLayer, ViTSpec, create_block, create_model, create_spec
from vitprof.models.modules.folding import folded

pytestmark = pytest.mark.slow

SMALL_VIT = ViTSpec(
    embed=48, layers=(ViTLayer(3, 8, 16, 72),), patch=4, resolution=16, classes=11, distilled=True
)
# An example of each op: the smallest family member's last.
OTHER_FAMILIES = {
    block.op: block
    for name in ("efficientvit-m0", "autovit-xxs", "swin-tiny", "bert-tiny", "vgg11-bn-cifar")
    for block in create_spec(name).blocks()
    # What takes words is converted in test_words.py.
    if block.op not in ("mlp", "attention", "text_embedding")
}
MERGING = ViTSpec.uniform(48, 2, 3, patch=4, resolution=16, classes=11, merges=(4, 2))
SMALL = {
    block.op: block for block in (*MERGING.blocks(), *SMALL_VIT.blocks(), *OTHER_FAMILIES.values())
}
DEIT_S = {block.op: block for block in create_spec("deit-small").blocks()}
# What each op must have become, and no needless `cast` beside it.
OPERATIONS = {
    "patch_embed": {"conv", "concat", "add"},
    "attention": {"layer_norm", "linear", "matmul", "softmax", "add"},
    "mlp": {"layer_norm", "linear", "gelu", "add"},
    "classifier": {"layer_norm", "linear"},
    # Batch norms are folded, and so is a dwconv's residual: none is left beside the convolutions.
    "conv_stem": {"conv", "relu"},
    "dwconv": {"conv"},
    "ffn": {"conv", "relu", "add"},
    "cga": {"conv", "relu", "matmul", "softmax", "concat", "add"},
    "patch_merging": {"conv", "relu", "sigmoid", "mul"},
    "pooled_classifier": {"reduce_mean", "linear"},
    "conv": {"conv"},
    "mbconv": {"conv"},
    "mobilevit": {"conv", "layer_norm", "linear", "matmul", "softmax", "concat", "add"},
    "mbpool": {"conv", "reduce_mean"},
    "linear_classifier": {"linear"},
    "swin_embed": {"conv", "layer_norm"},
    "window_attention": {"layer_norm", "linear", "matmul", "softmax", "add"},
    "token_merging": {"layer_norm", "linear"},
    "pooled_tokens_classifier": {"layer_norm", "reduce_mean", "linear"},
    "proportional_attention": {"layer_norm", "linear", "matmul", "softmax", "log", "add"},
    "bipartite_merging": {"matmul", "argsort", "concat"},
    "text_classifier": {"layer_norm", "linear", "tanh"},
    "conv_norm_relu": {"conv", "relu"},
    "average_pool": {"reshape"},
    "dense_relu": {"linear", "relu"},
    "dense_classifier": {"linear"},
}
BYTES = {"fp16": 2, "fp32": 4}
DATA_TYPE = {"fp16": "FLOAT16", "fp32": "FLOAT32"}


@functools.cache
def coremltools() -> Any:
    """Imported by the first test that needs it: ten seconds, which every worker would wait for."""
    with quiet_coremltools():
        import coremltools as found
    return found


def options(dtype: str = "fp16", provider: str = "all", **others) -> BackendOptions:
    return BackendOptions(dtype=dtype, provider=provider, **others)


@pytest.fixture
def backend() -> CoreMlBackend:
    return CoreMlBackend("iPhone14,5")


@functools.cache
def built(block: Block, dtype: str, batch: int = 1) -> bytes:
    torch.manual_seed(0)
    module = folded(create_block(block))  # as a workshop does before it compiles
    return CoreMlBackend().build(module, (batch, *block.input_shape), options(dtype))


def operations(specification) -> list[str]:
    """The types of a program's operations that compute something."""
    (function,) = specification.mlProgram.functions.values()
    block = function.block_specializations[function.opset]
    return [op.type for op in block.operations if op.type != "const"]


def check_program(artifact: bytes, tmp_path, shapes, dtype: str) -> list[str]:
    """Read the package as coremltools does; return its operations."""
    package = unpack(artifact, tmp_path)
    with quiet_coremltools():
        model = coremltools().models.MLModel(str(package), skip_model_load=True)
    specification = model.get_spec()
    assert specification.WhichOneof("Type") == "mlProgram"
    assert specification.specificationVersion == 8  # iOS 17
    for found, name, shape in zip(
        (specification.description.input, specification.description.output),
        ("input", "output"),
        shapes,
        strict=True,
    ):
        assert [each.name for each in found] == [name]
        assert tuple(found[0].type.multiArrayType.shape) == shape
        types = coremltools().proto.FeatureTypes_pb2.ArrayFeatureType
        assert found[0].type.multiArrayType.dataType == getattr(types, DATA_TYPE[dtype])
    io = program_io((package / MODEL).read_bytes())
    assert (io.input_name, io.input_shape, io.dtype) == ("input", shapes[0], dtype)
    return operations(specification)


def test_every_op_is_tested_here() -> None:
    assert set(SMALL) == set(OPERATIONS) == set(OPS) - {"text_embedding"} - set(DETAILS)


@pytest.mark.parametrize("block", DETAILS.values(), ids=list(DETAILS))
@pytest.mark.few("prefixless_patch_embed", "swiglu_mlp")
def test_blocks_of_vits_with_details_convert(tmp_path, block) -> None:
    shapes = ((1, *block.input_shape), (1, *block.output_shape))
    types = check_program(built(block, "fp16"), tmp_path, shapes, "fp16")
    assert "cast" not in types


# A precision changes types and weights, not which operations there are: one shows it for each kind
# of arithmetic, and large blocks are in one precision.
CONVERTED = [(op, SMALL, "fp16") for op in SMALL]
CONVERTED += [(op, SMALL, "fp32") for op in ("attention", "mlp", "mbconv", "cga")]
CONVERTED += [(op, DEIT_S, "fp32") for op in DEIT_S]


@pytest.mark.parametrize(
    ("op", "blocks", "dtype"),
    CONVERTED,
    ids=[f"{op}-{'small' if of is SMALL else 'deit-small'}-{dtype}" for op, of, dtype in CONVERTED],
)
@pytest.mark.few(
    "*attention-small-fp16",
    "cga-small-fp16",
    "mbconv-small-*",
    "attention-deit-small-*",
    "mlp-small-*",
    "bipartite_merging-*",
    "text_*",
    "token_merging-*",
)
def test_every_op_converts(tmp_path, op, blocks, dtype) -> None:
    block = blocks[op]
    artifact = built(block, dtype)
    shapes = ((1, *block.input_shape), (1, *block.output_shape))
    types = check_program(artifact, tmp_path, shapes, dtype)
    assert set(types) >= OPERATIONS[op]
    # Which tokens are merged is a comparison, whose result becomes zeros and ones.
    assert not {"cast", "batch_norm"} - {"cast" if "merging" in op else ""} & set(types)
    # Weights of the precision asked for, each once: up to a few small ones kept in the model.
    if blocks is DEIT_S:
        size = (tmp_path / "model.mlpackage" / WEIGHTS).stat().st_size
        assert size == pytest.approx(block.params * BYTES[dtype], rel=0.02)


@pytest.mark.parametrize("dtype", ["fp16", "fp32"])
def test_a_whole_model_converts_at_a_batch_of_two(tmp_path, backend, dtype) -> None:
    artifact = backend.build(create_model(SMALL_VIT), (2, 3, 16, 16), options(dtype))
    types = check_program(artifact, tmp_path, ((2, 3, 16, 16), (2, 11)), dtype)
    assert types.count("softmax") == 1
    assert types.count("gelu") == 1
    assert types.count("layer_norm") == 3


@pytest.mark.long
def test_a_model_that_merges_tokens_converts(tmp_path, backend) -> None:
    artifact = backend.build(create_model(MERGING), (1, 3, 16, 16), options("fp16"))
    types = check_program(artifact, tmp_path, ((1, 3, 16, 16), (1, 11)), "fp16")
    assert types.count("softmax") == 2 and types.count("log") == 1


def test_the_weights_are_the_modules(tmp_path, backend) -> None:
    module = create_block(SMALL["mlp"])
    artifact = backend.build(module, (1, *SMALL["mlp"].input_shape), options("fp32"))
    weights = (unpack(artifact, tmp_path) / WEIGHTS).read_bytes()
    for name in ("mlp.fc1.weight", "mlp.fc2.weight", "mlp.fc1.bias"):
        wanted = module.state_dict()[name].numpy()
        assert wanted.astype(np.float32).tobytes() in weights or not wanted.any()


def test_the_module_is_left_as_it_is(backend) -> None:
    module = create_block(SMALL["mlp"]).train().double()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    backend.build(module, (1, *SMALL["mlp"].input_shape), options())
    assert module.training
    for name, value in module.state_dict().items():
        assert value.dtype == torch.float64
        assert torch.equal(value, before[name])
        assert dict(module.named_parameters())[name].requires_grad


def test_building_leaves_no_files(backend, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    backend.build(create_block(SMALL["mlp"]), (1, *SMALL["mlp"].input_shape), options())
    left = [path.name for path in tmp_path.iterdir()]
    # torch makes the folder of its compiler's cache once a process, whether it compiles or not.
    assert [name for name in left if not name.startswith("torchinductor_")] == []


@pytest.mark.parametrize("dtype", ["fp16", "fp32"])
def test_the_same_module_gives_the_same_bytes(backend, dtype) -> None:
    block = SMALL["attention"]
    torch.manual_seed(0)
    again = backend.build(create_block(block), (1, *block.input_shape), options(dtype))
    assert again == built(block, dtype)


IN_ANOTHER_PROCESS = """
import hashlib, socket, torch

def no_network(*arguments, **others):
    raise AssertionError("a network was asked for")

socket.socket.connect = socket.getaddrinfo = no_network
from vitprof.backends import BackendError, BackendOptions
from vitprof.backends.coreml.backend import CoreMlBackend
from vitprof.models import Block, create_block

torch.manual_seed(0)
block = Block.of("attention", embed=48, heads=3, qk=8, v=16, tokens=18)
options = BackendOptions(dtype="fp16", provider="all")
artifact = CoreMlBackend().build(create_block(block), (1, *block.input_shape), options)
try:
    CoreMlBackend().build(torch.nn.Linear(4, 4), (1, 5), options)
except BackendError:
    print(hashlib.sha256(artifact).hexdigest())
"""


@pytest.mark.long
def test_another_process_builds_the_same_in_silence_and_without_a_network() -> None:
    answer = subprocess.run(
        [sys.executable, "-W", "default", "-c", IN_ANOTHER_PROCESS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stderr == ""
    artifact = built(SMALL["attention"], "fp16")
    assert answer.stdout.split() == [hashlib.sha256(artifact).hexdigest()]


class Unknown(nn.Module):
    def forward(self, x):
        return torch.linalg.svdvals(x)


def test_what_core_ml_cannot_take_is_told_in_its_own_words(backend, capfd) -> None:
    with pytest.raises(BackendError) as caught:
        backend.build(Unknown(), (1, 4, 4), options())
    words = str(caught.value)
    assert words.startswith("Core ML conversion failed: ")
    assert "Unsupported" in words
    assert "linalg_svdvals" in words
    assert "\n" not in words
    assert capfd.readouterr() == ("", "")


def test_a_wrong_shape_is_torchs_error(backend) -> None:
    with pytest.raises(BackendError, match=r"^Core ML conversion failed: .*same reduction dim"):
        backend.build(nn.Linear(4, 4), (1, 5), options())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (options(provider="gpu"), "no compute units 'gpu' (did you mean 'cpu+gpu'?)"),
        (options(provider="ane"), "did you mean 'cpu+ane'?"),
        (options(provider="cpu+an"), "did you mean 'cpu+ane'?"),
        (options(provider="xyz"), "known: all, cpu, cpu+ane, cpu+gpu"),
        (options(provider="CPUExecutionProvider"), "no compute units 'CPUExecutionProvider'"),
        (options("bf16"), "fp16 and fp32, not in bf16"),
        (options(threads=2), "leave `threads` at 1"),
        (options(optimization="basic"), "by itself"),
        (options(sparsity="2:4"), "Core ML has no sparsity '2:4'"),
        (options(cache="cold"), "Core ML has no cache 'cold'"),
        (options(graph="cuda_graph"), "Core ML has no graph 'cuda_graph'"),
    ],
)
def test_options_it_lacks_are_refused_building_and_running(backend, refused, given, words) -> None:
    for use in (
        lambda: backend.check(given),
        lambda: backend.build(nn.Linear(4, 4), (1, 4), given),
        lambda: backend.load(b"", given),
        lambda: backend.environment(given),
    ):
        with refused(words):
            use()


@pytest.mark.parametrize("provider", ["all", "cpu", "cpu+gpu", "cpu+ane"])
@pytest.mark.parametrize("dtype", ["fp16", "fp32"])
def test_every_compute_unit_is_taken(backend, provider, dtype) -> None:
    backend.check(options(dtype, provider))


def test_elsewhere_than_on_a_mac_it_builds_but_does_not_run(backend, monkeypatch, refused) -> None:
    assert isinstance(backend, Backend)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert backend.unbuildable() is None
    assert backend.trouble() is None
    assert "this machine runs Linux; build" in (backend.unavailable() or "")
    with refused("Apple's systems only", "measure them on a Mac"):
        backend.load(built(SMALL["mlp"], "fp16"), options())
    with refused("Apple's systems only"):
        backend.estimated_shares(built(SMALL["mlp"], "fp16"), options())


def test_without_coremltools_it_says_how_to_get_it(backend, monkeypatch, refused) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    assert "pip install 'vitprof[coreml]'" in (backend.unbuildable() or "")
    for use in (
        lambda: backend.build(nn.Linear(4, 4), (1, 4), options()),
        lambda: backend.environment(options()),
    ):
        with refused("coremltools is not installed", "pip install 'vitprof[coreml]'"):
            use()
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert backend.unavailable() == backend.unbuildable()


def test_a_mac_is_told_by_its_model(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setenv("PATH", str(tmp_path))
    mac = find_device("mac")
    for model in ("Mac14,2", "MacBookPro18,3", "Macmini9,1", "iMac21,1", "VirtualMac2,1"):
        monkeypatch.setattr(coreml, "sysctl", lambda name, model=model: model)
        assert CoreMlBackend().unavailable() is None
        assert mac.why_not_here() is None
        assert CoreMlBackend(mac.machine).environment(options())["machine"] == model
        # Not this Mac, hence a device that would have to be connected.
        assert "devicectl" in (find_device("iphone13").why_not_here() or "")
    with pytest.raises(UserError, match="devicectl"):
        CoreMlBackend("iPhone14,5").environment(options())


@pytest.mark.parametrize("name", ["mac", "iphone11", "iphone13", "iphone15"])
def test_apples_devices_can_be_built_for_here(name, monkeypatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    device = find_device(name)
    assert isinstance(device.runtime(), CoreMlBackend)
    assert device.why_no_build_here() is None
    reason = device.why_not_here() or ""
    assert "Apple's systems only" in reason
    assert f"vitprof build --device {name}" in reason


def test_the_environment_is_json_and_says_what_matters(backend, monkeypatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    facts = backend.environment(options("fp32", "cpu+ane"))
    assert json.loads(json.dumps(facts)) == facts
    assert facts == {
        "backend": "coreml",
        "coremltools": coremltools().__version__,
        "torch": torch.__version__,
        "deployment_target": "iOS17",
        "provider": "cpu+ane",
        "dtype": "fp32",
    }


# Core ML computes in other orders, and on the GPU and the Neural Engine in fp16 whatever it is
# given; inputs are normal, weights small.
TOLERANCE = {"fp16": 5e-2, "fp32": 2e-2}


@pytest.mark.skipif(sys.platform != "darwin", reason="Core ML runs on macOS only")
@pytest.mark.parametrize("provider", ["all", "cpu", "cpu+gpu", "cpu+ane"])
@pytest.mark.parametrize("dtype", ["fp16", "fp32"])
@pytest.mark.parametrize("op", list(OPS))
def test_on_a_mac_outputs_are_torchs(op, dtype, provider) -> None:
    block = SMALL[op]
    shape = (1, *block.input_shape)
    torch.manual_seed(0)
    with torch.no_grad():
        wanted = create_block(block)(torch.from_numpy(seeded_input(shape))).numpy()
    given = options(dtype, provider)
    with CoreMlBackend().load(built(block, dtype), given) as executable:
        executable.run()
        assert executable.device_ms() > 0
        (got,) = executable.outputs()
    np.testing.assert_allclose(got, wanted, rtol=0, atol=TOLERANCE[dtype])
    shares = CoreMlBackend().estimated_shares(built(block, dtype), given)
    assert {share.operator.rpartition(".")[2] for share in shares} >= OPERATIONS[op]
