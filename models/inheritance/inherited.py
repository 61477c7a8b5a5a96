"""Which part of a supernet's weights a subnet has, as data; needs no torch.

A smaller layer's weights are W[:out, :in] of the largest one's, and a shallower stage is the first
layers of the deepest (Kong et al. 2025, section 3.4; Chen et al. 2021 (AutoFormer), section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable

from ...errors import UserError
from ..families.registry import families_with, find_of
from ..spec import Spec
from .slices import Slice


def inherited(supernet: Spec, subnet: Spec) -> dict[str, Slice]:
    """Return, by the name of each parameter and buffer of the subnet's model, what it inherits.

    Names are those of `create_model(subnet).state_dict()`, sources those of the supernet's. Raises
    UserError naming the first thing in which the subnet does not fit: another family, a dim that is
    larger than the supernet's, or a field in which both have to agree.
    """
    if type(supernet) is not type(subnet):
        raise UserError(
            f"the subnet is of the family '{subnet.family}' and the supernet of "
            f"'{supernet.family}'; use a subnet of the supernet's space."
        )
    find: Callable[[Spec, Spec], dict[str, Slice]] | None = find_of(supernet.family, "inherited")
    if find is None:
        known = ", ".join(sorted(families_with("inherited")))
        raise UserError(
            f"weights of the family '{supernet.family}' are not inherited (those of {known} are)."
        )
    return find(supernet, subnet)
