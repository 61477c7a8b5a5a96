"""Plans, random models and samples are those of every earlier version.

Tables, figures and fidelity stand on them: where one changes, docs/results/ are measured again. The
digests are of the version before there was a room `spaces/`; this file, run as a script, prints
those of now.
"""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import numpy as np
import pytest
from vitprof.models import Block, create_spec
from vitprof.spaces.candidates import Candidates
from vitprof.spaces.registry import find_search_space, slabs_class, with_merging, with_variants
from vitprof.spaces.slabs import MeasuringSpace
from vitprof.spaces.space import SearchSpace

# By what is measured: family, then model, grid and so on.
MEASURED = {
    "vit": ("vit", {}),
    "vit 384": ("vit", {"resolution": 384, "classes": 10}),
    "vit patch": ("vit", {"patch": 32}),
    "vit grid": ("vit", {"grid": "embed=192,384;attention.heads=1,3,6"}),
    "vit points": ("vit", {"points": 60}),
    "vit tokens": ("vit", {"grid": "tokens=50,197"}),
    "vit merging": ("vit", {"merging": True}),
    "vit merging tokens": ("vit", {"merging": True, "grid": "tokens=64,128,197"}),
    "deit-tiny": ("vit", {"model": "deit-tiny"}),
    "efficientvit": ("efficientvit", {}),
    "efficientvit 384": ("efficientvit", {"resolution": 384, "classes": 10}),
    "efficientvit-m0": ("efficientvit", {"model": "efficientvit-m0"}),
    "efficientvit variants": ("efficientvit", {"variants": "efficientvit-m4"}),
    "autovit": ("autovit", {}),
    "autovit 512": ("autovit", {"resolution": 512, "classes": 10}),
    "autovit grid": ("autovit", {"grid": "mobilevit.depth=2,3,5"}),
    "swin": ("swin", {}),
    "swin 448": ("swin", {"resolution": 448, "classes": 10}),
    "swin grid": ("swin", {"grid": "heads=1,2,4;window_attention.qk=16,24,32"}),
    "swin-tiny-revit": ("swin", {"model": "swin-tiny-revit"}),
    "vgg": ("vgg", {}),
    "vgg 32": ("vgg", {"resolution": 32, "classes": 10}),
    "vgg points": ("vgg", {"points": 70}),
    "vgg16-bn-cifar": ("vgg", {"model": "vgg16-bn-cifar"}),
    "bert": ("bert", {}),
    "bert tokens": ("bert", {"grid": "tokens=16,48;attention.heads=1,2"}),
    "bert-tiny": ("bert", {"model": "bert-tiny"}),
}
SEARCHED = (
    "autovit-xxs",
    "autovit-xs",
    "autovit-s",
    "autoformer-tiny",
    "autoformer-small",
    "autoformer-base",
    "efficientvit",
)
DIGESTS = {
    "vit": "4c17ec2876522435",
    "vit 384": "1f436e6f047ec084",
    "vit patch": "4edff7732c6d44a5",
    "vit grid": "5f4abf5cd52a5b02",
    "vit points": "32dffa1145c8935f",
    "vit tokens": "3b0dc6a43ab79215",
    "vit merging": "eda5bc364b62acb2",
    "vit merging tokens": "0c98539f2f90a0f6",
    "deit-tiny": "b8ba2e1d93c9229c",
    "efficientvit": "77eef2884f172620",
    "efficientvit 384": "16ad8648465b8b46",
    "efficientvit-m0": "0cf7d1a867f4ee4d",
    "efficientvit variants": "7f56a397fbd22a82",
    "autovit": "5991a303adc76ffa",
    "autovit 512": "56881c6eb6352d68",
    "autovit grid": "4f3626169f20a8e4",
    "swin": "f9ba0214624a22f9",
    "swin 448": "bca75a20603699d0",
    "swin grid": "240b876dc6272928",
    "swin-tiny-revit": "f5a3367c75f34908",
    "vgg": "a555edf5b62ee9f4",
    "vgg 32": "9aef22dbb7ea6a96",
    "vgg points": "213b8f04206f7470",
    "vgg16-bn-cifar": "6cf18956f5bd96ce",
    "bert": "f5435056eb2786da",
    "bert tokens": "e50f55c598132b60",
    "bert-tiny": "5bb4286df65e22bb",
    "space autovit-xxs": "53e1c68fa1b15434",
    "space autovit-xs": "f8131eaba5997c5b",
    "space autovit-s": "02b273bf92c9bdaf",
    "space autoformer-tiny": "cb15b534dfd92597",
    "space autoformer-small": "0aeb66a76ed4e05e",
    "space autoformer-base": "c7d29f55109d5b56",
    "space efficientvit": "f318cdf845a166d3",
}


def measured(family: str, options: dict[str, Any]) -> MeasuringSpace:
    given = dict(options)
    grid, points = given.pop("grid", ""), given.pop("points", None)
    merging, variants = given.pop("merging", False), given.pop("variants", None)
    model = given.pop("model", None)
    space: MeasuringSpace = slabs_class(family).create(model and create_spec(model), **given)
    if variants:
        space = with_variants(space, create_spec(variants))
    if merging:
        space = with_merging(space)
    space = space.with_levels(grid)
    return space.limited_to(points) if points else space


def as_json(blocks: list[Block]) -> list[Any]:
    return [[block.op, *map(list, block.dims)] for block in blocks]


def plan(space: MeasuringSpace) -> Any:
    """Return the blocks to measure, the whole models beside them and random ones to validate."""
    return {
        "blocks": as_json(space.blocks()),
        "to fit": space.models_to_fit,
        "models": [s.to_dict() for seed in (0, 1) for s in space.calibration_models(3, seed)],
        "random": [space.sample(random.Random(seed), "r").to_dict() for seed in range(5)],
    }


def candidates(space: Candidates) -> Any:
    """Return what a search draws, by seed."""
    rng = np.random.default_rng(0)
    first = space.sample(rng, 40)
    changed = space.mutated(first, rng)
    rows = [first, changed, space.crossed(first, changed, rng)]
    return {
        "genes": [[gene.name, list(gene.values), gene.block] for gene in space.genes],
        "count": space.count(),
        "ends": [space.smallest().tolist(), space.largest().tolist()],
        "rows": [population.tolist() for population in rows],
        "specs": [space.spec(row).to_dict() for row in changed[:5]],
    }


def searched(space: SearchSpace) -> Any:
    by_site = space.blocks_by_site(space.random_spec(random.Random(0), "r"))
    return {
        "fields": json.loads(json.dumps(space.to_dict())),
        "candidates": candidates(space),
        "sites": {name: as_json(blocks) for name, blocks in by_site.items()},
        "measured": plan(space.measured()),
    }


def digest(of: Any) -> str:
    return hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", MEASURED)
def test_what_is_measured_of_a_family_stays(name: str) -> None:
    assert digest(plan(measured(*MEASURED[name]))) == DIGESTS[name]


@pytest.mark.parametrize("name", SEARCHED)
def test_what_is_searched_and_measured_for_it_stays(name: str) -> None:
    assert digest(searched(find_search_space(name))) == DIGESTS[f"space {name}"]


if __name__ == "__main__":
    for own, given in MEASURED.items():
        print(f'    "{own}": "{digest(plan(measured(*given)))}",')
    for own in SEARCHED:
        print(f'    "space {own}": "{digest(searched(find_search_space(own)))}",')
