"""Closed forms that were traced count what the ops themselves count."""

from __future__ import annotations

from typing import Any

import pytest
from vitprof.models import OPS, Block, create_spec, spec_names
from vitprof.verbs.report_page.closed_forms import forms_of, traced


def evaluated(form: Any, dims: dict[str, int]) -> int:
    if isinstance(form, int):
        return form
    if isinstance(form, str):
        return dims[form]
    sign, left, right = form
    a, b = evaluated(left, dims), evaluated(right, dims)
    return {
        "+": lambda: a + b,
        "-": lambda: a - b,
        "*": lambda: a * b,
        "//": lambda: a // b,
        "**": lambda: a**b,
    }[sign]()


def blocks_of_known_models() -> list[Block]:
    blocks = {block for name in spec_names() for block in create_spec(name).blocks()}
    return sorted(blocks, key=str)


@pytest.mark.parametrize("op", sorted({block.op for block in blocks_of_known_models()}))
def test_forms_count_what_the_op_counts(op: str) -> None:
    definition = OPS[op]
    for block in blocks_of_known_models():
        if block.op != op:
            continue
        dims = dict(block.as_dict())
        forms = forms_of(definition, {axis: dims[axis] for axis in definition.fixed})
        # Other widths than those at which it was traced.
        for more in (0, 8):
            wider = {a: v if a in definition.fixed else v + more for a, v in dims.items()}
            assert evaluated(forms["macs"], wider) == definition.macs(wider)
            assert evaluated(forms["params"], wider) == definition.params(wider)
            assert evaluated(forms["read"], wider) == definition.params_read(wider)


@pytest.mark.parametrize("op", sorted(OPS))
def test_every_op_of_ours_is_traced_without_its_kinds_alone(op: str) -> None:
    definition = OPS[op]
    of_kind = dict.fromkeys(definition.fixed, 1)
    assert None not in forms_of(definition, of_kind).values()


@pytest.mark.parametrize(
    "branching",
    [
        lambda d: d["embed"] if d["embed"] > 4 else 1,
        lambda d: max(d["embed"], d["mlp"]),
        lambda d: round(d["embed"] / 3),
        lambda d: 7 if d["embed"] == 8 else 1,
        lambda d: 1.5 * d["embed"],
    ],
)
def test_what_branches_on_a_width_is_not_traced(branching: Any) -> None:
    assert traced(branching, OPS["mlp"], {}) is None
