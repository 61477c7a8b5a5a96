"""What LiteRT's backend says where its libraries are not; check_*.py in litert_env has the rest."""

from __future__ import annotations

import importlib.util
import sys

import pytest
from vitprof import UserError
from vitprof.backends import Backend, BackendError, BackendOptions, find_device
from vitprof.backends.litert.backend import LITERT_DTYPES, LiteRtBackend
from vitprof.backends.litert.check import check_header
from vitprof.backends.litert.convert import converter_error
from vitprof.backends.litert.delegated import delegated_operators

XNNPACK = BackendOptions(provider="xnnpack")


def node(index: int, name: str, inputs: list[int], outputs: list[int]) -> dict[str, object]:
    return {"index": index, "op_name": name, "inputs": inputs, "outputs": outputs}


def test_it_is_a_backend_of_this_machine() -> None:
    assert isinstance(LiteRtBackend(), Backend)
    cpu = find_device("cpu")
    assert "litert" in cpu.backends
    assert cpu.dtypes_by("litert") == LITERT_DTYPES
    assert "litert" not in find_device("t4").backends


def test_without_the_runtime_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    reason = LiteRtBackend().unavailable()
    assert reason is not None
    assert "vitprof[litert]" in reason
    with pytest.raises(UserError, match=r"vitprof\[litert\]"):
        LiteRtBackend().load(b"", XNNPACK)


def test_without_the_converter_it_names_the_other_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    reason = LiteRtBackend().unbuildable()
    assert reason is not None
    assert "vitprof[litert-build]" in reason


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (BackendOptions(provider="GPU"), r"no provider 'GPU' here \(known: builtin, xnnpack\)"),
        (BackendOptions(provider="xnpack"), r"did you mean 'xnnpack'"),
        (BackendOptions(provider="xnnpack", dtype="fp16"), "half precision"),
        (BackendOptions(provider="xnnpack", dtype="bf16"), "not in bf16"),
        (BackendOptions(provider="xnnpack", sparsity="2:4"), "sparsity"),
        (BackendOptions(provider="xnnpack", cache="cold"), "cache"),
        (BackendOptions(provider="xnnpack", optimization="basic"), "optimization"),
    ],
)
def test_what_litert_lacks_is_refused(options: BackendOptions, words: str) -> None:
    with pytest.raises(UserError, match=words):
        LiteRtBackend().check(options)


@pytest.mark.parametrize("dtype", LITERT_DTYPES)
@pytest.mark.parametrize("provider", ["xnnpack", "builtin"])
def test_what_it_has_is_taken(dtype: str, provider: str) -> None:
    LiteRtBackend().check(BackendOptions(dtype=dtype, provider=provider, threads=2))


@pytest.mark.parametrize(
    "model", [b"", b"\x1c\0\0\0TFL3", b"\x1c\0\0\0TFL2" + bytes(99), b"\xff\xff\xff\xffTFL3abcd"]
)
def test_what_does_not_begin_as_a_model_is_refused(model: bytes) -> None:
    with pytest.raises(BackendError, match="TFL3"):
        check_header(model)
    with pytest.raises(BackendError, match="TFL3"):
        LiteRtBackend().check_artifact(model)


def test_the_converters_words_name_no_folder_of_this_machine() -> None:
    said = ValueError("failed:\n /home/me/x/site-packages/vitprof/models/gelu.py:83:0: error: 1/2")
    assert str(converter_error("converting", said)) == (
        "converting failed: failed: gelu.py:83:0: error: 1/2"
    )


def test_a_piece_is_what_lies_between_what_enters_and_what_leaves_it() -> None:
    # 0 -> A -> 1 -> B -> 2 -> C -> 3; the delegate took A and B, and of 4 -> D -> 5 nothing.
    nodes = [
        node(0, "A", [0, 9], [1]),
        node(1, "B", [1, -1], [2]),
        node(2, "C", [2], [3]),
        node(3, "D", [4], [5]),
        node(4, "DELEGATE", [0, 9], [2]),
    ]
    assert delegated_operators(nodes) == (["A", "B"], ["C", "D"])


def test_two_pieces_with_an_operator_between_them() -> None:
    nodes = [
        node(0, "A", [0], [1]),
        node(1, "B", [1], [2]),
        node(2, "C", [2, 1], [3]),
        node(3, "DELEGATE", [0], [1]),
        node(4, "DELEGATE", [2, 1], [3]),
    ]
    assert delegated_operators(nodes) == (["A", "C"], ["B"])


def test_a_delegate_that_took_nothing() -> None:
    assert delegated_operators([node(0, "A", [0], [1])]) == ([], ["A"])
    assert delegated_operators([]) == ([], [])
