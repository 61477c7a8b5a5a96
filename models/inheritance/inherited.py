"""Which part of a supernet's weights a subnet has, as data; needs no torch.

A smaller layer's weights are W[:out, :in] of the largest one's, and a shallower stage is the first
layers of the deepest (Kong et al. 2025, section 3.4; Chen et al. 2021 (AutoFormer), section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import UserError
from ..families.autovit.inheritance import inherited_autovit
from ..families.autovit.spec import AutoViTSpec
from ..families.vit.inheritance import inherited_vit
from ..families.vit.spec import ViTSpec
from ..spec import Spec
from .slices import Slice

_FAMILIES: dict[type[Spec], Callable[[Any, Any], dict[str, Slice]]] = {
    ViTSpec: inherited_vit,
    AutoViTSpec: inherited_autovit,
}


def inherited(supernet: Spec, subnet: Spec) -> dict[str, Slice]:
    """Return, by the name of each parameter and buffer of the subnet's model, what it inherits.

    Names are those of `create_model(subnet).state_dict()`, sources those of the supernet's. Raises
    UserError naming the first thing in which the subnet does not fit: another family, a dim that is
    larger than the supernet's, or a field in which both have to agree.
    """
    if type(supernet) is not type(subnet):
        raise UserError(
            f"the subnet is of the family '{subnet.family}' and the supernet of "
            f"'{supernet.family}'; take a subnet of the supernet's space."
        )
    if type(supernet) not in _FAMILIES:
        known = ", ".join(sorted(spec.family for spec in _FAMILIES))
        raise UserError(
            f"weights of the family '{supernet.family}' are not inherited (those of {known} are)."
        )
    return _FAMILIES[type(supernet)](supernet, subnet)
