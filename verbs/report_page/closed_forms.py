"""An op's closed forms as data: traced once in Python, evaluated in the page.

So MACs and parameters are written down in one place only. A form is a number, the name of an axis,
or [operator, left, right].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...models.ops import Op

Form = int | str | list[Any]


def _noting(sign: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the two methods of an operator: with the axis on its left, and on its right."""

    def left(self: Any, other: object) -> Any:
        return _Traced([sign, self.form, _form_of(other)])

    def right(self: Any, other: object) -> Any:
        return _Traced([sign, _form_of(other), self.form])

    return left, right


class _Traced:
    """What a closed form makes of an axis: it notes each operation in place of computing it.

    Anything else that a form may do to a number (compare it, round it) raises TypeError.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, form: Form) -> None:
        self.form = form

    def __bool__(self) -> bool:
        raise TypeError("a closed form that branches on a width is not traced")

    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = lambda self, _: bool(self)

    def __neg__(self) -> _Traced:
        return _Traced(["-", 0, self.form])

    def __pow__(self, power: int) -> _Traced:
        return _Traced(["**", self.form, power])

    __add__, __radd__ = _noting("+")
    __sub__, __rsub__ = _noting("-")
    __mul__, __rmul__ = _noting("*")
    __floordiv__, __rfloordiv__ = _noting("//")


def _form_of(value: object) -> Form:
    if isinstance(value, _Traced):
        return value.form
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise TypeError(f"{type(value).__name__} is not part of a closed form")


def traced(function: Callable[[Any], Any], op: Op, kinds: Mapping[str, int]) -> Form | None:
    """Return a closed form of an op over its axes; None where it is none of + - * // and powers.

    kinds: the values of the axes that are `fixed`, on which a form may branch.
    """
    dims = {axis: kinds.get(axis, _Traced(axis)) for axis in op.axes}
    try:
        return _form_of(function(dims))
    except (TypeError, AttributeError):
        return None


def forms_of(op: Op, kinds: Mapping[str, int]) -> dict[str, Form | None]:
    """Return what blocks of a kind count: MACs of an image, weights, and weights that a run reads.

    All None for another tool's op whose forms nobody knows.
    """
    forms = {"macs": op.macs, "params": op.params, "read": op.params_read}
    if not op.counted:
        return dict.fromkeys(forms)
    return {name: traced(function, op, kinds) for name, function in forms.items()}
