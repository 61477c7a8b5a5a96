"""From an ONNX model to a Graph: every tensor's shape is known, what is constant is computed.

A latency belongs to one shape, so a model's open sizes have to be given. Shapes that the graph
computes from others (Shape, Gather, Concat into a Reshape) are followed by value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import UserError, did_you_mean
from ..models.checks import shown
from .graph import Graph, Node, Tensor
from .onnx_file import LARGEST_TENSOR, opset_of

# Constants of at most so many values are kept and computed with; weights are larger.
SMALL = 8192

Shapes = Mapping[str, Sequence[int]]


def graph_of(model: Any, shapes: Shapes | None = None) -> Graph:
    """Return the graph of a checked model (`onnx_file.read_onnx`).

    `shapes` gives inputs their sizes, batch included, where the file leaves them open. Raises
    UserError for an open size that is not given, a shape that does not fit, and a tensor whose
    size depends on values that are only known when the model runs.
    """
    return _Reader(model, shapes or {}).graph()


def inputs_of(model: Any) -> dict[str, tuple[int | str, ...]]:
    """Return the sizes of each input as the file has them: numbers, or names of open sizes."""
    constants = {tensor.name for tensor in model.graph.initializer}
    found: dict[str, tuple[int | str, ...]] = {}
    for given in model.graph.input:
        if given.name in constants:
            continue
        sizes = given.type.tensor_type.shape.dim
        found[given.name] = tuple(
            size.dim_value
            if size.HasField("dim_value") and size.dim_value > 0
            else size.dim_param or "?"
            for size in sizes
        )
    return found


class _Reader:
    def __init__(self, model: Any, shapes: Shapes) -> None:
        self._model = model
        self._opset = opset_of(model)
        self._shapes = shapes
        self._tensors: dict[str, Tensor] = {}
        self._nodes: list[Node] = []

    def graph(self) -> Graph:
        for tensor in self._model.graph.initializer:
            small = math.prod(tensor.dims) <= SMALL
            value = _value_of(tensor) if small else None
            self._constant(tensor.name, tuple(tensor.dims), _dtype(tensor.data_type), value)
        inputs = self._read_inputs()
        for number, node in enumerate(self._model.graph.node):
            self._read(node, node.name or f"{node.op_type}_{number}")
        outputs = [one.name for one in self._model.graph.output]
        lost = [name for name in outputs if name not in self._tensors]
        if lost:
            raise UserError(f"its output {shown(lost[0])} is computed by no node.")
        return Graph(self._nodes, self._tensors, inputs, outputs)

    def _read_inputs(self) -> list[str]:
        found = inputs_of(self._model)
        types = {given.name: given.type for given in self._model.graph.input}
        unknown = [name for name in self._shapes if name not in found]
        if unknown:
            raise UserError(
                f"it has no input {shown(unknown[0])}{did_you_mean(unknown[0], found)}; its inputs "
                f"are {', '.join(map(shown, found))}."
            )
        for name, sizes in found.items():
            if not types[name].HasField("tensor_type"):
                raise UserError(f"its input {shown(name)} is not a tensor; export it without.")
            dtype = _dtype(types[name].tensor_type.elem_type)
            shape = _given_shape(name, sizes, self._shapes.get(name))
            self._tensors[name] = Tensor(name, _checked_shape(name, shape), dtype)
        return list(found)

    def _read(self, proto: Any, name: str) -> None:
        import onnx

        inputs, outputs = tuple(proto.input), tuple(proto.output)
        for one in inputs:
            if one and one not in self._tensors:
                raise UserError(f"node {shown(name)} reads {shown(one)}, which nothing computes.")
        attributes = {one.name: onnx.helper.get_attribute_value(one) for one in proto.attribute}
        if proto.op_type == "Constant":
            self._set(outputs[0], _constant_value(attributes))
            return
        if proto.op_type == "Shape":
            sizes = self._tensors[inputs[0]].shape
            part = sizes[attributes.get("start", 0) : attributes.get("end", len(sizes))]
            self._set(outputs[0], np.array(part, dtype=np.int64))
            return
        if proto.op_type == "Size":
            self._set(outputs[0], np.array(self._tensors[inputs[0]].size, dtype=np.int64))
            return
        known = [self._tensors[one] for one in inputs if one]
        constant = all(one.constant for one in known) and not proto.op_type.startswith("Random")
        if constant and all(one.value is not None for one in known):
            values = self._computed(proto)
            if values is not None:
                for output, value in zip(outputs, values, strict=False):
                    self._set(output, value)
                self._note_table(proto, attributes)
                return
        for output, (dtype, shape) in self._inferred(proto, name).items():
            self._tensors[output] = Tensor(output, _checked_shape(output, shape), dtype, constant)
        if not constant:
            self._nodes.append(Node(proto.op_type, inputs, outputs, attributes, (name,)))
        self._note_table(proto, attributes)

    def _note_table(self, proto: Any, attributes: Mapping[str, Any]) -> None:
        """Keep what a constant was looked up in: its rows alone do not tell how many there are."""
        if proto.op_type != "Gather" or attributes.get("axis", 0):
            return
        made = self._tensors[proto.output[0]]
        if made.constant and len(self._tensors[proto.input[0]].shape) == 2:
            table = (proto.input[0], proto.input[1])
            self._tensors[made.name] = replace(made, looked_up=table)

    def _computed(self, proto: Any) -> Sequence[np.ndarray] | None:
        """Return what a node of small constants computes; None where that is not small."""
        from onnx.reference import ReferenceEvaluator

        if proto.op_type in {"ConstantOfShape", "Expand", "Tile"}:
            shapes = self._inferred(proto, proto.name, quiet=True)
            if any(math.prod(shape) > SMALL for _, shape in shapes.values()):
                return None
        values = {one: self._tensors[one].value for one in proto.input if one}
        if proto.op_type == "Range":
            return _range(*values.values())
        if proto.op_type == "GatherElements":
            return _picked(proto, *values.values())
        try:
            found = ReferenceEvaluator(_alone(proto, values, self._opset)).run(None, values)
        except Exception:  # an operator that onnx's own evaluator lacks, or wrong values
            return None
        arrays = [np.asarray(value) for value in found]
        return arrays if all(array.size <= SMALL for array in arrays) else None

    def _inferred(
        self, proto: Any, name: str, quiet: bool = False
    ) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Return type and shape of a node's outputs, as ONNX defines them."""
        import onnx
        from onnx import numpy_helper, shape_inference

        schema = onnx.defs.get_schema(proto.op_type, self._opset, "")
        types, data = {}, {}
        for one in proto.input:
            if not one:
                continue
            tensor = self._tensors[one]
            kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
            types[one] = onnx.helper.make_tensor_type_proto(kind, tensor.shape)
            if tensor.value is not None:
                data[one] = numpy_helper.from_array(np.ascontiguousarray(tensor.value), one)
        try:
            found = shape_inference.infer_node_outputs(
                schema, proto, types, data, opset_imports=list(self._model.opset_import)
            )
        except Exception as error:  # onnx's InferenceError
            words = " ".join(str(error).split())[:200]
            raise UserError(
                f"the shapes at node {shown(name)} ({proto.op_type}) do not fit: {words}"
            ) from None
        shapes: dict[str, tuple[str, tuple[int, ...]]] = {}
        for output in proto.output:
            if not output:
                continue
            of_output = found.get(output)
            sizes = None
            if of_output is not None and of_output.tensor_type.HasField("shape"):
                dims = of_output.tensor_type.shape.dim
                if all(size.HasField("dim_value") for size in dims):
                    sizes = tuple(int(size.dim_value) for size in dims)
            if of_output is None or sizes is None:
                if quiet:
                    return {}
                raise UserError(
                    f"the size of what node {shown(name)} ({proto.op_type}) computes depends on "
                    "values that are known only when the model runs; export it with fixed shapes."
                )
            shapes[output] = (_dtype(of_output.tensor_type.elem_type), sizes)
        return shapes

    def _set(self, name: str, value: np.ndarray) -> None:
        kept = value if value.size <= SMALL else None
        self._constant(name, tuple(value.shape), value.dtype.name, kept)

    def _constant(
        self, name: str, shape: tuple[int, ...], dtype: str, value: np.ndarray | None
    ) -> None:
        self._tensors[name] = Tensor(name, shape, dtype, True, value)


def _range(*values: np.ndarray | None) -> Sequence[np.ndarray] | None:
    """Return start, start + step, ... below the limit; exporters give tensors of one value too."""
    numbers = [value.reshape(-1)[0] for value in values if value is not None and value.size == 1]
    if len(numbers) != 3 or not numbers[2]:
        return None
    if (numbers[1] - numbers[0]) / numbers[2] > SMALL:
        return None
    return [np.arange(*numbers, dtype=np.asarray(numbers[0]).dtype)]


def _picked(proto: Any, *values: np.ndarray | None) -> Sequence[np.ndarray] | None:
    """Return values by index along an axis, which onnx's evaluator cannot beyond 64 of them."""
    data, indices = values if len(values) == 2 else (None, None)
    if data is None or indices is None:
        return None
    axis = next((one.i for one in proto.attribute if one.name == "axis"), 0)
    try:
        return [np.take_along_axis(data, indices, axis)]
    except (ValueError, IndexError):  # indices of a part of the other axes, or out of range
        return None


def _alone(proto: Any, values: Mapping[str, np.ndarray | None], opset: int) -> Any:
    """Return a model of just this node."""
    from onnx import helper

    def info(name: str) -> Any:
        value = values.get(name)
        if value is None:
            return helper.make_empty_tensor_value_info(name)
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        return helper.make_tensor_value_info(name, kind, value.shape)

    graph = helper.make_graph(
        [proto],
        "node",
        [info(name) for name in values],
        [info(name) for name in proto.output if name],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def _value_of(tensor: Any) -> np.ndarray:
    from onnx import numpy_helper

    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(
            f"its constant {shown(tensor.name)} has data that are not of its type and shape "
            f"({' '.join(str(error).split())[:120]}); export it again."
        ) from None


def _constant_value(attributes: Mapping[str, Any]) -> np.ndarray:
    if "value" in attributes:
        return _value_of(attributes["value"])
    for name, dtype in (("value_float", np.float32), ("value_int", np.int64)):
        if name in attributes:
            return np.array(attributes[name], dtype=dtype)
    for name, dtype in (("value_floats", np.float32), ("value_ints", np.int64)):
        if name in attributes:
            return np.array(list(attributes[name]), dtype=dtype)
    raise UserError("it has a constant of an unknown kind; export it again.")


def _given_shape(
    name: str, sizes: Sequence[int | str], given: Sequence[int] | None
) -> tuple[int, ...]:
    """Return the shape of an input: the file's, or the given one, which has to agree with it."""
    if given is None:
        open_sizes = [size for size in sizes if isinstance(size, str)]
        if open_sizes:
            example = ",".join("1" if isinstance(size, str) else str(size) for size in sizes)
            raise UserError(
                f"its input {shown(name)} has the open size {shown(open_sizes[0])} in "
                f"({', '.join(map(str, sizes))}); give all sizes, as in "
                f"`shapes` {name}={example}."
            )
        return tuple(int(size) for size in sizes)
    if len(given) != len(sizes) or any(
        isinstance(size, int) and size != wanted for size, wanted in zip(sizes, given, strict=True)
    ):
        raise UserError(
            f"its input {shown(name)} is of shape ({', '.join(map(str, sizes))}), and `shapes` "
            f"says ({', '.join(map(str, given))}); only open sizes can be chosen."
        )
    return tuple(given)


def _checked_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if math.prod(shape) > LARGEST_TENSOR:
        raise UserError(
            f"its tensor {shown(name)} would have {math.prod(shape)} values, more than "
            f"{LARGEST_TENSOR}."
        )
    return shape


def _dtype(kind: int) -> str:
    import onnx

    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(kind).name)
    except Exception:
        raise UserError(f"it has a tensor of the unknown type {kind}.") from None
