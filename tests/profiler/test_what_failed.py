"""A model from a file is called by the file in a sentence, another one by its name."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from vitprof.foreign.open_model import open_model
from vitprof.models import create_spec
from vitprof.profiler.what_failed import what_failed


def test_a_file_by_its_path_and_a_known_model_by_its_name(tmp_path) -> None:
    assert what_failed(create_spec("deit-tiny")) == "deit-tiny"
    path = tmp_path / "net.onnx"
    weight = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4))],
        [weight],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    assert str(path) in what_failed(open_model(str(path)))
