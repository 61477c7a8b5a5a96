"""EfficientViT against the official model. 6 s.

OFFICIAL was recorded once from the authors' code (microsoft/Cream, EfficientViT/classification/
model/efficientvit.py; timm's SqueezeExcite for its one import), run in fp64: for each variant the
SHA-256 of its sorted lines "name shape", without num_batches_tracked and attention_bias_idxs, and
its first eight logits for weights and an image made by `values` and `image` here.
"""

from __future__ import annotations

import hashlib
import zlib

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from vitprof.backends.onnx.export import onnx_from_module
from vitprof.models import create_model, create_spec
from vitprof.models.families.efficientvit.spec import EfficientViTSpec
from vitprof.models.modules.folding import folded

OFFICIAL = {
    "m0": (
        "54444876a211e76d0bf1e165c76f1827507e645342aa6b55878e2cdcd010e3d0",
        [-1.689691, 1.164693, -0.174737, 1.274729, -3.114435, -3.437781, -2.284661, -1.089197],
    ),
    "m1": (
        "3f7d1d9a7d87c65056025a35c09b54712d9284d5f47dcdc22d6f3f2c260d3626",
        [-3.64338, 0.671367, -0.780501, 3.087934, -0.679081, -2.264309, -1.704495, -0.989464],
    ),
    "m2": (
        "076761e309e515d9be78848cc9196cac326c20eacff4ab346858b6e6fef26a50",
        [0.190789, 0.531099, -0.819327, -1.087449, 3.596752, 3.909408, -1.104341, 1.896905],
    ),
    "m3": (
        "fc26d2b545f2d7c051d74fb8c5b0048d5208ba6f21e453ec1fc937b62c915791",
        [1.287308, -0.021734, 1.446871, -1.883088, 3.016944, 0.201855, 0.333472, -0.661605],
    ),
    "m4": (
        "4cee80efea53cc96a4553a5134fda81e61e19189bc94dceeb4b7ce778b6781f9",
        [0.937919, -1.461933, -2.420258, 1.134847, -0.311983, -1.572893, -0.708115, -1.982989],
    ),
    "m5": (
        "a784f4f8dd2e40fc2f5c9bbc9ecc776797b1ff929e8a6f6ed06dd10a4c5b72c9",
        [3.802011, -0.344305, -5.715675, 0.46822, -0.125021, -0.245671, 0.126584, -3.666265],
    ),
}


def values(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weight of this official name: from a stream that numpy keeps for ever."""
    z = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith("running_var"):
        return 0.5 + np.abs(z)
    if name.endswith("bn.weight"):
        return 0.7 + 0.1 * z
    if name.endswith("attention_biases"):
        return z
    return z / np.prod(shape[1:]) ** 0.5 if len(shape) > 1 else 0.2 * z


def image() -> torch.Tensor:
    return torch.from_numpy(np.random.RandomState(0).standard_normal((1, 3, 224, 224))).float()


def official_shapes(spec: EfficientViTSpec) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the authors' checkpoint, written down from their code."""
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, width: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (width,)

    def conv(name: str, inputs: int, outputs: int, kernel: int = 1) -> None:
        shapes[f"{name}.c.weight"] = (outputs, inputs, kernel, kernel)
        norm(f"{name}.bn", outputs)

    def ffn(dw: str, ffn: str, width: int) -> None:
        conv(f"{dw}.m", 1, width, 3)
        conv(f"{ffn}.m.pw1", width, 2 * width)
        conv(f"{ffn}.m.pw2", 2 * width, width)

    widths = [stage.embed for stage in spec.stages]
    for index, (inputs, part) in enumerate(zip((None, 8, 4, 2), (8, 4, 2, 1), strict=True)):
        before = 3 if inputs is None else widths[0] // inputs
        conv(f"patch_embed.{2 * index}", before, widths[0] // part, 3)
    for number, (stage, side) in enumerate(zip(spec.stages, (7, 7, 4), strict=True)):
        width, start = stage.embed, 0
        if number:
            start, narrow, here = 3, widths[number - 1], f"blocks{number + 1}"
            ffn(f"{here}.0.0", f"{here}.0.1", narrow)
            conv(f"{here}.1.conv1", narrow, 4 * narrow)
            conv(f"{here}.1.conv2", 1, 4 * narrow, 3)
            for fc, gates in (("fc1", (narrow, 4 * narrow)), ("fc2", (4 * narrow, narrow))):
                shapes[f"{here}.1.se.{fc}.weight"] = (*gates, 1, 1)
                shapes[f"{here}.1.se.{fc}.bias"] = gates[:1]
            conv(f"{here}.1.conv3", 4 * narrow, width)
            ffn(f"{here}.2.0", f"{here}.2.1", width)
        for index in range(start, start + stage.depth):
            layer = f"blocks{number + 1}.{index}"
            attention = f"{layer}.mixer.m.attn"
            ffn(f"{layer}.dw0", f"{layer}.ffn0", width)
            for head in range(stage.heads):
                split = width // stage.heads
                conv(f"{attention}.qkvs.{head}", split, 32 + split)
                conv(f"{attention}.dws.{head}", 1, 16, spec.kernels[head])
            conv(f"{attention}.proj.1", width, width)
            shapes[f"{attention}.attention_biases"] = (stage.heads, side * side)
            ffn(f"{layer}.dw1", f"{layer}.ffn1", width)
    norm("head.bn", widths[-1])
    shapes["head.l.weight"], shapes["head.l.bias"] = (1000, widths[-1]), (1000,)
    return shapes


def official_weights(spec: EfficientViTSpec) -> dict[str, torch.Tensor]:
    return {
        name: torch.from_numpy(values(name, shape)).float()
        for name, shape in official_shapes(spec).items()
    }


@pytest.fixture(scope="module")
def m0(tmp_path_factory: pytest.TempPathFactory) -> torch.nn.Module:
    file = tmp_path_factory.mktemp("m0") / "m0.pth"
    spec = create_spec("efficientvit-m0")
    torch.save({"model": official_weights(spec)}, file)
    return create_model(spec, file)


@pytest.mark.parametrize("size", OFFICIAL)
def test_names_and_shapes_are_the_official_ones(size):
    spec = create_spec(f"efficientvit-{size}")
    lines = sorted(f"{name} {shape}" for name, shape in official_shapes(spec).items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == OFFICIAL[size][0]


@pytest.mark.parametrize("size", OFFICIAL)
@pytest.mark.few("m0", "m4")
def test_an_official_checkpoint_gives_the_official_logits(size, tmp_path):
    spec = create_spec(f"efficientvit-{size}")
    file = tmp_path / "official.pth"
    torch.save({"model": official_weights(spec)}, file)
    model = create_model(spec, file)
    for module in (model, folded(model)):
        with torch.no_grad():
            logits = module(image())[0, :8]
        torch.testing.assert_close(logits, torch.tensor(OFFICIAL[size][1]), rtol=0, atol=2e-5)


def test_timm_s_names_are_the_module_s(m0, tmp_path):
    names = {name for name in m0.state_dict() if not name.endswith("num_batches_tracked")}
    for name in (
        "patch_embed.conv1.conv.weight",
        "patch_embed.conv4.bn.running_var",
        "stages.0.blocks.0.dw0.m.conv.weight",
        "stages.0.blocks.0.ffn1.m.pw2.bn.bias",
        "stages.1.blocks.1.mixer.m.attn.qkvs.3.conv.weight",
        "stages.2.blocks.2.mixer.m.attn.dws.0.bn.weight",
        "stages.2.blocks.0.mixer.m.attn.proj.1.conv.weight",
        "stages.2.blocks.0.mixer.m.attn.attention_biases",
        "stages.2.blocks.0.mixer.m.attn.attention_bias_idxs",
        "stages.1.downsample.res1.0.m.conv.weight",
        "stages.1.downsample.res2.1.m.pw1.conv.weight",
        "stages.2.downsample.patchmerge.conv2.conv.weight",
        "stages.2.downsample.patchmerge.se.fc2.bias",
        "head.bn.running_mean",
        "head.linear.weight",
    ):
        assert name in names
    assert len(names) == len(official_shapes(m0.spec)) + 6  # the indices of six attentions
    file = tmp_path / "timm.pth"
    torch.save(m0.state_dict(), file)
    again = create_model("efficientvit-m0", file)
    x = image()
    with torch.no_grad():
        torch.testing.assert_close(again(x), m0(x), rtol=0, atol=0)


def test_pointwise_weights_may_be_stored_as_matrices(m0, tmp_path):
    weights = official_weights(m0.spec)
    flat = {
        name: weight[:, :, 0, 0] if weight.shape[2:] == (1, 1) else weight
        for name, weight in weights.items()
    }
    file = tmp_path / "flat.pth"
    torch.save(flat, file)
    x = image()
    with torch.no_grad():
        expected = m0(x)
        torch.testing.assert_close(create_model(m0.spec, file)(x), expected, rtol=0, atol=0)


def test_a_checkpoint_of_another_variant_names_the_first_key(m0, tmp_path, refused):
    file = tmp_path / "m0.pth"
    torch.save(official_weights(m0.spec), file)
    with refused("'patch_embed.conv1.conv.weight'", "(8, 3, 3, 3)", "(16, 3, 3, 3)", "m0.pth"):
        create_model("efficientvit-m4", file)
    short = official_weights(m0.spec)
    short["stages.0.blocks.0.dw0.m.conv.weight"] = short["blocks1.0.dw0.m.c.weight"]
    torch.save(short, file)
    with refused("both stand for", "m0.pth"):
        create_model("efficientvit-m0", file)


def test_the_deployed_graph_has_no_norm_and_computes_the_same(m0):
    exported = onnx_from_module(folded(m0), (1, 3, 224, 224))
    nodes = [node.op_type for node in onnx.load_from_string(exported).graph.node]
    assert nodes.count("Transpose") == 2 * 24 + 2  # two a head for its products, and the windows
    assert not {"BatchNormalization", "Gather", "Sqrt", "ReduceMean", "Shape"} & set(nodes)
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"input": image().numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(logits, m0(image()).numpy(), rtol=0, atol=1e-4)
