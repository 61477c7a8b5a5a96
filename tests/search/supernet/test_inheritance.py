"""What any subnet of a space inherits has its model's names and shapes."""

from __future__ import annotations

import numpy as np
import torch
from vitprof.models import create_model
from vitprof.models.inheritance.inherited import inherited
from vitprof.models.inheritance.slices import Slice


def test_names_and_shapes_are_those_of_the_subnets_model(space, check_inheritance) -> None:
    candidates = space.sample(np.random.default_rng(0), 12)
    for candidate in (space.smallest(), space.largest(), *candidates):
        check_inheritance(space.supernet_spec(), space.spec(candidate))


def test_a_supernet_inherits_itself_whole(space) -> None:
    spec = space.supernet_spec()
    with torch.device("meta"):
        sizes = {name: tuple(t.shape) for name, t in create_model(spec).state_dict().items()}
    for name, part in inherited(spec, spec).items():
        assert part == Slice(name, tuple(((0, size),) for size in sizes[name]))
        assert part.is_prefix
