"""How many channels lie together in ONNX Runtime's layout of convolutions, on this machine."""

from __future__ import annotations

import functools


@functools.cache
def channels_per_block() -> int:
    """Return 16 with AVX-512, 8 with AVX2 and on ARM; 0 where the runtime has no such layout.

    A convolution to one channel is optimised: its weights are padded to a block then.
    """
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from ..backends import BackendOptions
    from ..backends.onnxruntime.prepared import optimised_graph

    weights = numpy_helper.from_array(np.ones((1, 3, 1, 1), dtype=np.float32), "w")
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 4, 4))
    y = helper.make_empty_tensor_value_info("y")
    node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1])
    graph = helper.make_graph([node], "probe", [x], [y], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    optimised = onnx.load_model_from_string(
        optimised_graph(model.SerializeToString(), BackendOptions())
    )
    if not any(node.domain == "com.microsoft.nchwc" for node in optimised.graph.node):
        return 0
    return max(tensor.dims[0] for tensor in optimised.graph.initializer if len(tensor.dims) == 4)
