"""Eq. 1, counted by hand on a space of two layers."""

from __future__ import annotations

import pytest
from vitprof.search.supernet import sharing as module
from vitprof.search.supernet.sharing import sharing
from vitprof.spaces.registry import search_space_from_dict

VIT = {
    "family": "vit",
    "embed": [4, 8],
    "depth": [1, 2],
    "heads": [1, 2],
    "qk": 2,
    "mlp": [4, 8, 16],
    "resolution": 4,
    "patch": 2,
    "in_channels": 1,
    "classes": 3,
}


def test_a_vit_by_hand() -> None:
    found = sharing(search_space_from_dict(VIT, "the space"))

    def stem(d: int) -> int:
        return d * 4 + d + d + 5 * d  # patches of 2 x 2, bias, class token, positions

    def attention(d: int, h: int) -> int:
        return 2 * d + d * 6 * h + 6 * h + 2 * h * d + d

    def mlp(d: int, m: int) -> int:
        return 2 * d + d * m + m + m * d + d

    def classifier(d: int) -> int:
        return 2 * d + 3 * d + 3

    layer = [attention(d, h) for d in (4, 8) for h in (1, 2)]
    layer += [mlp(d, m) for d in (4, 8) for m in (4, 8, 16)]
    ends = [f(d) for f in (stem, classifier) for d in (4, 8)]
    assert found.candidates == 2 * len(layer) + len(ends) == 24
    assert found.apart == 2 * sum(layer) + sum(ends)
    assert found.stored == 2 * (attention(8, 2) + mlp(8, 16)) + stem(8) + classifier(8)
    assert found.efficiency == 1
    assert found.apart_over_stored == pytest.approx(found.apart / found.stored)


def test_an_autovits_blocks_are_one_wherever_they_run() -> None:
    space = search_space_from_dict(
        {
            "family": "autovit",
            "stem_width": 4,
            "pool_width": [8, 16],
            "stages": [1, 2],
            "mbconv": [{"width": 4, "depth": 1, "stride": 1}],
            "resolution": 16,
            "classes": 3,
            "transformer": [
                {"width": w, "depth": [1, 2], "heads": 1, "ratio": 1, "stride": s}
                for w, s in (([8, 12], 2), (12, 1))
            ],
        },
        "the space",
    )
    found = sharing(space)
    # Stem, MBConv, each stage's entry, layers of 2 widths x 2 depths, of 2 depths, 2 pools (the
    # number of stages before them makes none another), 2 classifiers.
    assert found.candidates == 1 + 1 + 1 + 4 + 1 + 2 + 2 + 2
    assert found.stored == space.supernet_spec().params


def test_a_space_with_one_model_shares_nothing() -> None:
    one = {k: v if isinstance(v, int | str) else v[-1] for k, v in VIT.items()}
    found = sharing(search_space_from_dict(one, "the space"))
    assert found.apart_over_stored == 1


def test_too_many_choices_are_not_counted(monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_COMBINATIONS", 11)
    assert sharing(search_space_from_dict(VIT, "the space")) is None
