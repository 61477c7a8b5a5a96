"""Open sizes of an exported program, such as its batch, bound to numbers before it is loaded.

torch evaluates the expressions of sizes when it loads a program. Here they are computed from the
JSON by a small grammar of their own, and numbers are put in their places, so that torch is given
none.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import UserError
from ...models.checks import shown
from ..shapes import Shapes

_LONGEST = 1000
_FUNCTIONS: Mapping[str, Callable[[list[int]], int]] = {
    "Add": sum,
    "Mul": math.prod,
    "Min": min,
    "Max": max,
}
LARGEST_SIZE = 2**31


@dataclass(frozen=True)
class _Input:
    """An input of a program: each of its sizes as a number or as the text of an expression."""

    name: str
    sizes: tuple[int | str, ...]


def has_open_sizes(program: Mapping[str, Any]) -> bool:
    """Whether a program (models/model.json of its archive) has sizes that are not numbers."""
    return any(True for _ in _expressions(program))


def bind_sizes(program: dict[str, Any], shapes: Shapes | None, batch: int) -> list[tuple[int, ...]]:
    """Put numbers in the place of all open sizes; return the shapes of the inputs.

    The first size of an input is `batch`, others are as `shapes` gives them by the names `input`,
    `input_1`, … or the program's own. Raises UserError for a size that neither says, and for one
    that is not computed of whole numbers by what is listed here.
    """
    inputs = _inputs_of(program)
    symbols = _symbols(inputs, shapes, batch)
    for holder in list(_expressions(program)):
        found = _value(holder["as_expr"]["expr_str"], symbols)
        holder.clear()
        holder["as_int"] = found
    # Conditions on what is no longer open; torch would run them as code.
    program["guards_code"] = []
    program["range_constraints"] = {}
    return [
        tuple(size if isinstance(size, int) else _value(size, symbols) for size in one.sizes)
        for one in inputs
    ]


def _expressions(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object that stands for an open size."""
    if isinstance(value, dict):
        expression = value.get("as_expr")
        if isinstance(expression, dict) and "expr_str" in expression:
            yield value
        else:
            for inner in value.values():
                yield from _expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _expressions(inner)


def _inputs_of(program: Mapping[str, Any]) -> list[_Input]:
    module = program["graph_module"]
    tensors = module["graph"]["tensor_values"]
    found = []
    for one in module["signature"]["input_specs"]:
        argument = one.get("user_input", {}).get("arg", {}).get("as_tensor")
        if argument is None:
            continue
        name = argument["name"]
        sizes = tuple(
            size["as_int"] if "as_int" in size else size["as_expr"]["expr_str"]
            for size in tensors[name]["sizes"]
        )
        found.append(_Input(name, sizes))
    return found


def _symbols(inputs: list[_Input], shapes: Shapes | None, batch: int) -> dict[str, int]:
    """Return what each symbol stands for: what is given counts, then the batch."""
    found: dict[str, int] = {}
    for name, one in _called(inputs):
        given = (shapes or {}).get(one.name, (shapes or {}).get(name))
        if given is not None:
            _bind_given(one, given, found)
    for name, one in _called(inputs):
        for axis, size in enumerate(one.sizes):
            if isinstance(size, int):
                continue
            symbol = _symbol(size)
            if axis == 0:
                found.setdefault(symbol, batch)
            if symbol not in found:
                raise UserError(
                    f"leaves the size at axis {axis} of its input {shown(one.name)} open; give "
                    f"all sizes of it by `shapes` ({name}=…)."
                )
    return found


def _called(inputs: list[_Input]) -> Iterator[tuple[str, _Input]]:
    """Yield the inputs with the names that a source gives them."""
    for number, one in enumerate(inputs):
        yield f"input_{number}" if number else "input", one


def _bind_given(one: _Input, given: Sequence[int], found: dict[str, int]) -> None:
    if len(given) != len(one.sizes):
        raise UserError(
            f"has the input {shown(one.name)} of {len(one.sizes)} sizes, and `shapes` gives "
            f"{len(given)}."
        )
    for axis, (size, wanted) in enumerate(zip(one.sizes, given, strict=True)):
        if isinstance(size, int):
            if size != wanted:
                raise UserError(
                    f"has the fixed size {size} at axis {axis} of its input {shown(one.name)}, "
                    f"and `shapes` gives {wanted}."
                )
            continue
        known = found.setdefault(_symbol(size), wanted)
        if known != wanted:
            raise UserError(
                f"has one open size at two places, and {known} and {wanted} are given for it."
            )


def _symbol(expression: str) -> str:
    """Return the name of an expression that is one symbol."""
    found = _parsed(expression)
    if not isinstance(found, ast.Call) or _function(found) != "Symbol":
        raise UserError(f"has an input of the open size {shown(expression)}, not of a symbol.")
    return _name(found)


def _value(expression: str, symbols: Mapping[str, int]) -> int:
    found = _computed(_parsed(expression), symbols)
    if not 0 <= found <= LARGEST_SIZE:
        raise UserError(f"has a size that would be {found}; give another batch or other shapes.")
    return found


def _parsed(expression: object) -> ast.expr:
    if not isinstance(expression, str) or len(expression) > _LONGEST:
        raise _unknown(expression)
    try:
        return ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _unknown(expression) from None


def _computed(node: ast.expr, symbols: Mapping[str, int]) -> int:
    """Return the value of an expression as sympy.srepr writes it."""
    if not isinstance(node, ast.Call):
        raise _unknown(ast.unparse(node))
    function = _function(node)
    if function == "Symbol":
        name = _name(node)
        if name not in symbols:
            raise UserError(f"has the open size {shown(name)}, which is of no input; refused.")
        return symbols[name]
    if function == "Integer" and not node.keywords and len(node.args) == 1:
        return _whole(node.args[0])
    if function in _FUNCTIONS and node.args and not node.keywords:
        return _FUNCTIONS[function]([_computed(one, symbols) for one in node.args])
    if function in {"FloorDiv", "Mod"} and len(node.args) == 2 and not node.keywords:
        left, right = (_computed(one, symbols) for one in node.args)
        if right > 0:
            return left // right if function == "FloorDiv" else left % right
    raise _unknown(ast.unparse(node))


def _function(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _name(node: ast.Call) -> str:
    given = node.args[0] if len(node.args) == 1 else None
    if not isinstance(given, ast.Constant) or not isinstance(given.value, str):
        raise _unknown(ast.unparse(node))
    return given.value


def _whole(node: ast.expr) -> int:
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    if not isinstance(node, ast.Constant) or type(node.value) is not int:
        raise _unknown(ast.unparse(node))
    return sign * node.value


def _unknown(expression: object) -> UserError:
    return UserError(
        f"has a size {shown(str(expression)[:80])}, which is not computed of whole numbers; "
        "export it with fixed shapes."
    )
