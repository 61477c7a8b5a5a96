"""The suite of a family: a toy of another wheel, and what is broken in it, told one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from vitprof.models.families.registry import find_family
from vitprof.profiler.conformance.family import PROMISES, check_family

pytestmark = pytest.mark.slow

Install = Callable[..., Any]

SPACE = "    makes = ToySpec\n"

# A promise, a text of the toy, and what is written instead of it.
BREAKING = [
    (
        "every place of its record is there",
        'rename="toy_modules:with_bare_names"',
        'rename="toy_modules:nothing"',
    ),
    ("it knows models by name, each by one of its own", 'name="toy-large"', 'name="toy-small"'),
    (
        "a spec is the same after JSON",
        "return cls(**record)",
        "return cls(**record | {'depth': 3})",
    ),
    (
        "a spec is hashable and cannot be changed",
        "    depth: int = 2\n",
        "    depth: int = 2\n    __hash__ = None\n",
    ),
    (
        "every block is of an op that is known, and has a module",
        '"toy_mixer":',
        '"toy_missing": None, "toy_mixer":',
    ),
    ("a block maps its input's shape to its output's", 'block["reach"] // 2)', "0)"),
    (
        "a block follows on the one before it",
        "[stem, *[mixer] * self.depth, head]",
        "[head, *[mixer] * self.depth, stem]",
    ),
    (
        "a block's params are its module's",
        'lambda d: 3 * d["out_channels"],',
        'lambda d: 4 * d["out_channels"],',
    ),
    (
        "a block's macs are those of its products and convolutions",
        '3 * d["out_channels"] * d["resolution"] ** 2',
        '4 * d["out_channels"] * d["resolution"] ** 2',
    ),
    (
        "a model is a SpecModel of its spec, in eval mode",
        "super().__init__(spec)",
        'super().__init__(type(spec)(name="other"))\n        spec = spec',
    ),
    (
        "a model's params are the sum of its blocks'",
        "        self.steps =",
        "        self.more = nn.Linear(2, 2)\n        self.steps =",
    ),
    (
        "a model's macs are the sum of its blocks'",
        "return self.steps(images)",
        "return self.steps(images) + 0 * self.steps(images)",
    ),
    (
        "a model is the chain of its blocks",
        "return list(self.steps)",
        "return list(self.steps)[1:]",
    ),
    (
        "a space's smallest, largest and random models are models of the family",
        'int(values["width"]), ',
        '64 - int(values["width"]), ',
    ),
    (
        "a space's candidates and their values are one to one",
        SPACE,
        SPACE + "    def values_of(self, candidate): return {'width': 8, 'depth': 1}\n",
    ),
    (
        "a space's sites have the blocks of its models",
        SPACE,
        SPACE + "    def sites(self): return [1]\n",
    ),
    (
        "what is measured of it covers its random models",
        SPACE,
        SPACE + "    @classmethod\n    def slabs(cls):\n"
        "        made = super().slabs()\n"
        "        made.sample = lambda self, rng, name: ToySpec(name=name, width=4096)\n"
        "        return made\n",
    ),
    (
        "what is measured of a space has every block that its models have",
        SPACE,
        SPACE + "    def random_spec(self, rng, name): return ToySpec(name=name, width=4096)\n",
    ),
]


def test_every_promise_can_be_broken() -> None:
    assert [promise for promise, *_ in BREAKING] == list(PROMISES._checks)


@pytest.mark.slow
def test_our_own_keep_every_promise() -> None:
    for name in ("vit", "vgg"):
        assert [one for one in check_family(find_family(name)) if one.answer != "ok"] == []


def test_a_toy_keeps_every_promise(install_toy: Install) -> None:
    install_toy()
    assert [one for one in check_family(find_family("toy")) if one.answer != "ok"] == []


@pytest.mark.parametrize(("promise", "old", "new"), BREAKING)
def test_what_is_broken_is_told(promise: str, old: str, new: str, install_toy: Install) -> None:
    install_toy((old, new))
    checked = {one.promise: one for one in check_family(find_family("toy"))}
    assert checked[promise].answer == "broken", checked
    assert checked[promise].why
