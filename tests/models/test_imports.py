from __future__ import annotations

import subprocess
import sys

HEAVY = {"torch", "numpy", "transformers", "safetensors", "onnx"}


def test_specs_need_neither_torch_nor_numpy():
    code = (
        "import sys, vitprof.models as m\n"
        "spec = m.create_spec('deit-tiny')\n"
        "assert m.Spec.from_json(spec.to_json()).macs == spec.macs\n"
        f"print(sorted({HEAVY} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
