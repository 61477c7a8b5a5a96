"""ONNX files of others: what is refused, in one sentence, before anything is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, external_data_helper, helper, numpy_helper
from small_onnx.small_graphs import Small
from vitprof.errors import UserError
from vitprof.foreign.graph import Graph
from vitprof.foreign.onnx_file import read_onnx
from vitprof.foreign.shapes import graph_of, inputs_of


def written(model: bytes | Any, path: Path) -> Path:
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    return path


def net() -> bytes:
    g = Small(1, 3, 16, 16)
    return g.model(g.op("Relu", g.conv("x", 3, 16, 3)))


def parsed() -> Any:
    return onnx.load_model_from_string(net())


def open_net(batch: Any = "n") -> Any:
    model = parsed()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = batch
    del model.graph.value_info[:]
    return model


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    graph = graph_of(read_onnx(written(net(), tmp_path / "x.onnx")))
    assert [node.op for node in graph.nodes] == ["Conv", "Relu"]
    assert graph.shape(graph.outputs[0]) == (1, 16, 16, 16)


def outside(location: str) -> Any:
    model = parsed()
    tensor = model.graph.initializer[0]
    external_data_helper.set_external_data(tensor, location)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    return model


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("/etc/passwd", "outside the model's folder"),
        ("../weights.bin", "outside the model's folder"),
        ("a/../../weights.bin", "outside the model's folder"),
        ("C:\\weights.bin", "outside the model's folder"),
        ("", "outside the model's folder"),
        ("missing.bin", "not there"),
        ("link.bin", "symbolic link"),
        ("linked/weights.bin", "symbolic link"),
        ("short.bin", "does not hold"),
    ],
)
def test_weights_elsewhere_are_refused(tmp_path: Path, location: str, words: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(4096))
    (folder / "link.bin").symlink_to(tmp_path / "weights.bin")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "short.bin").write_bytes(bytes(8))
    with pytest.raises(UserError, match=words) as refused:
        read_onnx(written(outside(location), folder / "x.onnx"))
    assert "\n" not in str(refused.value)


def test_weights_beside_the_model_are_read(tmp_path: Path) -> None:
    beside = {"save_as_external_data": True, "location": "x.bin", "size_threshold": 0}
    onnx.save(parsed(), str(tmp_path / "x.onnx"), **beside)
    model = read_onnx(tmp_path / "x.onnx")
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    expected = [numpy_helper.to_array(tensor) for tensor in parsed().graph.initializer]
    found = [numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


def huge() -> Any:
    model = parsed()
    model.graph.initializer[0].dims[:] = [2**20, 2**20, 3, 3]
    return model


def wrong_size() -> Any:
    model = parsed()
    model.graph.initializer[0].dims[:] = [16, 3, 3, 5]
    return model


def with_node(*nodes: Any) -> Any:
    model = parsed()
    model.graph.node.extend(nodes)
    return model


def of_opset(version: int) -> Any:
    model = parsed()
    model.opset_import[0].version = version
    return model


def looping() -> Any:
    body = helper.make_graph([], "body", [], [])
    return with_node(helper.make_node("If", ["x"], ["y"], then_branch=body, else_branch=body))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: b"", "not an ONNX model"),
        (lambda: b"no model at all", "not an ONNX model"),
        (lambda: net()[:200], "not an ONNX model|cut short|damaged|does not fit|no node"),
        (huge, "values, more than"),
        (wrong_size, "damaged"),
        (lambda: of_opset(999), "opset 999"),
        (lambda: with_node(helper.make_node("Nonsense", ["x"], ["y"])), "'Nonsense'"),
        (lambda: with_node(helper.make_node("Gelu", ["x"], ["y"], domain="com.x")), "'com.x'"),
        (looping, "'If'"),
        (lambda: helper.make_model(helper.make_graph([], "g", [], [])), "no node"),
    ],
)
def test_damaged_and_hostile_models_are_one_sentence(
    tmp_path: Path, model: Any, words: str
) -> None:
    with pytest.raises(UserError, match=words) as refused:
        graph_of(read_onnx(written(model(), tmp_path / "x.onnx")))
    assert "\n" not in str(refused.value)


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.onnx", Path("a\0b.onnx")):
        with pytest.raises(UserError, match=r"is a folder|does not exist|cannot be read"):
            read_onnx(path)


def test_open_sizes_are_asked_for_and_taken() -> None:
    model = open_net()
    assert inputs_of(model) == {"x": ("n", 3, 16, 16)}
    with pytest.raises(UserError, match=r"`shapes` x=1,3,16,16"):
        graph_of(model)
    graph = graph_of(model, {"x": (4, 3, 16, 16)})
    assert graph.shape(graph.outputs[0]) == (4, 16, 16, 16)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"x": (1, 3, 8, 8)}, "only open sizes"),
        ({"x": (1, 3)}, "only open sizes"),
        ({"y": (1, 3, 16, 16)}, "no input 'y'"),
    ],
)
def test_shapes_that_do_not_fit(shapes: dict[str, tuple[int, ...]], words: str) -> None:
    with pytest.raises(UserError, match=words):
        graph_of(open_net(), shapes)


def test_sizes_that_depend_on_values() -> None:
    g = Small(1, 8)
    with pytest.raises(UserError, match="NonZero"):
        graph_of(onnx.load_model_from_string(g.model(g.op("NonZero", "x"))))


def test_shapes_that_a_graph_computes_are_followed() -> None:
    g = Small(2, 6, 4)
    shape = g.op("Shape", "x")
    rows = g.op("Gather", shape, g.constant([0], np.int64), axis=0)
    wanted = g.op("Concat", rows, g.constant([-1], np.int64), axis=0)
    graph = graph_of(onnx.load_model_from_string(g.model(g.op("Reshape", "x", wanted))))
    assert graph.shape(graph.outputs[0]) == (2, 24)
    assert [node.op for node in graph.nodes] == ["Reshape"]


WHOLE = net()


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_flipped_and_cut_files_give_a_graph_or_a_sentence(tmp_path: Path, data: Any) -> None:
    damaged = bytearray(WHOLE)
    for place in data.draw(st.lists(st.integers(0, len(WHOLE) - 1), max_size=6)):
        damaged[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(damaged)))
    path = written(bytes(damaged[:end]), tmp_path / "x.onnx")
    try:
        assert isinstance(graph_of(read_onnx(path)), Graph)
    except UserError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("values", [0, 3])
def test_a_constant_without_all_of_its_values_is_refused(
    tmp_path: Path, values: int, refused
) -> None:
    model = parsed()
    tensor = helper.make_tensor("c", TensorProto.FLOAT, [4], [1.0] * 4)
    del tensor.float_data[values:]
    model.graph.node.insert(0, helper.make_node("Constant", [], ["c"], value=tensor))
    with refused(f"its tensor 'c' has {values} values where its shape needs 4"):
        graph_of(read_onnx(written(model, tmp_path / "x.onnx")))


@pytest.mark.parametrize(
    "kind",
    ["FLOAT", "DOUBLE", "INT64", "INT8", "BOOL", "FLOAT16", "BFLOAT16", "UINT64", "INT4"],
)
def test_values_in_fields_of_their_type_are_read(tmp_path: Path, kind: str) -> None:
    model = parsed()
    tensor = helper.make_tensor("c", getattr(TensorProto, kind), [3], [1, 0, 1])
    assert not tensor.HasField("raw_data")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["c"], value=tensor))
    graph = graph_of(read_onnx(written(model, tmp_path / "x.onnx")))
    assert graph.shape("c") == (3,)


def test_values_of_half_a_byte_that_are_not_all_there_are_refused(tmp_path: Path, refused) -> None:
    model = parsed()
    tensor = helper.make_tensor("c", TensorProto.INT4, [5], [1] * 5)
    del tensor.int32_data[1:]
    model.graph.node.insert(0, helper.make_node("Constant", [], ["c"], value=tensor))
    with refused("its constant 'c' has data that are not of its type and shape"):
        graph_of(read_onnx(written(model, tmp_path / "x.onnx")))
