"""A foreign model as a Spec: its JSON, its equality, and what damages it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from vitprof.errors import UserError
from vitprof.models import Block, Spec, create_model
from vitprof.models.families.foreign.spec import ForeignSpec
from vitprof.models.families.registry import find_family

SOFTMAX = Block.of("kernel_softmax", rows=8, columns=16, inner=1, swaps=1)
PRODUCT = Block.of("kernel_matmul", rows=8, columns=16, inner=4, fused=1)
MLP = Block.of("mlp", embed=8, mlp=16, tokens=4)


def spec(*blocks: Block, **fields: Any) -> ForeignSpec:
    return ForeignSpec.of(blocks or (PRODUCT, SOFTMAX, MLP, PRODUCT), **fields)


def test_its_work_is_the_sum_of_its_parts() -> None:
    one = spec()
    assert one.macs == 2 * PRODUCT.macs + MLP.macs
    assert one.params == 2 * PRODUCT.params + MLP.params
    assert sorted(map(str, one.blocks())) == sorted(map(str, (PRODUCT, PRODUCT, SOFTMAX, MLP)))


def test_json_brings_back_an_equal_spec() -> None:
    one = spec(name="mine", inputs=(("x", (1, 3, 8, 8)),), digest="ab12")
    again = Spec.from_json(one.to_json())
    assert again == one and hash(again) == hash(one)
    assert isinstance(again, ForeignSpec) and again.batch == 1


def test_the_order_of_parts_does_not_matter_but_the_digest_does() -> None:
    assert spec(PRODUCT, SOFTMAX) == spec(SOFTMAX, PRODUCT)
    assert spec(digest="aa") != spec(digest="bb")


def test_a_source_is_neither_compared_nor_written() -> None:
    class Source:
        def onnx(self) -> bytes:
            return b""

        def module(self) -> None:
            return None

    assert spec(source=Source()) == spec()
    assert "source" not in json.loads(spec(source=Source()).to_json())


def rows(*row: int) -> dict[str, Any]:
    """Return parts of softmax kernels; a row has its dims and its count."""
    axes = ["rows", "columns", "inner", "swaps", "count"]
    return {"parts": {"kernel_softmax": {"axes": axes, "parts": [list(row)]}}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parts": {}}, "parts"),
        ({"parts": []}, "parts"),
        ({"parts": {"kernel_softmax": []}}, "kernel_softmax"),
        ({"parts": {"kernel_nothing": {"axes": ["count"], "parts": [[1]]}}}, "kernel_nothing"),
        (rows(1, 2), "5 numbers"),
        (rows(1, 2, 1, 1, 10**9), "count"),
        (rows(1, 0, 1, 1, 1), "columns"),
        ({"inputs": [1]}, "inputs"),
        ({"inputs": {"x": ["a"]}}, "input 'x'"),
        ({"digest": "../x"}, "digest"),
        ({"weights": 1}, "weights"),
    ],
)
def test_damaged_json_is_one_sentence(change: dict[str, Any], words: str) -> None:
    record = {**spec().to_dict(), **change}
    with pytest.raises(UserError, match=words):
        Spec.from_dict(record)


def test_it_knows_no_names_and_makes_no_module_of_a_graph() -> None:
    assert find_family("foreign").load("known")() == []
    with pytest.raises(UserError, match="is a graph"):
        create_model(spec(name="mine"))
