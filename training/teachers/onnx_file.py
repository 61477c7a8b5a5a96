"""A teacher from an ONNX file, run by ONNX Runtime on the CPU: no gradients are needed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import UserError
from ...models.checks import shown
from ...untrusted.files import read_bytes
from .opened import Opened
from .preprocessing import LARGEST_SIDE, read_preprocessing

# One protobuf message cannot be larger.
LARGEST_FILE = 2**31 - 1
LOOPS = ("Loop", "Scan")
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class OnnxTeacher(nn.Module):
    """Images n x channels x h x w -> logits n x classes in fp32, on the images' device.

    A graph of a fixed batch is run as often as it takes; the last run is filled up with images
    that are there already.
    """

    def __init__(self, session: Any) -> None:
        super().__init__()
        given = session.get_inputs()[0]
        self.session = session
        self.input, self.output = given.name, session.get_outputs()[0].name
        self.number: Any = _TYPES[given.type]
        self.batch = given.shape[0] if isinstance(given.shape[0], int) else None

    def forward(self, images: Tensor) -> Tensor:
        pixels = np.ascontiguousarray(images.detach().float().cpu().numpy().astype(self.number))
        count, step = len(pixels), self.batch or len(pixels)
        answers = []
        for start in range(0, count, step):
            places = np.arange(start, start + step).clip(max=count - 1)
            (answer,) = self.session.run([self.output], {self.input: pixels[places]})
            answers.append(answer)
        logits = np.concatenate(answers)[:count].astype(np.float32)
        return torch.from_numpy(logits).to(images.device)


def from_onnx(file: Path) -> Opened:
    """Return the model of the file; its images' size is that of the graph's input.

    A preprocessor_config.json beside the file says how they are normalised. Raises UserError for a
    file that ONNX Runtime cannot run, and a graph that is not from images to logits.
    """
    import onnxruntime

    beside = _weights_beside(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])
    except Exception as error:  # anything that ONNX Runtime raises for a file that it cannot run
        words = " ".join(str(error).split())[:200].rstrip(".")
        raise UserError(f"`teacher` {file} is not an ONNX file that can be run: {words}.") from None
    shape, classes = _checked(session, file)
    wanted = read_preprocessing(file.parent)
    if isinstance(shape[2], int):
        wanted = replace(wanted, side=shape[2])
    channels = shape[1] if isinstance(shape[1], int) else 3
    return Opened(OnnxTeacher(session), str(file), wanted, classes, _digest(file, beside), channels)


def _checked(session: Any, file: Path) -> tuple[list[Any], int]:
    """Return the input's shape and the number of classes."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in _TYPES:
        taken = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
        raise UserError(
            f"`teacher` {file} has to take one input of images, batch x channels x height x width "
            f"in fp32 or fp16; it takes {taken}."
        )
    shape, output_shape = list(inputs[0].shape), outputs[0].shape
    if isinstance(shape[2], int) and (shape[2] != shape[3] or not 1 <= shape[2] <= LARGEST_SIDE):
        raise UserError(f"`teacher` {file} takes images of {shown(shape)}, which are not squares.")
    if len(output_shape) != 2 or not isinstance(output_shape[1], int):
        raise UserError(
            f"`teacher` {file} has to answer with logits, batch x classes, as its first output; "
            f"{outputs[0].name} is of shape {shown(output_shape)}."
        )
    return shape, output_shape[1]


def _weights_beside(file: Path) -> Sequence[Path]:
    """Return the files that the graph's weights lie in, in the order of their names.

    Raises UserError for a file that is not a graph, for weights outside its folder, and for a loop:
    a number in the file says how often it runs.
    """
    import onnx

    model = onnx.ModelProto()
    try:
        model.ParseFromString(read_bytes(file, "an ONNX file", LARGEST_FILE))
    except UserError:
        raise
    except Exception:  # protobuf's own DecodeError
        raise UserError(f"`teacher` {file} is not an ONNX file, or it is cut short.") from None
    bodies = [model.graph, *model.functions]
    found: set[Path] = set()
    while bodies:
        body = bodies.pop()
        for node in body.node:
            if node.op_type in LOOPS:
                raise UserError(
                    f"`teacher` {file} has a loop ({node.op_type}), which may never end; export "
                    "the model without it."
                )
            for one in node.attribute:
                bodies += [*([one.g] if one.HasField("g") else []), *one.graphs]
        for tensor in getattr(body, "initializer", ()):
            places = [one.value for one in tensor.external_data if one.key == "location"]
            found |= {_inside(file, place) for place in places}
    return sorted(found)


def _inside(file: Path, place: str) -> Path:
    folder = file.parent.resolve()
    try:
        path = (folder / place).resolve()
        inside = path.is_relative_to(folder) and path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        inside = False
    if not inside:
        raise UserError(
            f"`teacher` {file} has weights in {shown(place)}, which is not a file in its folder; "
            "put it there."
        )
    return path


def _digest(file: Path, beside: Sequence[Path]) -> str:
    """Return a digest of the file and of the files that its weights lie in."""
    digest = hashlib.sha256()
    for path in (file, *beside):
        with path.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()
