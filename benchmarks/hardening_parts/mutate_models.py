"""ONNX files and images whose own structure says something hostile."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

from .mutate_bytes import mutated_bytes

SIZES = (0, -1, 1, 7, 2**16, 2**31, 2**40, 2**62, -(2**63))
OPERATORS = ("", "Loop", "If", "Scan", "NoSuch", "Reshape", "Tile", "Expand", "ConstantOfShape")
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "TGA", "PCX")


def mutated_onnx(data: bytes, rng: random.Random) -> bytes:
    """Return an ONNX model with other sizes, operators, edges, attributes or weights."""
    if rng.random() < 0.35:
        return mutated_bytes(data, rng)
    import onnx

    model = onnx.ModelProto.FromString(data)
    for _ in range(rng.choice((1, 1, 2))):
        rng.choice(_CHANGES)(model, rng)
    return model.SerializeToString()


def _other_operator(model: Any, rng: random.Random) -> None:
    node = rng.choice(model.graph.node)
    node.op_type = rng.choice((*OPERATORS, rng.choice(model.graph.node).op_type))
    node.domain = rng.choice(("", "", "com.microsoft", "evil"))


def _other_edge(model: Any, rng: random.Random) -> None:
    node = rng.choice(model.graph.node)
    if node.input:
        at = rng.randrange(len(node.input))
        node.input[at] = rng.choice(
            (*(name for other in model.graph.node for name in other.output), "", "missing")
        )


def _other_shape(model: Any, rng: random.Random) -> None:
    values = (*model.graph.input, *model.graph.output, *model.graph.value_info)
    dims = rng.choice(values).type.tensor_type.shape.dim
    if dims:
        dims[rng.randrange(len(dims))].dim_value = rng.choice(SIZES)
    else:
        dims.add().dim_param = rng.choice(("N", "\x1b[2J", "x" * 1000))


def _other_weight(model: Any, rng: random.Random) -> None:
    if not model.graph.initializer:
        return
    tensor = rng.choice(model.graph.initializer)
    kind = rng.randrange(4)
    if kind == 0 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(SIZES)
    elif kind == 1:
        tensor.data_type = rng.randint(0, 30)
    elif kind == 2:
        tensor.ClearField("raw_data")
        tensor.data_location = 1
        place = rng.choice(("../escaped", "/etc/passwd", "weights.bin", "", "a\x00b", "."))
        tensor.external_data.add(key="location", value=place)
        tensor.external_data.add(key="length", value=rng.choice(("-1", "9" * 30, "4", "x")))
    else:
        tensor.raw_data = tensor.raw_data[: rng.randint(0, 8)]


def _other_attribute(model: Any, rng: random.Random) -> None:
    nodes = [node for node in model.graph.node if node.attribute]
    if not nodes:
        return
    attribute = rng.choice(rng.choice(nodes).attribute)
    if attribute.ints:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(SIZES)
    else:
        attribute.i, attribute.f = rng.choice(SIZES), float(rng.choice((0, "nan", "inf", -1)))


def _other_name(model: Any, rng: random.Random) -> None:
    name = rng.choice(("\x1b[2J", "x" * 10_000, "a\nFAKE", "", "<script>", "=1+1"))
    node = rng.choice(model.graph.node)
    if rng.random() < 0.5:
        node.name = name
    elif node.output:
        node.output[0] = name


def _fewer_or_more(model: Any, rng: random.Random) -> None:
    kind = rng.randrange(5)
    nodes = model.graph.node
    if kind == 0:
        del nodes[rng.randrange(len(nodes))]
    elif kind == 1:
        nodes.append(rng.choice(nodes))
    elif kind == 2:
        model.opset_import[0].version = rng.choice((0, -1, 1, 6, 2**40, 99))
    elif kind == 3:
        model.ir_version = rng.choice((0, -1, 99, 2**40))
    else:
        del model.graph.input[:]


def _enormous_intermediate(model: Any, rng: random.Random) -> None:
    """Put before the graph's end a tensor of as many numbers as a size says."""
    from onnx import helper, numpy_helper

    numpy = __import__("numpy")
    side = rng.choice((2**10, 2**14, 2**20, 2**31))
    shape = numpy.array([side, side], dtype=numpy.int64)
    model.graph.initializer.append(numpy_helper.from_array(shape, "huge"))
    model.graph.node.append(helper.make_node("ConstantOfShape", ["huge"], ["huge_made"]))
    model.graph.node.append(helper.make_node("ReduceSum", ["huge_made"], ["huge_sum"], keepdims=0))
    last = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["before_huge" if name == last else name for name in node.output]
    model.graph.node.append(helper.make_node("Add", ["before_huge", "huge_sum"], [last]))


_CHANGES = (
    *(_other_operator, _other_edge, _other_shape, _other_weight, _other_attribute),
    *(_other_name, _fewer_or_more, _enormous_intermediate),
)


def mutated_image(data: bytes, rng: random.Random) -> bytes:
    """Return a picture in one of Pillow's formats, damaged, or one that announces a huge size."""
    kind = rng.random()
    if kind < 0.2:
        return _announcing(rng)
    if kind < 0.3:
        return rng.choice(_NO_PICTURES)
    from PIL import Image

    out = io.BytesIO()
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    picture.save(out, rng.choice(FORMATS))
    return mutated_bytes(out.getvalue(), rng)


def _announcing(rng: random.Random) -> bytes:
    """Return a PNG whose header says more pixels than it has, with a valid checksum."""
    side = rng.choice((0, 9_000, 13_500, 60_000, 2**31 - 1, 2**32 - 1))
    depth, colours = rng.choice(((8, 2), (16, 6), (1, 3), (3, 9)))
    header = struct.pack(">LLBBBBB", side, side, depth, colours, 0, 0, rng.randint(0, 1))
    pixels = zlib.compress(bytes(rng.choice((0, 100, 1 << 20))))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">L", len(part)) + kind + part + struct.pack(">L", zlib.crc32(kind + part))
        for kind, part in ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    )


_NO_PICTURES = (
    b"",
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9999 9999\n(%pipe%touch escaped) (w) file\n",
    b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    b"GIF89a\xff\xff\xff\xff\xff\xff\xff" + bytes(40),
    b"P6 99999 99999 255\n",
    b"BM" + b"\xff" * 60,
    b"II*\x00\xff\xff\xff\xff",
    b"\xff\xd8\xff\xe1\xff\xff" + b"Exif\x00\x00" + bytes(50),
)
