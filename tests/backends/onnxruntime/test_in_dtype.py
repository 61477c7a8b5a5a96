"""ONNX models of others in fp16 and int8, by ONNX Runtime's converters, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from small_onnx.foreign_spec import residual_net
from small_onnx.small_graphs import Small
from vitprof.backends import BackendError, BackendOptions
from vitprof.backends.onnxruntime.backend import OnnxRuntimeExecutable
from vitprof.backends.onnxruntime.in_dtype import in_dtype, operators_with_weights, seeded_feeds
from vitprof.errors import UserError

# What the outputs may be off by, relative. Small layers lose more than models do.
ALLOWED = {"fp16": 0.005, "int8": 0.05, "int8-static": 0.1}


def two_types() -> bytes:
    """Casts to fp64 and back between products."""
    g = Small(1, 8, 8, 8)
    wide = g.op("Cast", g.conv("x", 8, 8, 3), to=TensorProto.DOUBLE)
    return g.model(g.op("MatMul", g.op("Cast", wide, to=TensorProto.FLOAT), g.weights(8, 8)))


def resized() -> bytes:
    g = Small(1, 8, 8, 8)
    larger = g.op("Resize", g.conv("x", 8, 8, 3), "", g.constant([1, 1, 2, 2]), mode="linear")
    return g.model(g.op("MatMul", g.op("Relu", larger), g.weights(16, 8)))


def made_of_shapes() -> bytes:
    """A tensor that the graph makes by itself, of a shape that it computes."""
    g = Small(1, 8, 8)
    one = helper.make_tensor("value", TensorProto.FLOAT, [1], [1.0])
    ones = g.op("ConstantOfShape", g.op("Shape", "x"), value=one)
    return g.model(g.op("Add", g.op("MatMul", "x", g.weights(8, 8)), ones))


def sorted_values() -> bytes:
    g = Small(1, 8, 8)
    product = g.op("MatMul", "x", g.weights(8, 8))
    best, _ = g.op("TopK", product, g.constant([4], np.int64), outputs=2)
    return g.model(g.op("Softmax", best))


def of_two_inputs() -> bytes:
    """Words that are looked up, and which of them count."""
    random = np.random.default_rng(0)
    table, weights = (
        numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)
        for name, shape in (("table", (64, 8)), ("weights", (8, 8)))
    )
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["looked_up"]),
        helper.make_node("Cast", ["attention_mask"], ["seen"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["looked_up", "seen"], ["kept"]),
        helper.make_node("MatMul", ["kept", "weights"], ["y"]),
    ]
    given = [
        helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, 6]),
        helper.make_tensor_value_info("attention_mask", TensorProto.INT64, [1, 6, 1]),
    ]
    made = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 6, 8])]
    graph = helper.make_graph(nodes, "words", given, made, [table, weights])
    opset = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())


def of_opset(version: int) -> bytes:
    g = Small(1, 3, 8, 8, opset=version)
    flat = g.op("Flatten", g.op("Relu", g.conv("x", 3, 8, 3)))
    product = g.op("MatMul", flat, g.weights(512, 10))
    return g.model(g.op("Gemm", product, g.weights(10, 4), g.weights(4)))


def weights_listed_as_inputs() -> bytes:
    model = onnx.load_model_from_string(of_opset(11))
    weights = [
        helper.make_tensor_value_info(one.name, one.data_type, one.dims)
        for one in model.graph.initializer
    ]
    given = [*weights, *model.graph.input]
    del model.graph.input[:]
    model.graph.input.extend(given)
    model.ir_version = 3
    return bytes(model.SerializeToString())


MODELS: dict[str, Callable[[], bytes]] = {
    "a residual net": lambda: residual_net(16, 2),
    **{made.__name__: made for made in (two_types, resized, made_of_shapes, sorted_values)},
    **{made.__name__: made for made in (of_two_inputs, weights_listed_as_inputs)},
    **{f"opset {n}": lambda n=n: of_opset(n) for n in (7, 9, 11, 13, 20)},  # type: ignore[misc]
}


def outputs(model: bytes) -> list[np.ndarray]:
    with OnnxRuntimeExecutable(model, BackendOptions()) as session:
        session.run()
        return [one.astype(np.float32) for one in session.outputs()]


@cache
def in_fp32(name: str) -> list[np.ndarray]:
    return outputs(MODELS[name]())


@pytest.mark.parametrize("dtype", ALLOWED)
@pytest.mark.parametrize("name", MODELS)
def test_it_computes_nearly_the_same(name: str, dtype: str) -> None:
    model = MODELS[name]()
    made = in_dtype(model, dtype)
    for given, wanted in zip(outputs(made), in_fp32(name), strict=True):
        assert np.linalg.norm(given - wanted) <= ALLOWED[dtype] * np.linalg.norm(wanted)
    kinds = {one.data_type for one in onnx.load_model_from_string(made).graph.initializer}
    assert (TensorProto.FLOAT16 if dtype == "fp16" else TensorProto.INT8) in kinds


def test_fp32_is_the_model_itself() -> None:
    model = residual_net(16, 1)
    assert in_dtype(model, "fp32") is model


def test_ranges_are_learned_from_what_is_given() -> None:
    model = of_two_inputs()
    feeds = [seeded_feeds(model, seed) for seed in (3, 4)]
    assert in_dtype(model, "int8-static", feeds) != in_dtype(model, "int8-static")


def test_inputs_are_what_their_names_say() -> None:
    model = of_two_inputs()
    first, second = seeded_feeds(model), seeded_feeds(model, 1)
    assert first["input_ids"].max() < 64 and (first["input_ids"] != second["input_ids"]).any()
    assert (first["attention_mask"] == 1).all() and first["attention_mask"].dtype == np.int64


def only_a_convolution() -> bytes:
    g = Small(1, 3, 8, 8)
    return g.model(g.op("Relu", g.conv("x", 3, 8, 3)))


def without_weights() -> bytes:
    g = Small(1, 8, 8)
    return g.model(g.op("Relu", "x"))


def of_booleans() -> bytes:
    g = Small(1, 8, 8)
    model = onnx.load_model_from_string(g.model(g.op("MatMul", "x", g.weights(8, 8))))
    which = helper.make_tensor_value_info("which", TensorProto.BOOL, [1, 8])
    model.graph.input.append(which)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("made", "dtype", "words"),
    [
        (only_a_convolution, "int8", "int8 is for MatMul, Gemm with weights.*only Conv"),
        (without_weights, "int8-static", "none of its operators has weights"),
        (of_booleans, "int8-static", "its input 'which' is BOOL, and only FLOAT"),
    ],
)
def test_what_cannot_be_made_is_named(made: Callable[[], bytes], dtype: str, words: str) -> None:
    with pytest.raises(BackendError, match=words):
        in_dtype(made(), dtype)


def test_other_types_are_refused() -> None:
    with pytest.raises(UserError, match="dtype 'bf16' cannot be made of an ONNX model"):
        in_dtype(residual_net(16, 1), "bf16")


def test_operators_with_weights_are_counted() -> None:
    assert operators_with_weights(residual_net(16, 2)) == {"Conv": 5, "Gemm": 1}
    assert operators_with_weights(made_of_shapes()) == {"MatMul": 1}
    assert operators_with_weights(without_weights()) == {}
