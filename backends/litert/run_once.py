"""One run of a `.tflite` model of somebody else, in the process of a trial."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter


def run_once(artifact: bytes) -> None:
    """Load and run a model once on zeros.

    Raises ValueError for one with weights in other files, and what LiteRT raises.
    """
    interpreter = Interpreter(model_content=artifact, num_threads=1)
    model = schema.Model.GetRootAsModel(artifact, 0)
    if getattr(model, "ExternalBufferGroupsLength", lambda: 0)():
        raise ValueError("it keeps its weights in other files")
    interpreter.allocate_tensors()
    for tensor in interpreter.get_input_details():
        interpreter.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
    interpreter.invoke()
