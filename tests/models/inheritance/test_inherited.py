"""Weights are inherited within families that know how."""

from __future__ import annotations

from vitprof.models import create_spec
from vitprof.models.inheritance.inherited import inherited


def test_other_families_are_refused(refused) -> None:
    with refused("'bert'"):
        inherited(create_spec("bert-tiny"), create_spec("bert-tiny"))
