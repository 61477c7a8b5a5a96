"""An artifact of OpenVINO: its intermediate representation (IR), a graph and its weights, as one.

b"vitprof-openvino-ir-1\\n", the length of the graph in bytes (8, little-endian), that of the
weights, the graph as OpenVINO's XML, the weights as OpenVINO's .bin
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from ...temporary_folder import TemporaryFolder
from ..protocol import BackendError

_MAGIC = b"vitprof-openvino-ir-1\n"
_LENGTHS = struct.Struct("<QQ")
_LARGEST_GRAPH = 256 * 2**20
GRAPH_SUFFIX, WEIGHTS_SUFFIX = ".xml", ".bin"


class IR(NamedTuple):
    """The two files of an OpenVINO model: `graph` is XML that refers to places in `weights`."""

    graph: bytes
    weights: bytes

    def to_bytes(self) -> bytes:
        """Return both as one artifact."""
        lengths = _LENGTHS.pack(len(self.graph), len(self.weights))
        return b"".join((_MAGIC, lengths, self.graph, self.weights))

    @classmethod
    def from_bytes(cls, artifact: bytes) -> IR:
        """Return the two parts of an artifact, checked: see `check_graph`.

        Raises BackendError for one that is cut off, or is none.
        """
        begin = len(_MAGIC) + _LENGTHS.size
        if not artifact.startswith(_MAGIC) or len(artifact) < begin:
            raise BackendError("this is not an artifact of the openvino backend.")
        of_graph, of_weights = _LENGTHS.unpack_from(artifact, len(_MAGIC))
        if of_graph > _LARGEST_GRAPH or begin + of_graph + of_weights != len(artifact):
            raise BackendError(
                f"the artifact says that it has {of_graph} bytes of graph and {of_weights} of "
                f"weights, and it has {len(artifact) - begin} of both: it is damaged or cut off."
            )
        ir = cls(artifact[begin : begin + of_graph], artifact[begin + of_graph :])
        check_graph(ir)
        return ir


def ir_of_model(model: Any, half: bool = False) -> IR:
    """Return the IR of an `openvino.Model`; half: with its weights stored as fp16."""
    import openvino

    with TemporaryFolder() as folder:
        path = Path(folder) / f"model{GRAPH_SUFFIX}"
        openvino.save_model(model, str(path), compress_to_fp16=half)
        return IR(path.read_bytes(), path.with_suffix(WEIGHTS_SUFFIX).read_bytes())


def model_of_ir(core: Any, ir: IR) -> Any:
    """Return the `openvino.Model`; raises BackendError with OpenVINO's words."""
    import numpy as np
    import openvino

    try:
        weights = openvino.Tensor(np.frombuffer(ir.weights or b"\0", np.uint8))
        return core.read_model(ir.graph, weights)
    except Exception as error:
        raise BackendError.because("reading the model into OpenVINO", error) from error


def check_graph(ir: IR) -> None:
    """Raise BackendError unless all that the graph refers to is in the weights.

    The XML may declare no entities, which could name files or fill the memory; layers are
    OpenVINO's own; and every constant lies inside the weights.
    """
    if b"<!" in ir.graph.replace(b"<!--", b""):
        raise BackendError("its graph declares entities or a type, which no model of OpenVINO does")
    try:
        root = ElementTree.fromstring(ir.graph)  # noqa: S314 - without declarations it is only data
    except ElementTree.ParseError as error:
        raise BackendError.because("reading the graph's XML", error) from error
    if root.tag != "net":
        raise BackendError(f"its graph is a <{root.tag[:80]}> and no <net>")
    for layer in root.iter("layer"):
        kind, version = layer.get("type", ""), layer.get("version", "")
        if not version.startswith(("opset", "util", "experimental")):
            raise BackendError(
                f"its operator {kind[:80]!r} is of {version[:80]!r} and not one of OpenVINO's own"
            )
        for offset, size in _places(layer) if kind == "Const" else ():
            if not 0 <= offset <= offset + size <= len(ir.weights):
                raise BackendError(
                    f"its constant {layer.get('name', '')[:80]!r} lies outside the weights: bytes "
                    f"{offset} to {offset + size} of {len(ir.weights)}"
                )


def _places(layer: ElementTree.Element) -> Iterator[tuple[int, int]]:
    for data in layer.iterfind("data"):
        try:
            yield int(data.get("offset", "0")), int(data.get("size", "0"))
        except ValueError:
            raise BackendError("a constant of its graph does not say where it lies") from None
