"""What a method of pruning promises, as far as it can be seen without pruning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from ..errors import UserError
from ..models.structures.structure import Kind
from ..option_fields import option_fields
from ..promises import Checked, Promises, demand, demand_error
from .methods import Method

PROMISES: Promises[Method[Any]] = Promises()


def check_method(method: Method[Any]) -> Iterator[Checked]:
    """Check every promise of a method."""
    return PROMISES.checked(method)


@PROMISES("it says in half a sentence what it does")
def _(method: Method[Any]) -> None:
    fine = isinstance(method.help, str) and method.help.strip() and "\n" not in method.help
    demand(fine, f"its help is {method.help!r:.80}")


@PROMISES("it takes units of structures that are known")
def _(method: Method[Any]) -> None:
    known = get_args(Kind)
    strange = [kind for kind in method.kinds if kind not in known]
    demand(method.kinds, "it takes none")
    demand(not strange, f"{', '.join(strange)} is none of {', '.join(known)}")


@PROMISES("its options have defaults that it takes")
def _(method: Method[Any]) -> None:
    options, training = method.taken({}, "a model")
    for field in option_fields(method.Options):
        demand(hasattr(options, field.name), f"its options lack {field.name}")
    demand((training is None) == (method.training is None), "it trains otherwise than it says")


@PROMISES("an unknown option is refused by a UserError")
def _(method: Method[Any]) -> None:
    demand_error(
        UserError, lambda: method.taken({"no_such_option": 1}, "a model"), "an unknown option"
    )


@PROMISES("an unknown score is refused by a UserError, and the first is the default")
def _(method: Method[Any]) -> None:
    demand_error(UserError, lambda: method.score("no-such-score"), "an unknown score")
    demand(method.score(None) == (method.scores or ("",))[0], "the default is another")


@PROMISES("what it does not prune is refused by a UserError")
def _(method: Method[Any]) -> None:
    from ..models import create_spec

    spec = create_spec("vit-micro-8")
    demand_error(UserError, lambda: method.check_kinds(spec, ()), "a model without structures")
