"""Each format: what its entries become, and that nothing is dropped or made up on the way."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof import UserError
from vitprof.models import Block, ViTLayer, ViTSpec
from vitprof.tables import LatencyTable
from vitprof.tables.importers import FORMATS, import_table
from vitprof.tables.whole_layers import as_whole_layers

FileOf = Callable[..., Path]

WANTED = {
    "nnmeter": {
        Block.of(
            "nnmeter_firstconv", resolution=128, in_channels=3, out_channels=16, stride=2, kernel=3
        ): 0.5,
        Block.of(
            "nnmeter_conv",
            resolution=64,
            in_channels=16,
            out_channels=24,
            expansion=4,
            stride=2,
            kernel=5,
            squeeze_excite=2,
        ): 0.25,
        Block.of(
            "nnmeter_conv",
            resolution=64,
            in_channels=16,
            out_channels=24,
            expansion=4,
            stride=2,
            kernel=5,
            squeeze_excite=1,
        ): 0.125,
        Block.of(
            "nnmeter_transds", resolution=16, in_channels=48, out_channels=56, stride=2, expansion=4
        ): 0.375,
        Block.of("nnmeter_transattn", resolution=16, embed=48, expansion=2): 1.5,
        Block.of("nnmeter_transffn", resolution=16, embed=48, expansion=2): 0.75,
        Block.of(
            "nnmeter_mbpool", resolution=2, in_channels=160, out_channels=1984, expansion=6
        ): 0.8125,
    },
    "ofa": {
        Block.of(
            "ofa_pool", resolution=7, in_channels=1152, out_channels=1152, out_resolution=1
        ): 0.5,
        Block.of(
            "ofa_conv", resolution=224, in_channels=3, out_channels=24, out_resolution=112, place=1
        ): 1.0,
        Block.of(
            "ofa_conv", resolution=1, in_channels=1152, out_channels=1536, out_resolution=1, place=3
        ): 0.75,
        Block.of("ofa_logits", in_channels=1536, classes=1000): 0.625,
        Block.of(
            "ofa_block",
            resolution=112,
            in_channels=24,
            out_channels=32,
            out_resolution=56,
            expanded=72,
            kernel=5,
            stride=2,
            skip=1,
            squeeze_excite=2,
            hard_swish=1,
        ): 2.0,
    },
    "neusight": {
        Block.of("linear", matrices=1, rows=8, columns=16, inner=32): 0.3,
        Block.of("linear", matrices=1, rows=8, columns=16, inner=64): 0.75,
    },
}


@pytest.mark.parametrize("kind", list(WANTED))
def test_every_entry_becomes_its_row(kind: str, file_of: FileOf, tmp_path: Path) -> None:
    found = import_table(kind, file_of(kind), device="some-phone", unit="ms")
    assert {row.subject: row.latency_ms for row in found.table.rows} == pytest.approx(WANTED[kind])
    assert found.unknown == []
    assert {row.verdict for row in found.table.rows} == {"imported"}
    found.table.to_csv(tmp_path / "lut.csv")
    again = LatencyTable.read_csv(tmp_path / "lut.csv")
    assert {row.subject: row.latency_ms for row in again.rows} == pytest.approx(WANTED[kind])
    assert again.setting.device == "some-phone"
    assert again.setting.backend == "imported"
    assert again.header.imported[0]["file"] == file_of(kind).name
    assert len(again.header.imported[0]["sha256"]) == 64


def test_what_stands_there_twice_in_neusight_is_told(file_of: FileOf) -> None:
    found = import_table("neusight", file_of("neusight"))
    assert found.repeated == ["linear(matrices=1, rows=8, columns=16, inner=32)"]
    assert found.table.setting.device == "Some GPU"


def test_the_macs_of_a_product_are_counted_and_others_not_made_up(
    file_of: FileOf, tmp_path: Path
) -> None:
    table = import_table("neusight", file_of("neusight")).table
    assert table.rows[0].subject.macs == 8 * 16 * 32
    import_table("nnmeter", file_of("nnmeter"), "p", unit="ms").table.to_csv(tmp_path / "lut.csv")
    frame = LatencyTable.read_csv(tmp_path / "lut.csv").to_frame()
    assert frame["macs"].isna().all()
    assert frame["params"].isna().all()


def test_unknown_keys_are_listed(file_of: FileOf) -> None:
    values = {"transffn_16_48_2_hard_swish_ln": 1.0, "transffn_16_48_2_relu_ln": 2.0, "x": 3}
    found = import_table("nnmeter", file_of("nnmeter", json.dumps(values)), "p", unit="ms")
    assert found.unknown == ["transffn_16_48_2_relu_ln", "x"]
    assert found.table.header.imported[0]["unknown_keys"] == 2
    text = (
        "Conv-input:8x8x3-output:4x4x8: {count: 1, mean: 1.0, std: 0, worst: 3}\nDense-1: {mean: 2}"
    )
    found = import_table("ofa", file_of("ofa", text), "p")
    assert found.unknown == ["Conv-input:8x8x3-output:4x4x8: worst", "Dense-1"]


# --- whole layers ---------------------------------------------------------------------------------


def spec_of(embed: int, heads: int, mlp: int, depth: int = 2) -> ViTSpec:
    layers = (ViTLayer(heads, 16, 16, mlp),) * depth
    return ViTSpec(embed=embed, layers=layers, patch=4, resolution=8, in_channels=1, classes=10)


def nvit_ms(embed: int, heads: int, mlp: int) -> float:
    return embed * (64 * heads + mlp) / 1e5


@pytest.fixture
def nvit(nvit_file: Path) -> LatencyTable:
    return import_table("nvit", nvit_file, "some-gpu", tokens=5, unit="ms").table


@pytest.mark.parametrize(("embed", "heads", "mlp"), [(64, 1, 256), (128, 2, 256), (96, 2, 128)])
def test_a_vit_is_predicted_from_whole_layers(nvit, embed, heads, mlp) -> None:
    spec = spec_of(embed, heads, mlp)
    with pytest.raises(UserError, match=r"no 'patch_embed', 'classifier' block.*`partial`"):
        nvit.predict(spec)
    answer = nvit.predict(spec, partial=True)
    assert answer.ms == pytest.approx(2 * nvit_ms(embed, heads, mlp))
    assert [block.op for block in answer.missing] == ["patch_embed", "classifier"]
    assert "imported from NViT" in answer.how
    assert math.isnan(answer.low_ms)
    assert math.isnan(answer.high_ms)


def test_a_layer_without_mlp_is_nvits_mlp_1(nvit) -> None:
    spec = spec_of(64, 1, 0)
    assert nvit.predict(spec, partial=True).ms == pytest.approx(2 * nvit_ms(64, 1, 1))


def test_a_model_of_which_nothing_is_there_is_refused_even_in_part(file_of: FileOf) -> None:
    table = import_table("neusight", file_of("neusight")).table
    with pytest.raises(UserError, match="none of the model is left"):
        table.predict(spec_of(64, 1, 256), partial=True)


def test_own_tables_keep_attention_and_mlp_apart(vit_table, small_vit) -> None:
    answer = vit_table.predict(small_vit())
    assert answer.missing == []
    assert set(answer.by_op) == {"patch_embed", "attention", "mlp", "classifier"}


@given(layers=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6))
def test_every_block_is_in_one_layer_or_left_as_it_is(layers) -> None:
    kept = [(heads, mlp) for heads, mlp in layers if heads or mlp]
    blocks = []
    for heads, mlp in kept:
        if heads:
            blocks.append(Block.of("attention", embed=8, heads=heads, qk=4, v=4, tokens=5))
        if mlp:
            blocks.append(Block.of("mlp", embed=8, mlp=8 * mlp, tokens=5))
    joined = as_whole_layers(blocks)
    attentions = sum(block.op == "attention" for block in blocks)
    assert sum(block.op == "layer" for block in joined) == attentions
    assert not any(block.op == "attention" for block in joined)
    mlps = [b["mlp"] for b in joined if b.op == "mlp" or b["mlp"] != 1]
    assert mlps == [b["mlp"] for b in blocks if b.op == "mlp"]


# --- bad files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("nnmeter", '{"transffn_16_48_2_hard_swish_ln": 0}', ["transffn_16", "is 0", "above 0"]),
        ("nnmeter", '{"transffn_16_48_2_hard_swish_ln": -1}', ["is -1"]),
        ("nnmeter", '{"transffn_16_48_2_hard_swish_ln": NaN}', ["NaN is not a number"]),
        ("nnmeter", '{"transffn_16_48_2_hard_swish_ln": 1e999}', ["'1e999'", "64 bits"]),
        ("nnmeter", '{"transffn_16_48_2_hard_swish_ln": "x"}', ["'x'"]),
        ("nnmeter", '{"transffn_16_48_2_hard_swish_ln": true}', ["True"]),
        ("nnmeter", '{"transffn_a": 1, "transffn_a": 2}', ["'transffn_a' is given twice"]),
        ("nnmeter", '{"transffn_a": 1}', ["no entry that `kind` nnmeter knows"]),
        ("nnmeter", '{"transffn_', ["not valid JSON"]),
        ("nnmeter", "[" * 100000, ["the depth is 65", "VITPROF_DEEPEST"]),
        ("nnmeter", '["transattn_"]', ["not a JSON object"]),
        ("nnmeter", "", ["is empty"]),
        ("ofa", "Conv-input:8x8x3-output:4x4x8: 1.5", ["has no mean"]),
        ("ofa", "Conv-input:8x8x3-output:4x4x8: {mean: 0}", ["mean is 0"]),
        ("ofa", "Conv-input:8x8x3-output:4x4x8: {mean: fast}", ["'fast'"]),
        ("ofa", "Conv-input:a: {mean: 1}\nConv-input:a: {mean: 2}", ["line 2", "appears twice"]),
        ("ofa", "Conv-input: !!python/object/apply:os.system [ls]", ["line 1", "tags"]),
        ("ofa", "Conv-input:\n  a: &x {mean: 1}\n  b: *x", ["aliases"]),
        ("ofa", "Conv-input: [", ["not valid YAML"]),
        ("ofa", "- Conv-input:", ["not a mapping"]),
        ("nvit", '{"EMB_64": 3}', ["EMB_64", "QK_"]),
        ("nvit", '{"EMB_64": {"QK_1_16": {"V_16": {"MLP_8": 0}}}}', ["MLP_8", "is 0"]),
        ("nvit", '{"EMB_64": {"QK_1_16": {"V_16": {"MLP_8": {}}}}}', ["above 0"]),
        ("neusight", "OPName,Latency\nlinear,1", ["column 'Device' is missing"]),
        ("neusight", "OPName,Latency,Device,B,M,N,K\nlinear,x,G,1,8,16,32", ["line 2", "'x'"]),
        ("neusight", "OPName,Latency,Device,B,M,N,K\nlinear,1,G,1,0,16,32", ["line 2: M", "'0'"]),
        ("neusight", "OPName,Latency,Device,B,M,N,K\nlinear,1,G,1", ["line 2", "fields"]),
    ],
)
def test_a_damaged_file_is_one_sentence_with_its_place(
    kind: str, text: str, words: list[str], file_of: FileOf
) -> None:
    path = file_of(kind, text)
    with pytest.raises(UserError) as caught:
        import_table(kind, path, "p")
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 600
    for word in words:
        assert word in message


@pytest.mark.parametrize("kind", list(FORMATS))
def test_a_file_of_another_format_is_recognised(kind: str, file_of: FileOf) -> None:
    for other in FORMATS:
        if other != kind:
            with pytest.raises(UserError, match=f"use `kind` {other}"):
                import_table(kind, file_of(other), "p")


def test_what_is_not_there_is_refused(file_of: FileOf, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        import_table("ofa", tmp_path / "nothing.yaml", "p")
    with pytest.raises(UserError, match="is a folder"):
        import_table("ofa", tmp_path, "p")
    with pytest.raises(UserError, match="did you mean 'nvit'"):
        import_table("nvi", file_of("nvit"), "p")
    with pytest.raises(UserError, match=r"no device.*`device`"):
        import_table("ofa", file_of("ofa"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="binary or not UTF-8"):
        import_table("ofa", tmp_path / "binary", "p")


@pytest.mark.skipif("VITPROF_SHARED_DATA" not in os.environ, reason="the real files are not here")
@pytest.mark.parametrize(
    ("kind", "name", "rows"),
    [
        ("nnmeter", "nnmeter_vit_lut/pixel6_lut_ln_v3.json", 12116),
        ("ofa", "ofa_lut/note10_224_lookup_table.yaml", 96),
        ("neusight", "neusight_t4/linear.csv", 6458),
        ("neusight", "neusight_t4/bmm.csv", 17697),
        ("neusight", "neusight_t4/softmax.csv", 1749),
        ("neusight", "neusight_t4/ln.csv", 1397),
        ("neusight", "neusight_t4/gelu.csv", 1749),
    ],
)
def test_the_real_files_are_read_whole(kind: str, name: str, rows: int, tmp_path: Path) -> None:
    found = import_table(
        kind, Path(os.environ["VITPROF_SHARED_DATA"]) / name, "the-device", unit="ms"
    )
    assert (len(found.table.rows), found.unknown) == (rows, [])
    found.table.to_csv(tmp_path / "lut.csv")
    assert len(LatencyTable.read_csv(tmp_path / "lut.csv").rows) == rows
