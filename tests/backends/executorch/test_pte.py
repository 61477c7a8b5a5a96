"""Taking `.pte` files apart: two recorded ones, whole, cut off, and with bytes changed."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from vitprof.backends import BackendError
from vitprof.backends.executorch.pte import Pte, read_pte

# An MLP block of width 8, by ExecuTorch 1.5.1; tests/executorch_env checks that it still runs.
FILES = Path(__file__).parents[2] / "data/executorch"
XNNPACK = (FILES / "mlp-xnnpack.pte").read_bytes()
PORTABLE = (FILES / "mlp-portable.pte").read_bytes()


def changed(at: int, new: bytes) -> bytes:
    return XNNPACK[:at] + new + XNNPACK[at + len(new) :]


def refused(artifact: bytes, match: str) -> None:
    with pytest.raises(BackendError, match=match):
        read_pte(artifact)


def test_which_operators_the_delegate_takes() -> None:
    # XNNPACK has two linear layers, GELU and a sum, and takes no layer norm.
    norm = "aten::native_layer_norm"
    assert read_pte(XNNPACK) == Pte((norm,), (4,), (f"{norm}.out",))
    assert read_pte(XNNPACK).delegated_share == 0.8


def test_without_a_delegate_the_share_is_0() -> None:
    portable = read_pte(PORTABLE)
    assert portable.delegated_share == 0.0
    assert portable.kernels.count("aten::addmm") == 2
    assert portable.operators.count("aten::addmm.out") == 1


@pytest.mark.parametrize("artifact", [XNNPACK, PORTABLE], ids=["xnnpack", "portable"])
def test_one_that_is_cut_off_anywhere_is_refused(artifact: bytes) -> None:
    # The last segment may be followed by nothing but padding.
    for end in range(0, len(artifact) - 16, 7):
        refused(artifact[:end], "not an ExecuTorch program|truncated or damaged")


def test_another_format_is_named() -> None:
    refused(changed(4, b"ET11"), "has the format ET11 and ExecuTorch 1.5 reads ET12")
    refused(changed(4, b"ONNX"), "not an ExecuTorch program")
    refused(b"", "not an ExecuTorch program")


def test_changed_bytes_are_read_or_refused_but_nothing_else_happens() -> None:
    rng = random.Random(0)
    found = 0
    for _ in range(3000):
        at = rng.randrange(8, len(XNNPACK) - 8)
        try:
            read_pte(changed(at, rng.randbytes(rng.choice((1, 4, 8)))))
        except BackendError as error:
            assert "truncated or damaged" in str(error)
            found += 1
    assert found > 1000  # most of so small a file is structure


def test_another_delegate_is_refused_by_name() -> None:
    at = XNNPACK.index(b"XnnpackBackend")
    refused(changed(at, b"OpenvinoBacken"), "needs the delegate 'OpenvinoBacken', not XNNPACK")


def test_a_header_that_promises_more_than_there_is_is_refused() -> None:
    refused(changed(16, struct.pack("<Q", 1 << 40)), "its header tells of 1099511627776 bytes")
    refused(changed(32, struct.pack("<Q", 1 << 40)), "it should have")


def test_a_graph_beyond_its_segment_is_refused() -> None:
    header = XNNPACK.index(b"XH00")
    refused(changed(header + 10, struct.pack("<I", 1 << 30)), "longer than its segment")
    refused(changed(header, b"XX00"), "has no header")
