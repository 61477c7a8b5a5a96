"""What of a table's machine decides how graphs are fused for it."""

from __future__ import annotations

import pytest
from vitprof.foreign.rules import CHANNELS_PER_BLOCK, RUNTIME, Rules, version_warning


@pytest.mark.parametrize(
    ("observed", "channels"),
    [
        ({"channels_per_block": 8}, 8),
        ({"channels_per_block": 0}, 0),
        ({}, CHANNELS_PER_BLOCK),
        ({"channels_per_block": "16"}, CHANNELS_PER_BLOCK),
        ({"channels_per_block": -1}, CHANNELS_PER_BLOCK),
        ({"channels_per_block": True}, CHANNELS_PER_BLOCK),
    ],
)
def test_the_header_says_how_channels_lie(observed: dict[str, object], channels: int) -> None:
    assert Rules.of(observed).channels_per_block == channels


def test_another_version_of_the_runtime_is_named_with_ours() -> None:
    warning = version_warning({"onnxruntime": "1.19.2"}, "old.csv")
    assert warning is not None and "1.19.2" in warning and RUNTIME in warning
    assert "old.csv" in warning
    assert version_warning({"onnxruntime": f"{RUNTIME}.1"}, "lut.csv") is None
    assert version_warning({"torch": "2.13"}, "lut.csv") is None
    assert version_warning(None, "lut.csv") is None
