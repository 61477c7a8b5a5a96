"""Small files of other tools' shapes; the numbers are made up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

NNMETER = {
    "firstconv_128_3_16_2_3": 0.5,
    "conv_64_16_24_4_2_hard_swish_5_se": 0.25,
    "conv_64_16_24_4_2_hard_swish_5_nose": 0.125,
    "transds_16_48_56_2_4": 0.375,
    "transattn_16_48_hard_swish_2_ln": 1.5,
    "transffn_16_48_2_hard_swish_ln": 0.75,
    "mbpool_2_160_1984_6_hard_swish": 0.8125,
}
OFA = """\
AvgPool2D-input:7x7x1152-output:1x1x1152:
  count: 4
  mean: 0.5
  std: 0.1
Conv-input:224x224x3-output:112x112x24: {count: 4, mean: 1.0, std: 0.1}
Conv_2-input:1x1x1152-output:1x1x1536: {count: 4, mean: 0.75, std: 0.1}
Logits-input:1x1x1536-output:1000: {count: 4, mean: 0.625, std: 0.1}
expanded_conv-input:112x112x24-output:56x56x32-expand:72-kernel:5-stride:2-idskip:0-se:1-hs:0:
  count: 4
  mean: 2.0
  std: 0.1
"""
LINEAR = """\
OPName,Latency,Device,B,M,N,K
linear,0.25,Some GPU,1,8,16,32
linear,0.75,Some GPU,1,8,16,64
linear,0.35,Some GPU,1,8,16,32
"""


def nvit_values() -> dict[str, object]:
    """EMB 64, 128; 1 or 2 heads of 16; V 16; MLP none or 256: 1 ms per 1e6 of embed x width."""
    return {
        f"EMB_{embed}": {
            f"QK_{heads}_16": {
                "V_16": {f"MLP_{mlp}": embed * (64 * heads + mlp) / 1e5 for mlp in (1, 256)}
            }
            for heads in (1, 2)
        }
        for embed in (64, 128)
    }


@pytest.fixture
def nvit_file(tmp_path: Path) -> Path:
    path = tmp_path / "nvit.json"
    path.write_text(json.dumps(nvit_values()))
    return path


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[..., Path]:
    """Write one of the small files, or a text, and return its path."""
    texts = {
        "nnmeter": json.dumps(NNMETER),
        "ofa": OFA,
        "nvit": json.dumps(nvit_values()),
        "neusight": LINEAR,
    }

    def write(kind: str, text: str | None = None) -> Path:
        path = tmp_path / f"{kind}.file"
        path.write_text(texts[kind] if text is None else text)
        return path

    return write
