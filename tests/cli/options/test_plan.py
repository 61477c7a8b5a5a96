"""What the options that say what to measure come to, before anything is measured."""

from __future__ import annotations

import zlib

import pytest
from vitprof.cli.options.plan import PlanWanted
from vitprof.models import Block, Spec, create_spec
from vitprof.models.ablations import single_variants
from vitprof.tables import LatencyTable, Row, Setting


@pytest.mark.parametrize(
    ("space", "models"),
    [("vit", 8), ("swin", 8), ("vgg", 8), ("efficientvit", 24), ("autovit", 24)],
)
def test_small_models_are_fitted_on_more_of_them(space: str, models: int) -> None:
    planned = PlanWanted(space=space).planned()
    assert len(planned.models) == models
    assert len({spec.name for spec in planned.models}) == models
    assert len(PlanWanted(space=space, whole_models=3).planned().models) == 3


def test_every_block_of_a_models_variants_is_measured_as_it_is(setting: Setting) -> None:
    """No block's cost follows from others', and yet single variants cost what their blocks do."""

    def cost(block: Block) -> float:
        return 1 + zlib.crc32(str(block).encode()) / 2**32

    model = create_spec("efficientvit-m4")
    wanted = PlanWanted(space="efficientvit", variants="efficientvit-m4", whole_models=0)
    subjects = [point.subject for point in wanted.planned().plan().points]
    blocks = [subject for subject in subjects if not isinstance(subject, Spec)]
    assert len(set(blocks)) == len(blocks)
    table = LatencyTable([Row(block, latency_ms=cost(block)) for block in blocks], setting)
    variants = list(single_variants(model))
    assert len(variants) > 15
    for variant in variants:
        own = sum(map(cost, variant.spec.blocks()))
        assert table.predict(variant.spec).ms == pytest.approx(own)
