"""Small ONNX graphs, built a node at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, shape_inference


class Small:
    """A graph of one input `x`; `op` adds a node and returns the name of what it computes."""

    def __init__(self, *shape: int, opset: int = 17) -> None:
        self._shape, self._opset = shape, opset
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._random = np.random.default_rng(0)
        self._count = 0

    def weights(self, *shape: int) -> str:
        return self.constant(self._random.standard_normal(shape).astype(np.float32))

    def constant(self, value: Any, dtype: type = np.float32) -> str:
        array = value if isinstance(value, np.ndarray) else np.array(value, dtype=dtype)
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        self._count += 1
        names = [f"t{self._count}_{n}" for n in range(outputs)]
        name = f"{kind}_{self._count}"
        self._nodes.append(helper.make_node(kind, list(inputs), names, name=name, **attributes))
        return names[0] if outputs == 1 else names

    def conv(
        self, x: str, given: int, out: int, taps: int = 1, stride: int = 1, groups: int = 1
    ) -> str:
        return str(
            self.op(
                "Conv",
                x,
                self.weights(out, given // groups, taps, taps),
                self.weights(out),
                kernel_shape=[taps, taps],
                strides=[stride] * 2,
                group=groups,
                pads=[taps // 2] * 4,
            )
        )

    def model(self, *outputs: str) -> bytes:
        graph = helper.make_graph(
            self._nodes,
            "small",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self._shape)],
            [helper.make_empty_tensor_value_info(name) for name in outputs],
            self._constants,
        )
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self._opset)], ir_version=8
        )
        return bytes(shape_inference.infer_shapes(made).SerializeToString())
