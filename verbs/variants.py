"""`vitprof.variants`: what each choice of an architecture costs on a table's device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import UserError, did_you_mean
from ..progress import shown_wait
from ..quantities import Quantity, latency_ms
from .given_table import table_of
from .inputs import Path, spec_of

if TYPE_CHECKING:
    from ..models import Spec
    from ..tables import LatencyTable
    from ..tables.ablations.ablations import Variants
    from ..tables.speed import Speed

# What a family's variants are of, unless a model is given.
BASES = {"efficientvit": "efficientvit-m4"}


def variants(
    model: Path | Spec | None = None,
    table: Path | LatencyTable = "lut.csv",
    *,
    at: Speed | str | None = None,
    family: str | None = None,
    max_latency: Quantity | None = None,
    choices: str | Sequence[str] | None = None,
    sort: str = "latency",
    extrapolate: bool = False,
) -> Variants:
    """Rank a model's variants by predicted latency, and say what each choice costs.

    First every choice by itself, as an ablation table does; then every combination of the choices
    that the table covers.

    Args:
        model: The model to vary: a name, a spec's JSON file or a Spec (default: the family's).
        table: A table, or its file.
        at: State latencies at this speed of the table's machine: "undisturbed", "typical" or "p90"
            (default: the one that the table is stated at).
        family: Family of the variants (default: the model's, or efficientvit).
        max_latency: Keep combinations up to this latency: ms, or a text as "5ms" or "500us".
        choices: Combine only these choices, names or "width,depth" (default: all).
        sort: "latency" (the fastest first), "macs" or "params" (those with most).
        extrapolate: Answer outside the measured range too.

    Returns:
        The model, each single choice and the ranked combinations, with predicted ms.

    Raises:
        UserError: A family without listed variants, an unknown choice, or a table that does not
            cover the model.

    Example:
        >>> import vitprof
        >>> found = vitprof.variants("efficientvit-m4", "lut.csv")  # doctest: +SKIP
        >>> found.ranked[0].words, found.ranked[0].ms  # doctest: +SKIP
        ('depth=0.5, qk=8', 2.31)
    """
    from ..models.ablations import choices_of
    from ..tables.ablations.ablations import SORTS, rank_variants

    spec = spec_of(model) if model is not None else None
    family = family or (spec.family if spec else next(iter(BASES)))
    if family not in BASES:
        raise UserError(
            f"the variants of family '{family}' are not listed; known: {', '.join(BASES)}."
        )
    spec = spec or spec_of(BASES[family])
    if spec.family != family:
        raise UserError(f"{spec.name} is of the family '{spec.family}', not '{family}'.")
    if sort not in SORTS:
        raise UserError(f"`sort`: '{sort}' is not an order{did_you_mean(sort, SORTS)}.")
    wanted = None if choices is None else _names(choices, [c.name for c in choices_of(spec)])
    limit = None if max_latency is None else _limit(max_latency)
    with shown_wait("predicting every combination of the choices"):
        return rank_variants(table_of(table, at), spec, wanted, limit, sort, extrapolate)


def _limit(max_latency: Quantity) -> float:
    try:
        return latency_ms(max_latency)
    except UserError as error:
        raise UserError(f"`max_latency`: {error}") from None


def _names(choices: str | Sequence[str], known: Sequence[str]) -> list[str]:
    given = choices.split(",") if isinstance(choices, str) else choices
    names = [name.strip() for name in given if name.strip()]
    for name in names:
        if name not in known:
            raise UserError(
                f"`choices`: unknown choice '{name}'{did_you_mean(name, known)}; they are "
                f"{', '.join(known)}."
            )
    return names
