"""The page in a real Chromium: its numbers against `predict`, its sliders, and hostile tables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import vitprof
from vitprof.errors import UserError
from vitprof.models import Block, Spec, ViTSpec
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.header import TableHeader
from vitprof.training.history import History
from vitprof.training.loop import Progress

pytestmark = pytest.mark.slow

FAMILIES = ("vit", "merging", "efficientvit", "autovit", "swin", "bert", "vgg")
HOSTILE = (
    '</script><script>window.pwned=1</script><img src=x onerror="window.pwned=2">'
    "<svg onload=alert(3)>=cmd|'/c calc'!A1\x1b[31mred\u202egnp.exe"
)


def in_page(page: Any, specs: list[Spec]) -> list[dict[str, Any]]:
    return page.evaluate(
        "specs => specs.map(spec => { const { parts, ...answer } = vitprof.answer(spec);"
        " return answer; })",
        [spec.to_dict() for spec in specs],
    )


def check_equal(table: LatencyTable, spec: Spec, answer: dict[str, Any]) -> None:
    """Check that the page says of a spec what the table says."""
    try:
        wanted = table.predict(spec)
    except UserError:
        assert answer["ms"] is None, spec
        assert answer["refusal"]
        return
    assert answer["refusal"] is None, answer["refusal"]
    for mine, theirs in (("ms", wanted.ms), ("low", wanted.low_ms), ("high", wanted.high_ms)):
        assert answer[mine] == pytest.approx(theirs, rel=1e-9, abs=1e-12), spec
    assert (answer["macs"], answer["params"]) == (spec.macs, spec.params)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_page_answers_as_predict_does(
    family: str,
    table_of_family: Callable[..., Any],
    random_specs: Callable[..., list[Spec]],
    open_page: Callable[..., Any],
    tmp_path: Path,
) -> None:
    table, space = table_of_family(family)
    vitprof.report(table).save(tmp_path / "report.html")
    opened = open_page(tmp_path / "report.html")
    specs = random_specs(space, 25)
    answers = in_page(opened.page, specs)
    for spec, answer in zip(specs, answers, strict=True):
        check_equal(table, spec, answer)
    assert sum(answer["ms"] is not None for answer in answers) > 20
    opened.check_quiet()


def test_outside_the_table_both_refuse(
    vit_page_table: LatencyTable, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    vitprof.report(vit_page_table).save(tmp_path / "report.html")
    opened = open_page(tmp_path / "report.html")
    specs = [
        ViTSpec.uniform(embed, 4, heads, mlp, qk=qk, v=32, resolution=resolution)
        for embed, heads, mlp, qk, resolution in (
            (1024, 6, 1536, 32, 224),
            (128, 6, 1536, 32, 224),
            (384, 16, 1536, 32, 224),
            (384, 6, 8192, 32, 224),
            (384, 6, 1536, 8, 224),
            (384, 6, 1536, 32, 384),
            (384, 6, 1536, 32, 224),
        )
    ]
    answers = in_page(opened.page, specs)
    assert [answer["ms"] is None for answer in answers] == [True] * 6 + [False]
    for spec, answer in zip(specs, answers, strict=True):
        check_equal(vit_page_table, spec, answer)
    assert "embed=1024" in answers[0]["refusal"]
    opened.check_quiet()


def test_steps_between_tiles_failed_points_and_transferred_ones(
    vit_page_table: LatencyTable,
    row_of: Callable[..., Row],
    open_page: Callable[..., Any],
    tmp_path: Path,
) -> None:
    rows = [
        row_of(row.subject, row.latency_ms, verdict="transferred", samples=0, session_ms=())
        if isinstance(row.subject, Block) and row.subject.op == "classifier"
        else row
        for row in vit_page_table.rows
    ]
    for mlp, factor in ((1000, 1.2), (1100, 1.1), (2000, 1.3)):
        block = Block.of("mlp", embed=384, mlp=mlp, tokens=197)
        rows.append(row_of(block, factor * vit_page_table.predict_block(block).ms))
    failed = Block.of("attention", embed=768, heads=12, qk=64, v=64, tokens=197)
    rows = [
        replace(row, verdict="failed", latency_ms=float("nan"), error="no memory")
        if row.subject == failed
        else row
        for row in rows
    ]
    transfer = {"expected_error": 0.03, "whole_sd": 0.04}
    header = TableHeader(vit_page_table.setting, observed={"tile": 32}, transfer=transfer)
    table = LatencyTable(rows, header).with_calibrations(vit_page_table.calibrations)
    vitprof.report(table).save(tmp_path / "report.html")
    opened = open_page(tmp_path / "report.html")
    specs = [
        ViTSpec.uniform(embed, 3, heads, mlp, qk=qk, v=qk)
        for embed in (384, 400, 768)
        for heads in (6, 12)
        for mlp in (1000, 1001, 1016, 1500, 2000)
        for qk in (16, 24, 33, 64)
    ]
    answers = in_page(opened.page, specs)
    for spec, answer in zip(specs, answers, strict=True):
        check_equal(table, spec, answer)
    refusals = {answer["refusal"] for answer in answers} - {None}
    assert any(
        "could not be measured" in refusal and "no memory" in refusal for refusal in refusals
    )
    assert sum(answer["ms"] is not None for answer in answers) > 60
    opened.check_quiet()


def test_a_table_of_whole_layers_that_span_no_grid(
    row_of: Callable[..., Row],
    setting: Setting,
    open_page: Callable[..., Any],
    tmp_path: Path,
) -> None:
    def ms(embed: int, heads: int, mlp: int) -> float:
        return 0.1 + embed * (heads * 64 + mlp) / 3e5 + heads * 0.01

    rows = [
        row_of(Block.of("layer", embed=e, heads=h, qk=64, v=64, mlp=m, tokens=197), ms(e, h, m))
        for e in (192, 384, 768)
        for h in (1, 3, 6, 12)
        for m in (1, 768, 1536, 3072)
        if (e, h) != (192, 12) and (e, m) != (768, 1)
    ]
    for embed in (192, 384, 768):
        image = {"in_channels": 3, "resolution": 224, "kernel": 16, "prefix": 1}
        rows.append(row_of(Block.of("patch_embed", embed=embed, **image), embed / 400))
        end = {"heads": 1, "classes": 1000, "tokens": 197}
        rows.append(row_of(Block.of("classifier", embed=embed, **end), embed / 4000))
    table = LatencyTable(rows, setting)
    vitprof.report(table).save(tmp_path / "report.html")
    opened = open_page(tmp_path / "report.html")
    specs = [
        ViTSpec.uniform(embed, 2, heads, mlp, qk=64, v=64)
        for embed in (192, 256, 384, 500, 768)
        for heads in (1, 2, 5, 6, 12)
        for mlp in (0, 768, 1000, 3072, 4000)
    ]
    answers = in_page(opened.page, specs)
    for spec, answer in zip(specs, answers, strict=True):
        check_equal(table, spec, answer)
    assert {answer["ms"] is None for answer in answers} == {True, False}
    opened.check_quiet()


def test_sliders_change_the_numbers_and_the_spec_can_be_copied(
    vit_page_table: LatencyTable, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    vitprof.report(vit_page_table).save(tmp_path / "report.html")
    opened = open_page(tmp_path / "report.html", permissions=["clipboard-read", "clipboard-write"])
    page = opened.page
    for label, value in (("embed width", 504), ("depth", 9), ("heads", 5), ("MLP width", 1600)):
        page.locator("#calculator").get_by_label(label, exact=True).fill(str(value))
    page.get_by_role("button", name="Copy the spec as JSON").click()
    page.wait_for_function("document.querySelector('.said').textContent === 'copied'")
    spec = Spec.from_json(page.evaluate("navigator.clipboard.readText()"))
    assert isinstance(spec, ViTSpec)
    assert (spec.embed, spec.depth) == (504, 9)
    assert {(layer.heads, layer.mlp) for layer in spec.layers} == {(5, 1600)}
    wanted = vit_page_table.predict(spec)
    assert page.inner_text("#ms") == f"{wanted.ms:.4g} ms"
    numbers = [float(n) for n in re.findall(r"[\d.]+", page.inner_text("#interval"))]
    assert numbers[1:] == [float(f"{wanted.low_ms:.4g}"), float(f"{wanted.high_ms:.4g}")]
    assert page.inner_text("#macs") == f"{spec.macs / 1e9:.4g} GMACs an image"
    assert page.inner_text("#params") == f"{spec.params / 1e6:.4g} M parameters"
    # One layer alone, exactly, and then outside of the table.
    page.get_by_label("heads and MLP of").select_option("layer 3")
    exactly = page.get_by_label("MLP width, exactly")
    exactly.fill("777")
    exactly.press("Enter")
    exactly.blur()
    changed = page.evaluate("vitprof.spec()")
    assert [layer["mlp"] for layer in changed["layers"]] == [1600, 1600, 777] + [1600] * 6
    again = vit_page_table.predict(Spec.from_dict(changed))
    assert page.inner_text("#ms") == f"{again.ms:.4g} ms"
    exactly.fill("60000")
    exactly.press("Enter")
    exactly.blur()
    assert "mlp=60000" in page.inner_text("#outside")
    assert page.query_selector("#ms") is None
    opened.check_quiet()


def test_nothing_in_a_table_or_a_run_can_run(
    vit_page_table: LatencyTable, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    said = vit_page_table.setting
    setting = replace(said, device=HOSTILE, backend=HOSTILE, provider=HOSTILE)
    header = TableHeader(
        setting,
        environment={HOSTILE: {"cpu": HOSTILE, "__proto__": HOSTILE}},
        protocol={"note": HOSTILE},
        vitprof=HOSTILE,
        imported=[{"tool": HOSTILE}],
    )
    rows = []
    for n, row in enumerate(vit_page_table.rows):
        changed = replace(row, error=HOSTILE, measured_at=HOSTILE)
        if n == 3:
            nan = float("nan")
            changed = replace(changed, verdict="failed", latency_ms=nan, low_ms=nan, high_ms=nan)
        rows.append(changed)
    table = LatencyTable(rows, header, source=f"{tmp_path}/{HOSTILE.replace('/', '_')}")
    run = tmp_path / "run"
    run.mkdir()
    point = {"name": HOSTILE, "latency_ms": 9.0, "top1": 0.4, "macs": 10**9}
    (run / "report.json").write_text(json.dumps({"measured": [point]}))
    broken = tmp_path / "b.json"
    node = {"name": HOSTILE, "op": HOSTILE, "class": HOSTILE, "block": HOSTILE, "ms": 1}
    block = {"block": HOSTILE, "op": HOSTILE, "ms": 1}
    model = {"model": HOSTILE, "latency_ms": 2, "blocks": [block], "nodes": [node]}
    broken.write_text(json.dumps({"models": [model]}))
    made = vitprof.report(table, runs=[run], breakdowns=[broken])
    made.save(tmp_path / "report.html")
    opened = open_page(tmp_path / "report.html")
    page = opened.page
    assert page.evaluate("window.pwned") is None
    assert page.query_selector("main img, main svg, main script, main iframe") is None
    text = page.inner_text("main")
    assert "<img src=x" in text  # it is there, as a text
    assert "\x1b" not in text
    assert "\u202e" not in text
    opened.check_quiet()


def test_a_script_that_is_added_does_not_run(
    vit_page_table: LatencyTable, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    html = vitprof.report(vit_page_table).html
    added = "<script>window.pwned=1</script><img src='http://127.0.0.1:9/x'></body>"
    (tmp_path / "report.html").write_text(html.replace("</body>", added))
    opened = open_page(tmp_path / "report.html")
    assert opened.page.evaluate("window.pwned") is None
    assert len([one for one in opened.wrong if "Content Security Policy" in one]) == 2


def test_a_phone_and_paper(
    vit_page_table: LatencyTable, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    vitprof.report(vit_page_table).save(tmp_path / "report.html")
    opened = open_page(tmp_path / "report.html", viewport={"width": 390, "height": 844})
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    canvases = page.query_selector_all(".plot canvas")
    assert len(canvases) == 4  # held-out models, MACs, a block, the roofline
    assert all(canvas.bounding_box()["width"] <= 390 for canvas in canvases)
    page.emulate_media(media="print")
    assert not page.is_visible(".actions")
    assert page.is_visible("#ms")
    assert page.pdf(format="A4").startswith(b"%PDF")
    opened.check_quiet()


def test_pointing_at_a_model_names_it(
    vit_page_table: LatencyTable, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    vitprof.report(vit_page_table).save(tmp_path / "report.html")
    opened = open_page(tmp_path / "report.html", color_scheme="dark")
    page = opened.page
    over = page.locator("#macs-latency .u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    named = set()
    for part in range(1, 40):
        page.mouse.move(
            box["x"] + box["width"] * part / 40, box["y"] + box["height"] * (1 - part / 40)
        )
        if page.is_visible("#macs-latency .tip"):
            named.add(page.inner_text("#macs-latency .tip").split("\n")[0])
    assert len(named) > 3
    assert any(name.startswith(("deit", "vit", "calibration")) for name in named)
    opened.check_quiet()


def test_two_tables_and_their_runs(
    vit_page_table: LatencyTable,
    row_of: Callable[..., Row],
    open_page: Callable[..., Any],
    tmp_path: Path,
) -> None:
    slower = vit_page_table.header
    other = LatencyTable(
        [row.scaled(2.0) for row in vit_page_table.rows],
        replace(slower, setting=replace(slower.setting, device="phone")),
        source="phone.csv",
        calibrations={},
    )
    vitprof.report([vit_page_table, other]).save(tmp_path / "report.html")
    opened = open_page(tmp_path / "report.html")
    page = opened.page
    page.get_by_label("table", exact=True).select_option(index=1)
    spec = Spec.from_dict(page.evaluate("vitprof.spec()"))
    assert page.inner_text("#ms") == f"{other.predict(spec).ms:.4g} ms"
    assert "phone.csv" in page.inner_text("#trust")
    opened.check_quiet()


def test_a_training_is_drawn_with_its_loss_and_its_accuracy(
    vit_page_table: LatencyTable, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "<b>trained"
    folder.mkdir()
    report = {"model": "deit-tiny", "epochs": 3, "test_images": 9, "top1": 0.5, "out": "x"}
    (folder / "report.json").write_text(json.dumps(report))
    history = History()
    for step in range(1, 31):
        top1 = step / 40 if step % 10 == 0 else None
        history.add("<i>training", Progress(step, 1 / step, 1e-3), 30, 10, top1)
    (folder / "history.csv").write_text(history.to_csv())
    vitprof.report(vit_page_table, runs=[folder]).save(tmp_path / "report.html")
    opened = open_page(tmp_path / "report.html")
    page = opened.page
    assert "Trained: <b>trained" in page.inner_text("#runs")
    charts = page.locator("#runs canvas")
    assert charts.count() == 2
    loss = charts.first
    loss.scroll_into_view_if_needed()
    box = loss.bounding_box()
    shown = set()
    for part in range(2, 40):
        page.mouse.move(box["x"] + box["width"] * part / 40, box["y"] + box["height"] * 0.8)
        if page.is_visible("#runs .tip"):
            shown.add(page.locator("#runs .tip").first.inner_text().split("\n")[0])
    assert shown == {"<i>training"}
    opened.check_quiet()
