"""vitprof fuses a graph as ONNX Runtime does, which is asked for its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from small_onnx.optimised import of_ours, of_runtime
from small_onnx.small_graphs import Small
from vitprof.backends import onnx_from_module
from vitprof.models import create_model, create_spec


def assert_as_runtime(model: bytes) -> None:
    assert of_ours(model) == of_runtime(model)


@pytest.mark.parametrize(
    "name", ["vit-micro-8", "efficientvit-m0", "autovit-xxs", "bert-tiny", "vgg16-bn-cifar"]
)
@pytest.mark.few("vit*", "bert*", "vgg*", "autovit*")
def test_families_are_fused_as_by_the_runtime(name: str) -> None:
    spec = create_spec(name)
    module = create_model(spec)
    assert_as_runtime(onnx_from_module(module, (1, *spec.blocks()[0].input_shape)))


@pytest.mark.slow
def test_a_swin_is_fused_as_by_the_runtime() -> None:
    spec = create_spec("swin-tiny")
    assert_as_runtime(onnx_from_module(create_model(spec), (1, *spec.blocks()[0].input_shape)))


def silu(g: Small, x: str) -> str:
    return str(g.op("Mul", x, g.op("Sigmoid", x)))


def quick_gelu(g: Small, x: str) -> str:
    return str(g.op("Mul", x, g.op("Sigmoid", g.op("Mul", x, g.constant(1.702)))))


def gelu(g: Small, x: str) -> str:
    erf = g.op("Erf", g.op("Div", x, g.constant(2**0.5)))
    return str(g.op("Mul", g.op("Mul", x, g.op("Add", erf, g.constant(1.0))), g.constant(0.5)))


def mish(g: Small, x: str) -> str:
    return str(g.op("Mul", x, g.op("Tanh", g.op("Softplus", x))))


def clip(g: Small, x: str) -> str:
    return str(g.op("Clip", x, g.constant(0.0), g.constant(6.0)))


def plain(op: str) -> Callable[[Small, str], str]:
    return lambda g, x: str(g.op(op, x))


ACTIVATIONS = {
    **{
        op: plain(op)
        for op in ("Relu", "HardSwish", "Sigmoid", "HardSigmoid", "Tanh", "LeakyRelu", "Elu")
    },
    "silu": silu,
    "quick_gelu": quick_gelu,
    "gelu": gelu,
    "mish": mish,
    "clip": clip,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_between_convolutions(name: str) -> None:
    g = Small(1, 32, 14, 14)
    x = ACTIVATIONS[name](g, g.conv("x", 32, 64))
    assert_as_runtime(g.model(g.conv(x, 64, 32)))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_behind_products(name: str) -> None:
    g = Small(49, 64)
    x = g.op("Add", g.op("MatMul", "x", g.weights(64, 128)), g.weights(128))
    assert_as_runtime(g.model(g.op("MatMul", ACTIVATIONS[name](g, x), g.weights(128, 64))))


@pytest.mark.parametrize(
    ("given", "out", "groups"),
    [
        *((3, 16, 1), (3, 20, 1), (12, 20, 1), (16, 20, 1), (20, 20, 1), (18, 32, 1), (32, 18, 1)),
        *((32, 32, 32), (20, 20, 20), (18, 18, 18), (32, 32, 2), (48, 48, 3), (48, 48, 2)),
        (32, 64, 32),
    ],
)
def test_which_convolutions_work_on_blocks(given: int, out: int, groups: int) -> None:
    g = Small(1, given, 14, 14)
    assert_as_runtime(g.model(g.conv("x", given, out, 3, groups=groups)))


@pytest.mark.parametrize("channels", [32, 20])
def test_concatenations(channels: int) -> None:
    g = Small(1, 32, 14, 14)
    y = g.conv("x", 32, channels)
    z = g.conv(y, channels, channels, 3)
    joined = g.op("Concat", y, z, axis=1)
    assert_as_runtime(g.model(g.conv(joined, 2 * channels, 32)))


def residual(g: Small) -> str:
    y = g.conv("x", 32, 32)
    z = g.conv(g.op("Relu", g.conv(y, 32, 32, 3)), 32, 32, 3)
    return g.conv(g.op("Relu", g.op("Add", z, y)), 32, 32)


def residual_of_two(g: Small) -> str:
    y = g.conv("x", 32, 32)
    return g.conv(g.op("Relu", g.op("Add", g.conv(y, 32, 32), g.conv(y, 32, 32))), 32, 32)


def pre_activated(g: Small) -> str:
    y = g.conv("x", 32, 32)
    z = g.op("Add", g.conv(g.op("Relu", y), 32, 32), y)
    return str(g.op("Add", g.conv(g.op("Relu", z), 32, 32), z))


def squeezed(g: Small) -> str:
    y = g.conv("x", 32, 32)
    small = g.op("Relu", g.conv(g.op("GlobalAveragePool", y), 32, 8))
    scale = g.op("Sigmoid", g.conv(small, 8, 32))
    return g.conv(g.op("Mul", y, scale), 32, 32)


def scaled(g: Small) -> str:
    y = g.op("Relu", g.conv("x", 32, 32))
    return g.conv(g.op("Mul", y, g.weights(32, 1, 1)), 32, 32)


def normalised(g: Small) -> str:
    y = g.op("Relu", g.conv("x", 32, 32))
    return g.conv(g.op("BatchNormalization", y, *(g.weights(32) for _ in range(4))), 32, 32)


def folded(g: Small) -> str:
    y = g.op("BatchNormalization", g.conv("x", 32, 32), *(g.weights(32) for _ in range(4)))
    return str(g.op("Add", g.op("Mul", y, g.weights(32, 1, 1)), "x"))


def pooled(g: Small) -> str:
    sizes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    return g.conv(g.op("MaxPool", g.conv("x", 32, 32), **sizes), 32, 32)


def pool_mixer(g: Small) -> str:
    sizes = {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1]}
    y = g.conv("x", 32, 32)
    return g.conv(g.op("Sub", g.op("AveragePool", y, **sizes), y), 32, 32)


def channels_last(g: Small) -> str:
    y = g.op("Transpose", g.conv("x", 32, 32), perm=[0, 2, 3, 1])
    y = g.op("LayerNormalization", y, g.weights(32), g.weights(32), axis=-1)
    y = g.op("Add", g.op("MatMul", y, g.weights(32, 64)), g.weights(64))
    return g.conv(g.op("Transpose", y, perm=[0, 3, 1, 2]), 64, 32)


def enlarged(g: Small) -> str:
    how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    y = g.op("Resize", g.conv("x", 32, 32), "", g.constant([1, 1, 2, 2]), **how)
    return g.conv(y, 32, 32)


def split_and_joined(g: Small) -> str:
    u, v = g.op("Split", g.conv("x", 32, 32), outputs=2, axis=1)
    return g.conv(g.op("Concat", v, g.conv(u, 16, 16, 3), axis=1), 32, 32)


def padded(g: Small) -> str:
    y = g.op("Pad", "x", g.constant([0, 0, 1, 1, 0, 0, 1, 1], int))
    return str(g.op("Conv", y, g.weights(32, 32, 3, 3), kernel_shape=[3, 3]))


def added_to_nothing(g: Small) -> str:
    y = g.op("Add", g.constant(0.0), g.conv("x", 32, 32))
    return g.conv(g.op("Mul", y, g.constant(1.0)), 32, 32)


MAPS = (
    *(residual, residual_of_two, pre_activated, squeezed, scaled, normalised, folded, pooled),
    *(pool_mixer, channels_last, enlarged, split_and_joined, padded, added_to_nothing),
)


@pytest.mark.parametrize("build", MAPS, ids=lambda build: build.__name__)
def test_nodes_between_convolutions(build: Callable[[Small], str]) -> None:
    g = Small(1, 32, 14, 14)
    assert_as_runtime(g.model(build(g)))


def attention(scale: str) -> bytes:
    g = Small(1, 4, 49, 16)
    keys = g.op("Transpose", "x", perm=[0, 1, 3, 2])
    if scale == "before":
        logits = g.op(
            "MatMul", g.op("Mul", "x", g.constant(0.5)), g.op("Mul", keys, g.constant(0.5))
        )
    else:
        logits = g.op("Div", g.op("MatMul", "x", keys), g.constant(4.0))
    weights = g.op("Softmax", g.op("Add", logits, g.weights(1, 4, 49, 49)), axis=-1)
    return g.model(g.op("Transpose", g.op("MatMul", weights, "x"), perm=[0, 2, 1, 3]))


@pytest.mark.parametrize("scale", ["before", "after"])
def test_products_of_activations_take_in_scales_and_swaps(scale: str) -> None:
    assert_as_runtime(attention(scale))


def layer_norm(g: Small, x: str, width: int) -> str:
    mean = g.op("ReduceMean", x, axes=[-1], keepdims=1)
    centred = g.op("Sub", x, mean)
    variance = g.op("ReduceMean", g.op("Pow", centred, g.constant(2.0)), axes=[-1], keepdims=1)
    root = g.op("Sqrt", g.op("Add", variance, g.constant(1e-6)))
    scaled = g.op("Mul", g.op("Div", centred, root), g.weights(width))
    return str(g.op("Add", scaled, g.weights(width)))


def test_a_layer_norm_in_nine_nodes_is_one() -> None:
    g = Small(1, 49, 64)
    model = g.model(layer_norm(g, "x", 64))
    assert_as_runtime(model)
    assert of_ours(model) == {"LayerNormalization": 1}


@pytest.mark.parametrize("read_twice", [False, True])
def test_a_sum_goes_into_the_layer_norm_that_alone_reads_it(read_twice: bool) -> None:
    g = Small(1, 49, 64)
    total = g.op("Add", "x", g.op("Relu", "x"))
    norm = g.op("LayerNormalization", total, g.weights(64), g.weights(64), axis=-1)
    outputs = (norm, total) if read_twice else (norm,)
    assert_as_runtime(g.model(*outputs))
