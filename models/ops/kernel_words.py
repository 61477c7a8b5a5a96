"""Kernels in words: "conv 3x3/2 64 > 128 on 56x56, relu"."""

from __future__ import annotations

from .kernels import FUSED, OPERANDS, function_name
from .op import Dims

_OPERAND = {"none": "", "same": " of two", "columns": " a column", "rows": " a row", "one": ""}


def kernel_in_words(op: str, d: Dims) -> str:
    """Return a kernel in a few words, for people."""
    name = op.removeprefix("kernel_")
    if op == "kernel_conv":
        return _conv(d)
    if op in {"kernel_matmul", "kernel_batched_matmul"}:
        times = f"{d['matrices']} x " if "matrices" in d else ""
        size = f"{d['rows']}x{d['inner']} by {d['inner']}x{d['columns']}"
        fused = FUSED[d["fused"] - 1] if "fused" in d else "none"
        return f"{name} {times}{size}{'' if fused == 'none' else f', {fused}'}"
    function = f" {function_name(op, d)}" if "function" in d else ""
    if op == "kernel_elementwise":
        spread = _OPERAND[OPERANDS[d["operand"] - 1]]
        return f"elementwise{function}{spread} {d['rows']}x{d['columns']}"
    if "height" in d:
        taps = f" {d['kernel_height']}x{d['kernel_height']}" if "kernel_height" in d else ""
        return f"{name}{function}{taps} {d['in_channels']} on {d['height']}x{d['width']}"
    shape = "x".join(str(value) for axis, value in d.items() if axis not in _CHOICES)
    added = ", added" if d.get("added") == 2 else ""
    return f"{name}{function} {shape}{added}" if shape != "1" else name


_CHOICES = {"function", "operand", "added", "swaps", "fused", "transposed"}


def _conv(d: Dims) -> str:
    stride = f"/{d['stride']}" if d["stride"] > 1 else ""
    groups = f", {d['groups']} groups" if d["groups"] > 1 else ""
    more = [FUSED[d["fused"] - 1]] if d["fused"] > 1 else []
    more += ["added"] if d["added"] == 2 else []
    kind = "conv" if d["groups"] != d["out_channels"] or d["groups"] == 1 else "depthwise"
    groups = "" if kind == "depthwise" else groups
    return (
        f"{kind} {d['kernel_height']}x{d['kernel_width']}{stride} {d['in_channels']} > "
        f"{d['out_channels']} on {d['height']}x{d['width']}{groups}"
        f"{''.join(f', {one}' for one in more)}"
    )
