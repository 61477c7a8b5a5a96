"""EfficientViT's Table 6 as specs: eleven rows, each what the paper says it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from vitprof.models import EfficientViTSpec, create_model, create_spec
from vitprof.models.ablations import single_variants
from vitprof.models.published_ablations import PublishedTable, published_table

M4 = create_spec("efficientvit-m4")


@pytest.fixture(scope="module")
def table() -> PublishedTable:
    return published_table("efficientvit")


@pytest.fixture(scope="module")
def specs(table: PublishedTable) -> list[EfficientViTSpec]:
    return [spec for spec in table.specs(M4) if isinstance(spec, EfficientViTSpec)]


def test_there_are_eleven_rows_and_the_first_is_m4(table: PublishedTable, specs) -> None:
    assert [row.number for row in table.rows] == list(range(1, 12))
    assert specs[0].blocks() == M4.blocks()
    assert len({tuple(spec.blocks()) for spec in specs}) == 11


def test_the_rows_hold_what_the_paper_says(table: PublishedTable, specs) -> None:
    """Section 4.4: CGA gives 5.9 % of ONNX speed, HSwish costs 20 % (19.4), and so on."""
    onnx = {row.number: row.cpu_images_per_s / table.rows[0].cpu_images_per_s for row in table.rows}
    gpu = {row.number: row.gpu_images_per_s / table.rows[0].gpu_images_per_s for row in table.rows}
    top1 = {row.number: row.top1 - table.rows[0].top1 for row in table.rows}
    assert 1 - onnx[5] == pytest.approx(0.059, abs=5e-4)
    assert 1 - onnx[11] == pytest.approx(0.20, abs=0.01)
    assert 1 - gpu[7] == pytest.approx(0.049, abs=5e-4)
    assert 1 - gpu[8] == pytest.approx(0.038, abs=5e-4)
    assert [round(top1[n], 1) for n in (2, 5, 7, 8, 9, 10, 11)] == [
        *(-3.0, -1.1, -1.4, -1.5, -1.4, -0.9),
        0.9,
    ]
    assert [stage.depth for stage in specs[1].stages] == [2, 2, 3]


def test_without_qkv_allocation_q_k_and_v_are_a_heads_share(specs) -> None:
    attentions = [block for block in specs[6].blocks() if block.op == "cga"]
    widths = [block["embed"] // block["heads"] for block in attentions]
    assert [b["qk"] for b in attentions] == [b["v"] for b in attentions] == widths
    assert widths == [32, 64, 64, 96, 96, 96]


@pytest.mark.parametrize("number", range(1, 12))
def test_a_rows_model_has_the_parameters_of_its_spec(specs, number: int) -> None:
    spec = specs[number - 1]
    with torch.device("meta"):
        model = create_model(spec)
    assert sum(p.numel() for p in model.parameters()) == spec.params


def test_what_ablations_measure_covers_every_row(specs) -> None:
    measured = {block for variant in single_variants(M4) for block in variant.spec.blocks()}
    assert all(block in measured for spec in specs for block in spec.blocks())


def test_a_family_without_a_table_is_refused(refused: Callable[..., object]) -> None:
    with refused("'swin'", "efficientvit"):
        published_table("swin")
