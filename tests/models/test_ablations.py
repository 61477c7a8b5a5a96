"""Variants are specs that differ in just what they say."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from vitprof.models import create_spec
from vitprof.models.ablations import all_variants, choices_of, single_variants

M4 = create_spec("efficientvit-m4")


def test_the_first_is_the_model_and_no_other_equals_it() -> None:
    first, *others = single_variants(M4)
    assert first.spec == M4
    assert first.words == "as it is"
    blocks = {tuple(first.spec.blocks())}
    for variant in others:
        assert tuple(variant.spec.blocks()) not in blocks, variant.words
        blocks.add(tuple(variant.spec.blocks()))


def test_every_ablation_of_the_paper_is_among_them() -> None:
    """Table 6 and Fig. 7."""
    words = {variant.words for variant in single_variants(M4)}
    assert words >= {
        "ffns=swin",
        "ffns=2",
        "ffns=3",
        "attention=mhsa",
        "attention=cga without cascade",
        "ffn_ratio=4.0",
        "dwconv=no",
        "norm=layer",
        "activation=hardswish",
        "activation=gelu",
        *(f"qk={qk}" for qk in (4, 8, 32, "C/h")),
        *(f"v_ratio={v}" for v in (0.4, 0.6, 0.8, 1.2)),
    }


def test_a_variant_changes_its_fields_and_its_name_only() -> None:
    by_words = {variant.words: variant.spec for variant in single_variants(M4)}
    changed = by_words["attention=mhsa"]
    own, other = dataclasses.asdict(M4), dataclasses.asdict(changed)
    assert {key for key in own if own[key] != other[key]} == {"name", "attention", "cascade"}


def test_widths_stay_multiples_that_heads_divide() -> None:
    by_words = {variant.words: variant.spec for variant in single_variants(M4)}
    for stage, own in zip(by_words["width=0.5"].stages, M4.stages, strict=True):
        assert stage.embed == own.embed // 2
        assert stage.embed % (8 * stage.heads) == 0


def test_queries_as_wide_as_a_heads_share_stay_so_in_a_narrower_model() -> None:
    (variant,) = all_variants(M4, {"qk": ["C/h"], "width": ["0.5"]})
    attentions = [block for block in variant.spec.blocks() if block.op == "cga"]
    assert [b["qk"] for b in attentions] == [b["embed"] // b["heads"] for b in attentions]


def test_combinations_are_the_product() -> None:
    options = {"qk": ["8", "16"], "norm": ["batch", "layer"], "depth": ["1.0"]}
    found = list(all_variants(M4, options))
    assert [variant.changed for variant in found] == [
        {"qk": "8"},
        {"qk": "8", "norm": "layer"},
        {},
        {"norm": "layer"},
    ]


def test_a_family_without_choices_is_refused(refused: Callable[..., object]) -> None:
    with refused("deit-tiny", "family 'vit'"):
        choices_of(create_spec("deit-tiny"))
